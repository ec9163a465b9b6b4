"""How far a long run is: a bar for a terminal, a line now and then for anything else, both on stderr."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from kzmitm.cli.terminal import console, is_plain, print_line, print_lines
from kzmitm.model.verdict import Outcome
from kzmitm.report.language import _, ngettext
from kzmitm.report.line import Line
from kzmitm.report.text import counted

ROOM_FOR_A_BAR = 60
"""Columns of a terminal; on a telephone's the numbers, which say more than a bar, would be cut."""
SPARSE_INTERVAL_S = 10.0
"""Seconds between lines of progress that nobody may be watching."""


class RunProgress(Protocol):
    """What shows the progress of a run; results are printed through it, so that they never collide."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def advance(self, outcome: Outcome) -> None:
        """One more target is done."""

    def show(self, line: Line) -> None:
        """Print a line of the result on stdout."""


def progress(total: int) -> RunProgress:
    """The progress of a run over `total` targets, fit for the streams."""
    return Sparse(total) if is_plain(sys.stderr) else Bar(total)


class Bar:
    """A bar with count, rate and time left."""

    def __init__(self, total: int) -> None:
        # When both streams are the same terminal, one console must own it, or lines and bar overwrite
        # each other.
        self._owner: Console = console(sys.stderr if is_plain(sys.stdout) else sys.stdout)
        self._owner.soft_wrap = False
        columns: tuple[ProgressColumn, ...] = (MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
        if self._owner.width >= ROOM_FOR_A_BAR:
            before = (TextColumn("{task.description}"), BarColumn(bar_width=None))
            columns = (*before, *columns, TimeRemainingColumn())
        self._bar = Progress(
            *columns,
            console=self._owner,
            transient=True,
        )
        self._task: TaskID = self._bar.add_task(_("scanning"), total=total, rate="")
        self._pace = Pace(total)
        self._found = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, outcome: Outcome) -> None:
        self._pace.advance()
        self._found += outcome is Outcome.INTERCEPTION
        found = f"  {counted(self._found, Outcome.INTERCEPTION)}" if self._found else ""
        self._bar.update(self._task, advance=1, rate=self._pace.rate_text() + found)

    def show(self, line: Line) -> None:
        if is_plain(sys.stdout):
            print_lines([line])
        else:
            print_line(line, self._owner)


class Sparse:
    """A line every ten seconds: for logs, and for screen readers, which a moving bar makes useless."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = Pace(total, clock)
        self._said_at = clock()
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def advance(self, outcome: Outcome) -> None:
        del outcome
        self._pace.advance()
        now = self._clock()
        if now - self._said_at >= SPARSE_INTERVAL_S:
            self._said_at = now
            print_lines([Line(self._pace.text())], sys.stderr)

    def show(self, line: Line) -> None:
        print_lines([line])


class Pace:
    """Count, rate and time left."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started_at = clock()
        self._total = total
        self._done = 0

    def advance(self) -> None:
        self._done += 1

    @property
    def rate(self) -> float:
        """Targets per second since the start."""
        return self._done / max(self._clock() - self._started_at, 0.001)

    def rate_text(self) -> str:
        return _("{rate}/s").format(rate=f"{self.rate:.1f}")

    def text(self) -> str:
        """`120 of 1000 targets, 12.0/s, about 73 s left`."""
        left = (self._total - self._done) / self.rate if self._done else 0.0
        return ngettext(
            "{done} of {total} target, {rate}, about {left} left",
            "{done} of {total} targets, {rate}, about {left} left",
            self._total,
        ).format(done=self._done, total=self._total, rate=self.rate_text(), left=duration_text(left))


def duration_text(seconds: float) -> str:
    """A duration as people say it: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return _("{n} s").format(n=f"{seconds:.0f}")
    minutes = round(seconds / 60)
    if minutes < 90:
        return _("{n} min").format(n=minutes)
    return _("{hours} h {minutes} min").format(hours=minutes // 60, minutes=minutes % 60)
