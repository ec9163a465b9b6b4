"""What a rule is, and the decorator that makes one. A new rule is a function in a file of `rules/`."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts

Predicate = Callable[[Facts, RunContext], bool]


class Tier(IntEnum):
    """Which rules outvote which: the highest tier that fired decides, in whatever order they ran."""

    FALLBACK = 1
    """Nothing better is known."""
    BASELINE = 2
    """What one handshake says by itself."""
    CONTRAST = 3
    """What changes when name, address, hello, place or host are changed."""
    MASK = 4
    """An innocent cause that makes a contrast worthless: address, portal, clock, the site's doing."""
    ARTEFACT = 5
    """A key decides: nothing else can outvote it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A named predicate; `id` is `theme.snake_name` and public: never renamed, never reused."""

    id: str
    tier: Tier
    outcome: Outcome
    confidence: Confidence | None
    asks: tuple[UndecidedCode, ...]
    """What would decide it, beside what the engine asks for anyway."""
    predicate: Predicate


def rule(
    tier: Tier,
    outcome: Outcome,
    *,
    confidence: Confidence | None = None,
    asks: tuple[UndecidedCode, ...] = (),
) -> Callable[[Predicate], Rule]:
    """Make a rule of a predicate; its theme is the module it stands in, its name the function's."""

    def decorate(predicate: Predicate) -> Rule:
        theme = predicate.__module__.rpartition(".")[2]
        return Rule(f"{theme}.{predicate.__name__}", tier, outcome, confidence, asks, predicate)

    return decorate
