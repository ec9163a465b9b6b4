"""A state's e-signature PKI is a capability, not an interceptor (detection science 3.2).

The national centre (NUC RK) signs real services of the state that browsers do not trust. The same key
over a foreign name is another matter: no operator abroad asks that CA for a certificate.
"""

from kzmitm.model.target import is_ip
from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.pki.attribution import Attribution
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import STRONG_MATCHES
from kzmitm.verdict.names import is_government
from kzmitm.verdict.rule import Tier, rule

_ASKS = (UndecidedCode.STATE_PKI_USE, UndecidedCode.CONTROL)


def _is_strong(facts: Facts, attribution: Attribution) -> bool:
    """A key says so, and in the leaf's own line of signatures."""
    return attribution in facts.attributions and attribution.authority.match in STRONG_MATCHES


def _is_own_government_host(facts: Facts, *, strong: bool) -> bool:
    """A state service under its own state's PKI, and nobody gets a public certificate instead.

    Nor does that PKI sign there for whatever name is asked, which would be forging.
    """
    attribution = facts.state_pki
    return (
        attribution is not None
        and _is_strong(facts, attribution) is strong
        and is_government(facts.asked_name, attribution.authority.country)
        and not facts.control.is_genuine
        and not facts.is_two_faced
    )


@rule(Tier.MASK, Outcome.ORIGIN_MISCONFIGURED, confidence=Confidence.LIKELY)
def own_government_host(facts: Facts, _context: RunContext) -> bool:
    """A state service under its own state's PKI: expected, though no browser trusts it; not interception."""
    return _is_own_government_host(facts, strong=True)


@rule(Tier.MASK, Outcome.ORIGIN_MISCONFIGURED, confidence=Confidence.SUSPECTED, asks=_ASKS)
def own_government_host_by_name(facts: Facts, _context: RunContext) -> bool:
    """The same, but only names say that it is the state's PKI: anybody can write those."""
    return _is_own_government_host(facts, strong=False)


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY)
def foreign_host(facts: Facts, _context: RunContext) -> bool:
    """A state's PKI signed for a host outside its country's domain (rule a).

    Only for this host by its name: a server's default certificate is for its own names, and an address is
    in no country's domain. Or an authority's certificate alone, which is what OONI keeps of a chain.
    """
    attribution = facts.state_pki
    return (
        attribution is not None
        and _is_strong(facts, attribution)
        and not facts.is_home_of_state_pki
        and not is_ip(facts.asked_name)
        and facts.focus is not None
        and (facts.focus.covers_host or facts.focus.chain[0].is_ca)
    )


@rule(Tier.BASELINE, Outcome.INCONCLUSIVE, asks=_ASKS)
def own_country_host(facts: Facts, _context: RunContext) -> bool:
    """A state's PKI on a host of its country that is no state service: some use it; it could be misused."""
    attribution = facts.state_pki
    return (
        attribution is not None
        and facts.is_home_of_state_pki
        and not is_government(facts.asked_name, attribution.authority.country)
    )
