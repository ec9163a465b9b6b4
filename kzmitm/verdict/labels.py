"""The node of OONI's ontology that a verdict supports, never a deeper one.

https://github.com/ooni/data/blob/main/docs/ontology.md, 12: "label the deepest node the evidence supports".
`tls.eof` and `tls.alert` are ours; its vocabulary has no leaf for them.
"""

from collections.abc import Mapping

from kzmitm.model.failure import Failure
from kzmitm.model.verdict import Outcome
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import STRONG_MATCHES, HandshakeFacts

NETWORK_CUTS: Mapping[str | None, str] = {
    Failure.CONNECTION_RESET: "tls.reset",
    Failure.CONNECTION_ABORTED: "tls.reset",
    Failure.NETWORK_RESET: "tls.reset",
    Failure.GENERIC_TIMEOUT: "tls.timeout",
    Failure.TIMED_OUT: "tls.timeout",
    Failure.EOF: "tls.eof",
}
"""Failures of a handshake that the network brings about, with their nodes."""

_TCP: Mapping[str, str] = {
    Failure.CONNECTION_REFUSED: "tcp.refused",
    Failure.CONNECTION_RESET: "tcp.reset",
    Failure.CONNECTION_ABORTED: "tcp.reset",
    Failure.GENERIC_TIMEOUT: "tcp.timeout",
    Failure.TIMED_OUT: "tcp.timeout",
    Failure.HOST_UNREACHABLE: "ip.unreachable",
    Failure.NETWORK_UNREACHABLE: "ip.unreachable",
}

_DNS: Mapping[str | None, str] = {
    Failure.DNS_NXDOMAIN: "dns.nxdomain",
    Failure.DNS_REFUSED: "dns.refused",
}


def labels(outcome: Outcome, facts: Facts) -> tuple[str, ...]:
    """The nodes for an outcome; () where there is no interference to describe."""
    match outcome:
        case Outcome.INTERCEPTION:
            return (_interception(facts.focus),)
        case Outcome.DNS_HIJACK:
            return ("dns.injection.bogon" if facts.address.is_private else "dns.injection",)
        case Outcome.BLOCKED:
            return (_blocking(facts),)
        case _:
            return ()


def _interception(focus: HandshakeFacts | None) -> str:
    if focus is None or focus.report is None:
        return "tls"
    if focus.is_self_signed:
        return "tls.mitm.self_signed"
    top = focus.report.topmost
    signed = top is not None and top.sha256 != focus.leaf_sha256
    signed |= any(a.authority.match in STRONG_MATCHES for a in focus.attributions)
    return "tls.mitm.ca_signed" if signed else "tls.mitm"


def _blocking(facts: Facts) -> str:
    if facts.resolved.system_lies:
        return _DNS.get(facts.resolved.system_failure, "dns")
    focus = facts.focus
    if focus is None:
        nodes = {_TCP.get(failure, "tcp") for failure in facts.tcp_failures}
        return nodes.pop() if len(nodes) == 1 else "tcp"
    node = NETWORK_CUTS.get(focus.observation.failure)
    if node is None:
        return "tls.alert" if any(not alert.sent for alert in focus.observation.alerts) else "tls"
    by_name = facts.contrast.benign_is_answered
    return "tls.reset.sni" if node == "tls.reset" and by_name else node
