"""What somebody who knows both ends would write down of a measurement, and whether a verdict agrees."""

from dataclasses import dataclass, field

STRENGTH = {"": 0, "suspected": 1, "likely": 2, "confirmed": 3}


@dataclass(frozen=True)
class Truth:
    """Somebody intercepted it, or not: `at_least` and `at_most` are strengths, 0 being no interception."""

    at_least: int = 0
    at_most: int = 0
    who: frozenset = frozenset()
    """The authorities that may be named; where it is empty, any but a state's."""
    outcomes: frozenset = frozenset()
    """Those that may be, where it matters which."""

    def fault_of(self, row):
        """Why a verdict disagrees, or ""."""
        hit = row["outcome"] == "interception"
        strength = STRENGTH[row["confidence"] or ""] if hit else 0
        authority = row["authority"] or ""
        if strength < self.at_least:
            return "missed"
        if strength > self.at_most:
            return "false"
        if hit and (authority not in self.who if self.who else row["scope"] == "state"):
            return "attributed wrongly"
        return "wrong" if self.outcomes and row["outcome"] not in self.outcomes else ""


def by(*who, at_least="likely"):
    """Interception by an authority of the registry."""
    return Truth(STRENGTH[at_least], 3, frozenset(who))


def product(*who):
    """A program on the device, or a box of a company: interception of its own, or nothing can be told."""
    return Truth(0, 3, frozenset(who))


INNOCENT = Truth()
CLEAN = Truth(outcomes=frozenset({"clean"}))
CUT_OFF = Truth(outcomes=frozenset({"blocked", "unreachable", "inconclusive"}))
UNDECIDED = Truth(at_most=1)
"""The data cannot decide, so that a suspicion is the most that may be said."""
SOMEBODY = Truth(2, 3)
"""Interception by somebody whom nobody knows."""


@dataclass(frozen=True)
class Situation:
    """One or many measurements of one truth; `real` ones need the certificates of ../shared."""

    id: str
    truth: Truth
    documents: list = field(repr=False)
