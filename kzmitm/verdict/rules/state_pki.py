"""A state's e-signature PKI is a capability, not an interceptor (detection science 3.2).

НУЦ РК signs real services of the state that browsers do not trust. The same key over a foreign name is
another matter: no operator abroad asks that CA for a certificate.
"""

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.pki.attribution import Attribution
from kzmitm.pki.kinds import Kind
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import STRONG_MATCHES, State
from kzmitm.verdict.names import in_country, is_government
from kzmitm.verdict.rule import Tier, rule

_ASKS = (UndecidedCode.STATE_PKI_USE, UndecidedCode.CONTROL)


def _state_pki(facts: Facts) -> Attribution | None:
    """The state's PKI in the chain; a certificate whose signature cannot be checked (GOST) counts as a name."""
    focus = facts.focus
    if focus is None or focus.state is not State.UNTRUSTED or not facts.is_forged:
        return None
    found = (*focus.attributions, *focus.stray_attributions)
    return next((a for a in found if a.authority.kind == Kind.STATE_PKI), None)


def _strong(facts: Facts) -> bool:
    attribution = _state_pki(facts)
    return (
        attribution is not None
        and attribution in facts.attributions
        and attribution.authority.match in STRONG_MATCHES
    )


def _country(facts: Facts) -> str | None:
    attribution = _state_pki(facts)
    return attribution.authority.country if attribution is not None else None


@rule(Tier.MASK, Outcome.ORIGIN_MISCONFIGURED, confidence=Confidence.LIKELY)
def own_government_host(facts: Facts, _context: RunContext) -> bool:
    """A state service under its own state's PKI: expected, though no browser trusts it; not interception."""
    return _strong(facts) and is_government(facts.hostname, _country(facts)) and not facts.control.is_genuine


@rule(Tier.MASK, Outcome.ORIGIN_MISCONFIGURED, confidence=Confidence.SUSPECTED, asks=_ASKS)
def own_government_host_by_name(facts: Facts, _context: RunContext) -> bool:
    """The same, but only names say that it is the state's PKI: anybody can write those."""
    attribution = _state_pki(facts)
    return (
        attribution is not None
        and not _strong(facts)
        and is_government(facts.hostname, attribution.authority.country)
        and not facts.control.is_genuine
    )


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY)
def foreign_host(facts: Facts, _context: RunContext) -> bool:
    """A state's PKI signed for a host outside its country's domain (rule a)."""
    return _strong(facts) and not in_country(facts.hostname, _country(facts))


@rule(Tier.BASELINE, Outcome.INCONCLUSIVE, asks=_ASKS)
def own_country_host(facts: Facts, _context: RunContext) -> bool:
    """A state's PKI on a host of its country that is no state service: some use it, and it could be misused."""
    attribution = _state_pki(facts)
    if attribution is None:
        return False
    country = attribution.authority.country
    return in_country(facts.hostname, country) and not is_government(facts.hostname, country)
