"""What a run of a campaign is given, and whom it tells."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kzmitm.campaign.bundles import Means
from kzmitm.campaign.plan import Job, Share
from kzmitm.scan import Judged, Network, ScanJudge, ScanOptions

WAIT_S = 15.0
"""Seconds until a vantage that is down is tried again."""
ROOM_S = 2.0
"""Seconds between two looks whether a full disk has room again."""


def elapsed() -> float:
    """Seconds that passed since some moment, whatever is done to the clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)  # Linux: counts the sleep of a laptop, too
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Watcher(Protocol):
    """Told what happens; must return quickly and never raise."""

    def on_share(self, share: Share, *, left: int) -> None: ...

    def on_result(self, job: Job, judged: Judged | None) -> None:
        """A job has its result; None for one that its vantage failed."""
        ...

    def on_note(self, share: Share | None, code: str, detail: str = "") -> None:
        """Something that is worth a line: `vantage_down`, `disk_full`, `paused`, `evidence` and the like."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a run is given: networks by vantage, judges, time. `sleep` and `now` are of the caller."""

    networks: Mapping[str, Network]
    judge: Callable[[], ScanJudge]
    """A new judge for each share: its hosts bear each other out, and no others."""
    options: ScanOptions
    now: Callable[[], datetime]
    prove: Callable[[str], Awaitable[str]] | None = None
    """Whether a vantage works and leaves TLS alone: "" or why not."""
    tell: Callable[[Mapping[str, object]], Awaitable[str]] | None = None
    """Tells of an alarm: "" or why that failed."""
    means: Means | None = None
    """What bundles of evidence are made with; None for none."""
    network_of: Callable[[str], str] | None = None
    """The autonomous system of an address, `AS0` where it is not known; None if none is."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    elapsed: Callable[[], float] = elapsed
    """Seconds that nobody can set, those asleep included where the system counts them."""
