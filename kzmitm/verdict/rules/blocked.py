"""Kept from the site without a certificate: most Kazakh blocking is a timeout after the hello.

OONI decision rule 6: reset, end of file, timeout and bytes that are not TLS are blocking, not interception.
"""

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import HandshakeFacts, State
from kzmitm.verdict.labels import NETWORK_CUTS
from kzmitm.verdict.resolution import translated
from kzmitm.verdict.rule import Tier, rule


def _failed(facts: Facts) -> HandshakeFacts | None:
    """No chain, or a chain that is fine and then the connection cut; not by our own doing."""
    focus = facts.focus
    if focus is None or facts.is_interrupted or focus.state not in (State.FAILED, State.CUT):
        return None
    return focus


def _is_cut(facts: Facts) -> bool:
    """A reset, a silence or a close in the handshake, and again if it was tried again."""
    focus = _failed(facts)
    return (
        focus is not None
        and focus.observation.failure in NETWORK_CUTS
        and (not facts.contrast.repeat_is_genuine or _is_cut_again(facts))
    )


def _is_cut_again(facts: Facts) -> bool:
    """Another handshake for this name was cut at this address: who injects resets wins most races only."""
    others = facts.contrast.repeats + facts.contrast.other_hellos
    return any(h.observation.failure in NETWORK_CUTS for h in others)


def _is_refused(facts: Facts) -> bool:
    """An alert, bytes that are not TLS or that break its rules, whatever the hello."""
    focus = _failed(facts)
    return (
        focus is not None
        and focus.state is State.FAILED
        and focus.observation.failure not in NETWORK_CUTS
        and (focus.is_answered or bool(focus.observation.first_bytes))
        and not facts.contrast.repeat_is_genuine
        and not facts.contrast.other_hello_is_genuine
    )


@rule(Tier.CONTRAST, Outcome.BLOCKED, confidence=Confidence.LIKELY)
def cut_for_this_name(facts: Facts, _context: RunContext) -> bool:
    """At one address this name is cut off and a harmless one is answered: the name is the trigger."""
    return _is_cut(facts) and facts.contrast.benign_is_answered and not facts.control.has_only_failures


@rule(Tier.CONTRAST, Outcome.BLOCKED, confidence=Confidence.LIKELY)
def cut_for_this_hello(facts: Facts, _context: RunContext) -> bool:
    """The watched name is cut off, yet passes in another ClientHello at the same address.

    Filters that read one packet miss hellos that fill two (lab.md: browsers escape).
    """
    return _is_cut(facts) and facts.contrast.other_hello_is_genuine


@rule(
    Tier.CONTRAST,
    Outcome.BLOCKED,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.BENIGN_SNI,),
)
def cut_unlike_control(facts: Facts, _context: RunContext) -> bool:
    """A clean place gets a trusted chain from this very address, and here every handshake is cut."""
    own = facts.address.in_control is True or facts.address.in_doh is True
    return _is_cut(facts) and facts.control.is_genuine and own and not facts.contrast.benign_is_answered


@rule(Tier.CONTRAST, Outcome.BLOCKED, confidence=Confidence.LIKELY)
def refused_unlike_control(facts: Facts, _context: RunContext) -> bool:
    """A harmless name is answered here and a clean place gets a trusted chain, but this name is not."""
    return _is_refused(facts) and facts.contrast.benign_is_answered and facts.control.is_genuine


@rule(
    Tier.CONTRAST,
    Outcome.BLOCKED,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.CONTROL,),
)
def refused_for_this_name(facts: Facts, _context: RunContext) -> bool:
    """A harmless name draws a chain here and this name an alert or something that is not TLS.

    The server may refuse the name by itself (RFC 6066, 3: unrecognized_name): a control would tell.
    """
    return (
        _is_refused(facts)
        and any(h.chain for h in facts.contrast.benign)
        and not facts.control.is_genuine
        and not facts.control.has_only_failures
    )


@rule(Tier.CONTRAST, Outcome.BLOCKED, confidence=Confidence.SUSPECTED, asks=(UndecidedCode.SECOND_NETWORK,))
def tcp_unlike_control(facts: Facts, _context: RunContext) -> bool:
    """No connect is answered at addresses where a clean place gets a trusted chain."""
    tried = {translated(o.endpoint.ip) for o in facts.measurement.tcp}
    return (
        facts.focus is None
        and bool(facts.tcp_failures)
        and facts.control.is_genuine
        and not tried.isdisjoint(facts.control.ips)
    )


@rule(Tier.CONTRAST, Outcome.CLEAN)
def cut_once(facts: Facts, _context: RunContext) -> bool:
    """Cut off at first, and the same handshake once more drew a trusted chain: an accident of the network."""
    focus = _failed(facts)
    return focus is not None and facts.contrast.repeat_is_genuine and not _is_cut_again(facts)


@rule(Tier.CONTRAST, Outcome.CLEAN)
def hello_not_understood(facts: Facts, _context: RunContext) -> bool:
    """Refused at first, and another hello drew a trusted chain at the same address: ours was at fault."""
    focus = _failed(facts)
    return (
        focus is not None
        and focus.observation.failure not in NETWORK_CUTS
        and facts.contrast.other_hello_is_genuine
    )
