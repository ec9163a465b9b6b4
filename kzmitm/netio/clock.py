"""Time as measurements use it: one wall clock reading at their start, monotonic seconds from there on."""

from dataclasses import dataclass
from datetime import datetime
from time import monotonic


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """A measurement's clock: `started_at` is aware UTC, `zero` the monotonic reading of that moment."""

    started_at: datetime
    zero: float

    def elapsed(self) -> float:
        """Seconds since the start (OONI's `t`), whatever happens to the wall clock meanwhile."""
        return monotonic() - self.zero


def start_stopwatch(started_at: datetime) -> Stopwatch:
    """A stopwatch that runs from now on; `started_at` is what the wall clock shows (aware UTC)."""
    return Stopwatch(started_at, monotonic())
