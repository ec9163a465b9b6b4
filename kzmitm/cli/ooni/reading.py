"""How far the reading of an archive is, on stderr."""

import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from kzmitm.cli.progress import SPARSE_INTERVAL_S
from kzmitm.cli.terminal import is_plain, say
from kzmitm.ooni.archive.planning import Task
from kzmitm.report.language import _, ngettext
from kzmitm.report.safe import harmless

MAX_NAMED = 10
"""Bad lines that are named on the way; all of them are in the result."""
MAX_NAME = 600
"""Characters of such a line: whoever packed the archive chose the names in it."""


class Reading:
    """Counts tasks that are done, and names documents that could not be read."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._total = sum(task.size for task in tasks)
        self._tasks = len(tasks)
        self._done = self._named = self._bad = self._measurements = self._octets = 0
        self._started = self._said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bad > self._named:
            say(
                ngettext(
                    "{n} more could not be read", "{n} more could not be read", self._bad - self._named
                ).format(n=self._bad - self._named)
            )

    def advance(self, summary: Mapping[str, Any]) -> None:
        """One more task is done."""
        self._done += 1
        self._measurements += summary["counts"]["measurements"]
        self._octets += summary["octets"]
        self._bad += summary["bad"]
        for problem in summary["problems"][: MAX_NAMED - self._named]:
            self._named += 1
            told = _("{source}:{line}: {why}").format(**problem | {"why": _(problem["why"])})
            say(harmless(told, MAX_NAME))
        now = time.monotonic()
        if now - self._said >= (1.0 if not is_plain(sys.stderr) else SPARSE_INTERVAL_S):
            self._said = now
            self._tell(now)

    def _tell(self, now: float) -> None:
        elapsed = now - self._started
        left = elapsed / self._done * (self._tasks - self._done)
        say(
            ngettext(
                "{done} of {tasks} pieces, {n} measurement, {rate:.0f} MB/s, {left:.0f} s left",
                "{done} of {tasks} pieces, {n} measurements, {rate:.0f} MB/s, {left:.0f} s left",
                self._measurements,
            ).format(
                done=self._done,
                tasks=self._tasks,
                n=self._measurements,
                rate=self._octets / elapsed / 1e6,
                left=left,
            )
        )
