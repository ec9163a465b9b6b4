"""Captive portals (rule c): one certificate for all names, which names none of them.

An interceptor copies names; a portal does not. We send no plain HTTP request to a third party, so a portal
is told by its certificate and its addresses alone.
"""

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import MIN_HOSTS, RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import HandshakeFacts, State
from kzmitm.verdict.rule import Tier, rule

_ASKS = (UndecidedCode.PORTAL_LOGIN,)


def _names_another(facts: Facts) -> HandshakeFacts | None:
    focus = facts.focus
    if focus is None or focus.state is not State.UNTRUSTED or focus.covers_host:
        return None
    return focus


@rule(Tier.MASK, Outcome.CAPTIVE_PORTAL, confidence=Confidence.LIKELY, asks=_ASKS)
def one_leaf_for_all_hosts(facts: Facts, context: RunContext) -> bool:
    """Unrelated hosts at different addresses all show this one leaf, which names none, and no host is fine.

    A CDN's default certificate is shared as well, but not by everything that is asked; a block page is
    for some names only. Hence: not one trusted host in the run.
    """
    focus = _names_another(facts)
    return (
        focus is not None
        and context.trusted == 0
        and context.hosts_misnamed_by(focus.chain[0].sha256) >= MIN_HOSTS
        and context.addresses_of(focus.chain[0].sha256) > 1
    )


@rule(
    Tier.MASK,
    Outcome.CAPTIVE_PORTAL,
    confidence=Confidence.SUSPECTED,
    asks=(*_ASKS, UndecidedCode.MORE_HOSTS),
)
def one_leaf_for_all_names_here(facts: Facts, context: RunContext) -> bool:
    """At the site's own address every name draws this one leaf, which names none; a clean place gets another.

    Somebody answers in its stead. While hardly anything in the run is fine, a portal is the likeliest.
    """
    focus = _names_another(facts)
    others = [h for h in facts.contrast.benign + facts.contrast.nonsense if h.chain]
    return (
        focus is not None
        and facts.is_forged
        and context.hardly_any_is_fine
        and facts.control.is_genuine
        and facts.address.is_confirmed
        and bool(others)
        and all(h.leaf_sha256 == focus.leaf_sha256 and not h.covers_host for h in others)
    )


@rule(Tier.MASK, Outcome.CAPTIVE_PORTAL, confidence=Confidence.SUSPECTED, asks=_ASKS)
def one_leaf_at_a_given_address(facts: Facts, context: RunContext) -> bool:
    """As for all hosts, but the user sent them all to one address, whose sharing then says nothing.

    Only if harmless or invented names draw the same leaf, too. A neglected server does that as well.
    """
    focus = _names_another(facts)
    others = [h for h in facts.contrast.benign + facts.contrast.nonsense if h.chain]
    return (
        focus is not None
        and context.trusted == 0
        and facts.address.is_given
        and context.hosts_misnamed_by(focus.chain[0].sha256) >= MIN_HOSTS
        and context.addresses_of(focus.chain[0].sha256) == 1
        and bool(others)
        and all(h.leaf_sha256 == focus.leaf_sha256 for h in others)
    )


@rule(Tier.MASK, Outcome.CAPTIVE_PORTAL, confidence=Confidence.SUSPECTED, asks=_ASKS)
def private_address_for_all_hosts(facts: Facts, context: RunContext) -> bool:
    """The resolver sends unrelated hosts to one private address; none is fine, nor is another resolver."""
    focus = _names_another(facts)
    return (
        focus is not None
        and context.trusted == 0
        and facts.address.is_private
        and not facts.resolved.doh_ips
        and context.hosts_misnamed_at(facts.address.ip) >= MIN_HOSTS
        and context.addresses_of(focus.chain[0].sha256) == 1
    )
