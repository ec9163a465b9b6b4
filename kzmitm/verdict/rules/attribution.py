"""Recognised by traits or names: anybody can write these, so a key's word or a contrast outvotes them."""

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.rule import Tier, rule


def _recognised(facts: Facts, match: str) -> bool:
    return facts.is_forged and facts.bears(match)


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY)
def family(facts: Facts, _context: RunContext) -> bool:
    """All traits of a family of interception roots (detection science 3.2: root eleven is in no list).

    "Likely", never "confirmed": the traits are public. In the tier of the contrasts, so that a control
    that sees the same chain, a portal or a foreign address still masks it.
    """
    return _recognised(facts, "family")


@rule(Tier.MASK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.SECOND_NETWORK,))
def family_and_in_control(facts: Facts, _context: RunContext) -> bool:
    """The control is served the same leaf key under the same family: its path may be intercepted as well."""
    return facts.has_genuine_key and facts.bears("family")


@rule(
    Tier.BASELINE,
    Outcome.INTERCEPTION,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.LOCAL_ROOTS,),
)
def name(facts: Facts, _context: RunContext) -> bool:
    """An interception product's name over a certificate for this very host (rule b).

    Only for this host: the box's own certificate, on its block page or its management port, has the same
    issuer and names the box.
    """
    return _recognised(facts, "name") and facts.focus is not None and facts.focus.covers_host


@rule(Tier.FALLBACK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.LOCAL_ROOTS, UndecidedCode.PORTAL_LOGIN))
def name_over_another_host(facts: Facts, _context: RunContext) -> bool:
    """An interception product's name over a certificate for something else: maybe the box's own."""
    return _recognised(facts, "name") and facts.focus is not None and not facts.focus.covers_host
