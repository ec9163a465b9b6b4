"""What the targets of a scan share: how the world is reached, and the run itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from kzmitm.model.target import Vantage
from kzmitm.netio.overrides import Overrides
from kzmitm.netio.resolve import Resolver
from kzmitm.netio.vantage import VantageLink
from kzmitm.scan.judged import LocalWitness, Pacer, ScanJudge, ScanObserver
from kzmitm.scan.options import ScanOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How the world is reached: the vantage, its resolver, the user's overrides, a second vantage."""

    link: VantageLink
    resolver: Resolver | None = None
    """None only where no name needs resolving; a target that does then has no address."""
    overrides: Overrides = field(default_factory=Overrides)
    control_link: VantageLink | None = None
    labels: Vantage | None = None
    """What results say of the vantage, where more is known than the link says."""


@dataclass(slots=True, kw_only=True)
class Run:
    """What the workers of a scan share."""

    network: Network
    judge: ScanJudge
    options: ScanOptions
    rng: Random
    observer: ScanObserver
    now: Callable[[], datetime]
    pace: Pacer
    witness: LocalWitness | None = None
    has_ipv6: bool = True
    is_stopping: bool = False
    located: int = 0
    """Targets whose ways were traced."""
    faults: list[Exception] = field(default_factory=list)
    """Exceptions of ours, each met with one target."""
    notes: set[str] = field(default_factory=set)

    def note(self, code: str) -> None:
        """Tell the observer, once."""
        if code not in self.notes:
            self.notes.add(code)
            self.observer.on_note(code)
