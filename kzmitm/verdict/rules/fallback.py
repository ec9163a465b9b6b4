"""Nothing decides it: said as inconclusive, which is never clean, with what would decide it."""

from kzmitm.model.verdict import Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import State
from kzmitm.verdict.rule import Tier, rule


@rule(Tier.FALLBACK, Outcome.INCONCLUSIVE)
def untrusted_chain(facts: Facts, _context: RunContext) -> bool:
    """An untrusted chain, and nothing to tell a forger from a broken site (OONI decision rule 5)."""
    return facts.state is State.UNTRUSTED


@rule(Tier.FALLBACK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.WHOLE_CHAIN, UndecidedCode.CONTROL))
def chain_not_whole(facts: Facts, _context: RunContext) -> bool:
    """Certificates of an untrusted chain, or all, were lost on the way to us: they may be what vouches."""
    focus = facts.focus
    if focus is None or not focus.observation.chain_truncated:
        return False
    return focus.state is State.UNTRUSTED or _is_lost(facts)


def _is_lost(facts: Facts) -> bool:
    """A handshake that came to its end, and none of its certificates were kept."""
    focus = facts.focus
    return (
        focus is not None
        and focus.state is State.FAILED
        and focus.observation.chain_truncated
        and focus.observation.failure is None
    )


@rule(Tier.FALLBACK, Outcome.INCONCLUSIVE)
def no_chain(facts: Facts, _context: RunContext) -> bool:
    """The handshake failed, and nothing to tell a filter from a broken site."""
    return facts.state is State.FAILED and not _is_lost(facts)


@rule(Tier.FALLBACK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.REPEAT,))
def cut_after_chain(facts: Facts, _context: RunContext) -> bool:
    """A chain that is fine, and a handshake that broke off before the server proved to hold its key."""
    return facts.state is State.CUT


@rule(Tier.FALLBACK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.REPEAT,))
def nothing_measured(facts: Facts, _context: RunContext) -> bool:
    """No handshake was made: nothing is known, least of all that all is well (OONI decision rule 7)."""
    return facts.focus is None
