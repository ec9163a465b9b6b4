"""Times along an axis: where a moment lies, and which years, months or days are written there. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 6000, 12000, 24000)
"""Months between two marks; a first month of the year is written as its year."""
DAY_STEPS = (1, 2, 7, 14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From `start` at `left` to `end` at `right`, both in units of the canvas."""

    start: datetime
    end: datetime
    left: float
    right: float

    def at(self, moment: datetime) -> float:
        """Where it lies; what is outside lies at the edge."""
        whole = (self.end - self.start).total_seconds() or 1.0
        share = (moment - self.start).total_seconds() / whole
        return self.left + min(max(share, 0.0), 1.0) * (self.right - self.left)

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment <= self.end

    def marks(self, most: int) -> Iterator[tuple[float, str]]:
        """At most `most` round dates with where they lie."""
        days = (self.end - self.start).total_seconds() / 86400
        for step in DAY_STEPS:
            if days / step < most:
                yield from self._days(step)
                return
        step = next((each for each in MONTH_STEPS if days / 30 / each < most), MONTH_STEPS[-1])
        yield from self._months(step)

    def _days(self, step: int) -> Iterator[tuple[float, str]]:
        moment = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        while moment <= self.end:
            if moment >= self.start:
                yield self.at(moment), f"{moment:%Y-%m-%d}"
            later = _shifted(moment, timedelta(days=step))
            if later == moment:  # the last day of the calendar
                return
            moment = later

    def _months(self, step: int) -> Iterator[tuple[float, str]]:
        month = (self.start.year * 12 + self.start.month - 1) // step * step
        while (moment := _first_of(month)) is not None and moment <= self.end:
            if moment >= self.start:
                yield self.at(moment), f"{moment.year:04d}" if moment.month == 1 else f"{moment:%Y-%m}"
            month += step


def _first_of(month: int) -> datetime | None:
    """The first day of a month counted from year 0; None where the calendar ends."""
    year = month // 12
    return datetime(year, month % 12 + 1, 1, tzinfo=UTC) if 1 <= year <= 9999 else None


def around(moments: list[datetime], *, room: float = 0.04) -> tuple[datetime, datetime]:
    """The first and last of them with some room on both sides, one day at least. Never empty."""
    first, last = min(moments), max(moments)
    pad = max((last - first) * room, timedelta(hours=12))
    return _shifted(first, -pad), _shifted(last, pad)


def _shifted(moment: datetime, by: timedelta) -> datetime:
    """A certificate may say year 1 or 9999, beyond which there is no time."""
    try:
        return moment + by
    except OverflowError:
        return moment
