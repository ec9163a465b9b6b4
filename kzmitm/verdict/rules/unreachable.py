"""Nothing answers, and nothing says that somebody is behind it."""

from kzmitm.model.verdict import Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import State
from kzmitm.verdict.rule import Tier, rule


def _failed(facts: Facts) -> bool:
    return facts.state is State.FAILED and not facts.is_interrupted


@rule(Tier.CONTRAST, Outcome.UNREACHABLE)
def control_fails_too(facts: Facts, _context: RunContext) -> bool:
    """A clean place gets no chain either: the site is down (OONI: both fail = expected)."""
    nothing = facts.focus is None and bool(facts.tcp_failures)
    repeated = facts.contrast.repeat_is_genuine or facts.contrast.other_hello_is_genuine
    return (_failed(facts) or nothing) and facts.control.has_only_failures and not repeated


@rule(Tier.BASELINE, Outcome.UNREACHABLE, asks=(UndecidedCode.CONTROL,))
def every_name_fails(facts: Facts, _context: RunContext) -> bool:
    """A harmless name fails at this address as well: a dead server, or a hole in the path for big packets."""
    return _failed(facts) and facts.contrast.benign_fails and not facts.resolved.system_lies


@rule(Tier.BASELINE, Outcome.UNREACHABLE, asks=(UndecidedCode.CONTROL,))
def no_connect_answered(facts: Facts, _context: RunContext) -> bool:
    """Every connect was refused or timed out."""
    return facts.focus is None and bool(facts.tcp_failures) and not facts.resolved.system_lies
