"""Answers that send us elsewhere or nowhere (rule f). A resolver that disagrees is evidence, never proof."""

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import MIN_HOSTS, RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import State
from kzmitm.verdict.rule import Tier, rule


def _names_another(facts: Facts) -> bool:
    """A certificate for somebody else: a block page names the operator or the filter's vendor."""
    focus = facts.focus
    return focus is not None and focus.state is State.UNTRUSTED and not focus.covers_host


def _has_no_handshake(facts: Facts) -> bool:
    return facts.focus is None and not facts.measurement.tcp


@rule(Tier.MASK, Outcome.DNS_HIJACK, confidence=Confidence.LIKELY)
def genuine_elsewhere(facts: Facts, _context: RunContext) -> bool:
    """Only the system's resolver knows this address, it names someone else, and another is genuine.

    Rule f: "the same SNI sent to a control-resolved IP is genuine".
    """
    return _names_another(facts) and facts.address.is_doubtful and facts.contrast.other_address_is_genuine


@rule(Tier.MASK, Outcome.DNS_HIJACK, confidence=Confidence.LIKELY)
def impostor_at_a_wrong_address(facts: Facts, _context: RunContext) -> bool:
    """The control sees the same untrusted key at our address, and the genuine site at those it knows.

    OONI decision rule 4: both fail at an address that is not in the control's DNS: a hijack to an impostor.
    """
    focus = facts.focus
    return (
        focus is not None
        and focus.state is State.UNTRUSTED
        and focus.spki_sha256 in facts.control.leaf_keys
        and not facts.has_genuine_key
        and facts.control.is_genuine
        and facts.address.is_doubtful
    )


@rule(Tier.MASK, Outcome.DNS_HIJACK, confidence=Confidence.LIKELY)
def private_answer(facts: Facts, _context: RunContext) -> bool:
    """A bogon: the system's resolver gives a private address, an encrypted one gives public ones."""
    return _names_another(facts) and facts.address.is_private and facts.resolved.is_disjoint is True


@rule(Tier.CONTRAST, Outcome.DNS_HIJACK, confidence=Confidence.LIKELY)
def bogon_but_genuine(facts: Facts, _context: RunContext) -> bool:
    """The system's resolver gives a private address only; at the encrypted one's the genuine site answers.

    Not if the site is genuine at the private address: some networks lead every name through one of theirs.
    """
    return (
        facts.state is State.TRUSTED
        and facts.resolved.system_gives_only_private
        and not any(
            h.state is State.TRUSTED and h.observation.endpoint.ip in facts.resolved.system_ips
            for h in facts.handshakes
        )
    )


@rule(
    Tier.CONTRAST,
    Outcome.DNS_HIJACK,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.OTHER_ADDRESS, UndecidedCode.CONTROL),
)
def bogon_that_is_silent(facts: Facts, context: RunContext) -> bool:
    """The system's resolver gives a private address only, an encrypted one public ones; nobody answered.

    How resolvers block (0.0.0.0, 127.0.0.1); a filter that the user runs himself does the same.
    """
    silent = facts.focus is None or (facts.state is State.FAILED and not facts.is_interrupted)
    bogon = facts.resolved.system_gives_only_private and not context.private_is_usual
    return silent and bool(facts.measurement.tcp) and bogon


@rule(Tier.MASK, Outcome.DNS_HIJACK, confidence=Confidence.SUSPECTED)
def one_address_for_many_names(facts: Facts, context: RunContext) -> bool:
    """Unrelated names were sent to this one address, which nobody else has for this name."""
    return (
        _names_another(facts)
        and facts.address.is_doubtful
        and context.hosts_misnamed_at(facts.address.ip) >= MIN_HOSTS
    )


@rule(Tier.MASK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.ENCRYPTED_DNS,))
def private_site_of_that_name(facts: Facts, context: RunContext) -> bool:
    """A private address with an untrusted certificate for this very name: a company's inner site looks so.

    Split-horizon names have private CAs; a forger at a private address looks the same.
    """
    return (
        facts.is_forged
        and facts.address.is_private
        and not context.private_is_usual
        and facts.focus is not None
        and facts.focus.covers_host
    )


@rule(Tier.CONTRAST, Outcome.BLOCKED, confidence=Confidence.LIKELY)
def denied_but_genuine(facts: Facts, _context: RunContext) -> bool:
    """The system's resolver denies the name; at the address of an encrypted one the genuine site answers.

    Said as blocked, not as hijacked: nobody is led astray, the site is kept away (OONI: dns.nxdomain).
    """
    return facts.state is State.TRUSTED and facts.resolved.system_lies


@rule(Tier.CONTRAST, Outcome.BLOCKED, confidence=Confidence.SUSPECTED, asks=(UndecidedCode.ENCRYPTED_DNS,))
def denied_unlike_control(facts: Facts, _context: RunContext) -> bool:
    """The system's resolver denies a name for which a clean place gets a trusted chain.

    A name may have ended since the control was made, so an old one does not count, nor where an encrypted
    resolver denies it, too.
    """
    return (
        _has_no_handshake(facts)
        and facts.resolved.system_denies
        and not facts.resolved.doh_denies
        and facts.control.is_genuine
        and not facts.control.is_stale
    )


@rule(Tier.BASELINE, Outcome.BLOCKED, confidence=Confidence.SUSPECTED, asks=(UndecidedCode.CONTROL,))
def denied(facts: Facts, _context: RunContext) -> bool:
    """The system's resolver denies a name for which an encrypted one has addresses; nobody answered."""
    return facts.resolved.system_lies and (facts.focus is None or facts.focus.state is State.FAILED)


@rule(Tier.BASELINE, Outcome.UNREACHABLE)
def no_such_name(facts: Facts, _context: RunContext) -> bool:
    """The system's resolver has no address, and an encrypted one denies the name as well."""
    resolved = facts.resolved
    return _has_no_handshake(facts) and resolved.system_failure is not None and resolved.doh_denies


@rule(Tier.BASELINE, Outcome.INCONCLUSIVE, asks=(UndecidedCode.ENCRYPTED_DNS,))
def only_one_resolver_denies(facts: Facts, _context: RunContext) -> bool:
    """The system's resolver has no address, and no other one could be asked: dead name, or lie."""
    resolved = facts.resolved
    return (
        _has_no_handshake(facts)
        and resolved.system_failure is not None
        and not resolved.doh_ips
        and not resolved.doh_denies
    )
