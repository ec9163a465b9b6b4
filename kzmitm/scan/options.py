"""What a scan is to do, and how gently."""

from dataclasses import dataclass, field, replace

from kzmitm.model.observation import Split
from kzmitm.netio.pump import Limits
from kzmitm.scan.locating import TraceManner

GENTLE_PAUSE_S = (0.5, 2.5)
"""Seconds between two connections of the default list: about what a person opening pages makes. Connecting
fast to many hosts is itself an incident to some operators (KZ-CERT lists it)."""

GENTLE_ENDPOINT_GAP_S = 2.0
"""Least seconds between two connections to the same endpoint, for follow-ups in a gentle scan."""

STOP_AFTER = 2
"""Independent positives after which the default list has told what it can (`--thorough` goes on)."""


MAX_LOCATED = 3
"""Intercepted targets whose ways are traced: a trace takes a hundred connections, and one box on the way is
found with the first; two more tell whether there are several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """How targets are measured. Times in seconds.

    `pause_s` is the range of the random wait before each connection of a worker. `rate_per_s` bounds all
    connections together. `max_addresses` is per address family. `stop_after` ends the scan after that
    many independent findings of interception; None goes through the whole list.
    """

    limits: Limits = field(default_factory=Limits)
    concurrency: int = 1
    rate_per_s: float | None = None
    pause_s: tuple[float, float] = (0.0, 0.0)
    endpoint_gap_s: float = 0.0
    families: frozenset[int] = frozenset({4, 6})
    max_addresses: int = 1
    profile: str = "small"
    split: Split = Split.NONE
    engine: str = "kzmitm"
    follow_ups: bool = True
    benign_sni: tuple[str, ...] = ()
    control_every: bool = False
    """Ask the second vantage for every target and not only for suspicious ones."""
    stop_after: int | None = None
    locate: TraceManner | None = None
    """How the ways to intercepted targets are traced; None if they are not."""
    software_version: str = ""

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.max_addresses < 1:
            raise ValueError("concurrency and max_addresses must be at least 1")
        if self.rate_per_s is not None and self.rate_per_s <= 0:
            raise ValueError("rate_per_s must be above 0")
        if not 0 <= self.pause_s[0] <= self.pause_s[1]:
            raise ValueError("pause_s must be a range of seconds")
        if not self.families <= {4, 6} or not self.families:
            raise ValueError("families must hold 4, 6 or both")


def gentle(options: ScanOptions) -> ScanOptions:
    """The same, one connection at a time with random pauses, ending early: for the default list."""
    return replace(
        options,
        concurrency=1,
        pause_s=GENTLE_PAUSE_S,
        endpoint_gap_s=GENTLE_ENDPOINT_GAP_S,
        stop_after=STOP_AFTER,
    )
