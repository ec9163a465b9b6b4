"""When rounds begin: by the clock for the first, and by the time that passed for those after it.

Somebody sets the clock, or it is wrong after a start without a network. A round that named a day begins by
the clock as it is then; but between two rounds counts what really passed, for as long as this process has
seen it. After a restart only the log is left to tell: then the clock counts, and nobody waits longer than a
whole pause.
"""

from collections.abc import Callable
from datetime import datetime
from random import Random

from kzmitm.campaign.sections import RoundsPart


class Schedule:
    """The rounds of a campaign in time. `now` is the wall clock, `elapsed` seconds that nobody can set."""

    def __init__(
        self, rounds: RoundsPart, seed: int, *, now: Callable[[], datetime], elapsed: Callable[[], float]
    ) -> None:
        self._rounds = rounds
        self._seed = seed
        self._now = now
        self._elapsed = elapsed
        self._anchor: float | None = None
        """When, by what passed, the first round should have begun; known once a round has begun here."""

    def begun(self, number: int, first: datetime | None) -> None:
        """A round begins now; what comes after it is counted from when it should have."""
        if self._anchor is None:
            self._anchor = self._elapsed() + self._by_clock(number, first) - self._offset(number)

    def left(self, number: int, first: datetime | None) -> float:
        """Seconds until a round begins, 0 or less if it may; `first`: when the first began, None if never."""
        if self._anchor is None:
            return self._by_clock(number, first)
        return self._anchor + self._offset(number) - self._elapsed()

    def _by_clock(self, number: int, first: datetime | None) -> float:
        start = self._rounds.start or first
        if start is None:
            return 0.0
        # Not the moment of the round: a hundred thousand rounds a year apart end behind the calendar.
        left = (start - self._now()).total_seconds() + self._offset(number)
        return left if number == 1 else min(left, self._offset(number) - self._offset(number - 1))

    def _offset(self, number: int) -> float:
        """Seconds from the beginning of the campaign to that of a round."""
        jitter = Random(f"jitter {self._seed} {number}").uniform(0, self._rounds.jitter)  # noqa: S311
        return (number - 1) * self._rounds.every + jitter
