"""The server's signature over our nonce does not verify: whoever answered does not hold the leaf's key."""

from kzmitm.model.verdict import Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import State
from kzmitm.verdict.rule import Tier, rule

_ASKS = (UndecidedCode.SECOND_ENGINE, UndecidedCode.REPEAT)


def _trusted_but_for_proof(facts: Facts) -> bool:
    return facts.focus is not None and facts.focus.report is not None and facts.focus.report.trusted


@rule(Tier.ARTEFACT, Outcome.INCONCLUSIVE, asks=_ASKS)
def copied_chain(facts: Facts, _context: RunContext) -> bool:
    """An untrusted chain that somebody replays: chains are public, and prove nothing of who sends them.

    RFC 8446, 4.4.3: the CertificateVerify proves possession. Without it even a known CA proves nothing.
    """
    return facts.state is State.UNPROVEN and not _trusted_but_for_proof(facts)


@rule(Tier.ARTEFACT, Outcome.INCONCLUSIVE, asks=_ASKS)
def genuine_chain_without_its_key(facts: Facts, _context: RunContext) -> bool:
    """A publicly trusted chain, answered by somebody without its key: never clean.

    A browser ends such a handshake with decrypt_error (RFC 8446, 6.2), so no user gets through either.
    """
    return facts.state is State.UNPROVEN and _trusted_but_for_proof(facts)
