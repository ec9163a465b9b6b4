"""A key that the registry knows signed what was presented (detection science 3.4, step 3; rule a)."""

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.pki.attribution import Attribution
from kzmitm.pki.kinds import INTERCEPTION_KINDS, Kind
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import STRONG_MATCHES, State
from kzmitm.verdict.names import is_government
from kzmitm.verdict.rule import Tier, rule


def _interceptor(facts: Facts) -> Attribution | None:
    """The known interception key in the leaf's own line of signatures."""
    if facts.focus is None or facts.focus.state in (State.UNPROVEN, State.FAILED):
        return None
    return next(
        (
            a
            for a in facts.attributions
            if a.authority.kind in INTERCEPTION_KINDS and a.authority.match in STRONG_MATCHES
        ),
        None,
    )


@rule(Tier.ARTEFACT, Outcome.INTERCEPTION, confidence=Confidence.CONFIRMED)
def signed(facts: Facts, _context: RunContext) -> bool:
    """A known interception certificate, key or signature stands above the leaf, whatever the dates.

    Kazakhstan kept serving expired intermediates for months (OONI 2024), so "not valid now" excuses
    nothing. Also in a chain that the store trusts: a user may have been made to pin such a root.
    """
    found = _interceptor(facts)
    return found is not None and (not facts.has_genuine_key or _is_states_forgery(facts, found))


def _is_states_forgery(facts: Facts, attribution: Attribution) -> bool:
    """The control is served the same by a state's interceptor: both paths lead through it.

    In 2019 the system acted on both directions (IMC 2020). No site uses such a root of its own will, but for
    the state's own; and if a public CA vouches for the key elsewhere, somebody plays with copies.
    """
    authority = attribution.authority
    return (
        authority.kind == Kind.STATE_INTERCEPTION
        and not facts.control.is_genuine
        and facts.focus is not None
        and not any(leaf.spki_sha256 == facts.focus.spki_sha256 for leaf in facts.genuine)
        and not is_government(facts.asked_name, authority.country)
    )


@rule(Tier.ARTEFACT, Outcome.INTERCEPTION, confidence=Confidence.LIKELY, asks=(UndecidedCode.REPEAT,))
def signed_for_other_names(facts: Facts, _context: RunContext) -> bool:
    """No chain came for this name, and at this address a known interception key signs for other names.

    Whoever forges here also decides what becomes of this name: kept away, or only slow this time.
    """
    return facts.state is State.FAILED and not facts.is_interrupted and bool(facts.forged_names)


@rule(Tier.ARTEFACT, Outcome.INCONCLUSIVE, asks=(UndecidedCode.SECOND_NETWORK,))
def signed_and_in_control(facts: Facts, _context: RunContext) -> bool:
    """The control is served the same leaf key under a known interception key (rule a: "exonerate").

    Either the site itself uses that CA (the page of a box, a test server), or the control's path is
    intercepted too. The leaf cannot tell which.
    """
    found = _interceptor(facts)
    return found is not None and facts.has_genuine_key and not _is_states_forgery(facts, found)


@rule(Tier.FALLBACK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.WHOLE_CHAIN,))
def beside_the_chain(facts: Facts, _context: RunContext) -> bool:
    """A known interception certificate was sent along, but signed nothing here.

    Roots are public: anybody can put a copy beside any leaf, to frame a state or to be taken for a fake.
    """
    focus = facts.focus
    return (
        focus is not None
        and focus.state is State.UNTRUSTED
        and any(a.authority.kind in INTERCEPTION_KINDS for a in focus.stray_attributions)
    )
