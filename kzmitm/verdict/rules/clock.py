"""Our own clock is wrong (detection science 3.5 e: half of Chrome's certificate errors are the client's)."""

from kzmitm.model.verdict import Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.rule import Tier, rule


@rule(Tier.MASK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.CLOCK,))
def trusted_at_true_time(facts: Facts, _context: RunContext) -> bool:
    """Independent witnesses tell another time, and at theirs the chain is fine (OONI: probe#1781)."""
    return facts.trusted_at_true_time


@rule(Tier.MASK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.CLOCK,))
def every_host_out_of_time(facts: Facts, context: RunContext) -> bool:
    """Nearly every host of the run fails by time alone, and no witness says that our clock is right.

    Acer et al., CCS 2017: a wrong clock makes *every* host "expired" or "not yet valid".
    """
    return (
        facts.focus is not None
        and facts.focus.fails_by_time_only
        and context.fails_by_time
        and facts.clock_is_off is not False
    )


@rule(Tier.BASELINE, Outcome.INCONCLUSIVE, asks=(UndecidedCode.CLOCK,))
def leaf_from_the_future(facts: Facts, _context: RunContext) -> bool:
    """A public CA's leaf that is not valid yet, and no witness for our clock: CAs backdate, clocks lag."""
    return (
        facts.focus is not None
        and facts.focus.fails_by_time_only
        and facts.focus.is_early
        and facts.clock_is_off is not False
    )
