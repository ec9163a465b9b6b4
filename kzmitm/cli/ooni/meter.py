"""How far a transfer is: a bar for a terminal, a line now and then for anything else, both on stderr."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from kzmitm.cli.ooni.options import size_text
from kzmitm.cli.progress import SPARSE_INTERVAL_S, duration_text
from kzmitm.cli.terminal import console, is_plain, say
from kzmitm.report.language import _


class Meter(Protocol):
    """What shows how much of a total is done."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def advance(self, amount: int) -> None:
        """So much more is done; less, where something is done again."""

    def expect(self, more: int) -> None:
        """The total is larger than was known."""


def meter(title: str, total: int, *, octets: bool) -> Meter:
    """A meter fit for stderr; `octets` says whether sizes or numbers are shown."""
    shown = size_text if octets else str
    return SparseMeter(title, total, shown) if is_plain(sys.stderr) else BarMeter(title, total, shown)


class BarMeter:
    """A bar with amount and time left."""

    def __init__(self, title: str, total: int, shown: Callable[[int], str]) -> None:
        from rich.progress import (  # noqa: PLC0415 (for terminals only, as it takes long to load)
            BarColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        owner = console(sys.stderr)
        owner.soft_wrap = False
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[at]}"),
        )
        self._bar = Progress(*columns, TimeRemainingColumn(), console=owner, transient=True)
        self._done, self._total, self._shown = 0, total, shown
        self._task = self._bar.add_task(title, total=total, at="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, amount: int) -> None:
        self._done += amount
        at = f"{self._shown(self._done)} / {self._shown(self._total)}"
        self._bar.update(self._task, completed=self._done, total=self._total, at=at)

    def expect(self, more: int) -> None:
        self._total += more


class SparseMeter:
    """A line every ten seconds: for logs, and for screen readers, which a moving bar makes useless."""

    def __init__(
        self,
        title: str,
        total: int,
        shown: Callable[[int], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title, self._total, self._shown, self._clock = title, total, shown, clock
        self._done = 0
        self._began_at = self._said_at = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def advance(self, amount: int) -> None:
        self._done += amount
        now = self._clock()
        if now - self._said_at >= SPARSE_INTERVAL_S:
            self._said_at = now
            say(self._text(now))

    def expect(self, more: int) -> None:
        self._total += more

    def _text(self, now: float) -> str:
        left = (self._total - self._done) * (now - self._began_at) / max(self._done, 1)
        return _("{what}: {done} of {total}, about {left} left").format(
            what=self._title,
            done=self._shown(self._done),
            total=self._shown(self._total),
            left=duration_text(max(left, 0.0)),
        )
