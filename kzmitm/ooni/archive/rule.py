"""What a rule of the archive is, and the decorator that makes one."""

from collections.abc import Callable
from dataclasses import dataclass

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.ooni.archive.cases import Case

Predicate = Callable[[Case], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """`id` is public, `archive.` and the function's name: never renamed, never reused."""

    id: str
    outcome: Outcome | None
    confidence: Confidence | None
    asks: tuple[str, ...]
    holds: Predicate


RULES: list[Rule] = []
"""In the order in which they are asked."""


def rule(
    outcome: Outcome | None, confidence: Confidence | None = None, *, asks: tuple[str, ...] = ()
) -> Callable[[Predicate], Predicate]:
    """Add a rule behind those above it."""

    def add(holds: Predicate) -> Predicate:
        RULES.append(Rule(f"archive.{holds.__name__}", outcome, confidence, asks, holds))
        return holds

    return add
