"""The bar that shows on a terminal how far a scan is, with rich."""

import sys
from types import TracebackType
from typing import Self

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

from kzmitm.cli.progress import Pace
from kzmitm.cli.terminal import console, is_plain, print_line, print_lines
from kzmitm.model.verdict import Outcome
from kzmitm.report.language import _
from kzmitm.report.line import Line
from kzmitm.report.text import counted

ROOM_FOR_A_BAR = 60
"""Columns of a terminal; on a telephone's the numbers, which say more than a bar, would be cut."""


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
