"""What several hosts of one run have in common, though nobody runs them all."""

from kzmitm.model.target import DIRECT
from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import MIN_HOSTS, RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import HandshakeFacts, State
from kzmitm.verdict.rule import Tier, rule


def _forged_for_this_host(facts: Facts) -> HandshakeFacts | None:
    focus = facts.focus
    return focus if focus is not None and facts.is_forged and focus.covers_host else None


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY)
def one_issuer_for_unrelated_hosts(facts: Facts, context: RunContext) -> bool:
    """An issuer that no public CA vouches for signs leaves for hosts that have nothing to do with each other.

    How the Kazakh episodes were found: grouping by issuer across domains (OONI 2024). A private CA signs
    for its owner's hosts only; a state's PKI at home for whoever asked it to.
    """
    focus = _forged_for_this_host(facts)
    return (
        focus is not None
        and not focus.is_self_signed
        and not focus.claims_public_issuer
        and context.hosts_signed_by(focus.chain[0]) >= MIN_HOSTS
        and not facts.is_home_of_state_pki
    )


@rule(
    Tier.CONTRAST,
    Outcome.INTERCEPTION,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.MORE_HOSTS, UndecidedCode.CONTROL),
)
def one_issuer_for_chosen_names(facts: Facts, context: RunContext) -> bool:
    """Two unrelated hosts have one unknown issuer, and a harmless name at this address a public one."""
    focus = _forged_for_this_host(facts)
    return (
        focus is not None
        and not focus.is_self_signed
        and not focus.claims_public_issuer
        and facts.contrast.benign_is_genuine
        and context.hosts_signed_by(focus.chain[0]) > 1
        and not facts.is_home_of_state_pki
    )


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY)
def one_key_for_unrelated_hosts(facts: Facts, context: RunContext) -> bool:
    """Different untrusted leaves for unrelated hosts have one key: sslsplit and mitmproxy do that (3.3)."""
    focus = _forged_for_this_host(facts)
    return focus is not None and context.hosts_with_key(focus.spki_sha256 or "") >= MIN_HOSTS


@rule(Tier.MASK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.CONNECTION,))
def no_network(facts: Facts, context: RunContext) -> bool:
    """No resolver answered and nothing else in the whole run: this computer is connected to nothing.

    A resolver that leaves out single names answers others, or another one does.
    """
    measurement = facts.measurement
    return (
        measurement.vantage.kind == DIRECT
        and facts.focus is None
        and not measurement.tcp
        and bool(measurement.dns)
        and context.is_off_line
    )


@rule(
    Tier.MASK,
    Outcome.INCONCLUSIVE,
    asks=(UndecidedCode.PORTAL_LOGIN, UndecidedCode.SECOND_NETWORK),
)
def nothing_gets_through(facts: Facts, context: RunContext) -> bool:
    """A clean place gets this site; here unrelated hosts were tried and none showed a certificate.

    A portal that refuses port 443, a hole in the path for big packets and a cable that is out look so: the
    network, and not a choice of names. Who asks for blocked sites alone sees the same where they are blocked
    by address: hence inconclusive.
    """
    silent = facts.focus is None or (facts.state is State.FAILED and not facts.is_interrupted)
    tried = bool(facts.measurement.tcp or facts.handshakes)
    return silent and tried and context.is_cut_off and facts.control.is_genuine
