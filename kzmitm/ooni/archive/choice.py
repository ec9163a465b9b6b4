"""Which measurements of an archive are judged."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Choice:
    """Which measurements are judged: from `since` on and before `until`, in a country, in networks."""

    since: date | None = None
    until: date | None = None
    cc: str | None = None
    asns: tuple[int, ...] = ()
