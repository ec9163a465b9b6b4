"""Verified in the pinned store for the name that was asked (rules d and g)."""

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.control import anomalies, issuer_of
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import State
from kzmitm.verdict.rule import Tier, rule


@rule(Tier.BASELINE, Outcome.CLEAN)
def for_this_name(facts: Facts, _context: RunContext) -> bool:
    """Time, name and path are fine, and the key signed our nonce.

    Rule d: keys, issuers and serials of a CDN differ by place and day; what verifies is genuine unless
    rule g holds.
    """
    return facts.state is State.TRUSTED


@rule(
    Tier.CONTRAST,
    Outcome.TRUSTED_UNEXPECTED,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.SECOND_NETWORK, UndecidedCode.CONTROL),
)
def unexpected(facts: Facts, _context: RunContext) -> bool:
    """A trusted leaf with a key and an issuer that no control knows, and odd in itself (rule g).

    DigiNotar 2011 and jabber.ru 2023 verified as well. Key and issuer alone are a CDN's daily business, so
    one anomaly more is asked for: not logged, or less than the control negotiates. Never "state"; nor by an
    old control, since when everybody has another key.
    """
    focus, control = facts.focus, facts.control
    if focus is None or focus.state is not State.TRUSTED or not control.is_genuine or control.is_stale:
        return False
    return (
        focus.spki_sha256 not in control.leaf_keys
        and issuer_of(focus.chain[0]) not in control.issuers
        and bool(anomalies(focus, control))
    )
