"""Files of other tools read and judged: what came of each file, and the verdicts in bounded memory."""

import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from kzmitm.cli.judging import chain_of, failures_of, judged_target
from kzmitm.cli.outcomes import Tally
from kzmitm.cli.sources import STDIN
from kzmitm.errors import UsageError
from kzmitm.evidence.json_writer import canonical
from kzmitm.model.certificate import Certificate
from kzmitm.model.target import Vantage
from kzmitm.model.verdict import Outcome, Verdict
from kzmitm.ooni.emit import emit
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import (
    Imported,
    Importer,
    Problem,
    Reading,
    Unknown,
    formats,
    recognised,
)
from kzmitm.report.language import _
from kzmitm.report.text import JudgedTarget
from kzmitm.verdict.handshake import HandshakeFacts
from kzmitm.verdict.judge import MAX_KEPT, Judge
from kzmitm.wording import Wording, reason_of

MAX_TOLD = 10
"""Bad records that are named; the rest is counted."""

MAX_BAD = 100_000
"""Bad records in a row, after which the rest of a file is not looked at: a packed one may have no end."""

MAX_RUNS = 1024
"""Vantages of a file that are listened to at a time; RIPE Atlas has ten thousand, a few kilobytes each."""
MAX_HELD = 4 * MAX_KEPT
"""Verdicts that wait for what else their vantages saw, of all vantages together."""

_OF_OONI = (b'"data_format_version"', b'"probe_asn"', b'"test_keys"', b'"raw_measurement"')
"""One of these stands at the beginning of OONI's own documents (df-000), of all ages and in any envelope."""

AT_ONCE = frozenset({Outcome.CLEAN, Outcome.UNREACHABLE})
"""Outcomes that the rest of the run cannot change."""


@dataclass(slots=True)
class FileReport:
    """What a file held."""

    name: str
    format: str
    imported: int = 0
    problems: int = 0
    nothing: Counter[str] = field(default_factory=Counter)
    """Records without a handshake, by the reason."""
    cannot_know: Counter[Unknown] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Judged:
    """A record with its verdict; `number` counts them from 0."""

    number: int
    record: Imported
    target: JudgedTarget
    certificates: tuple[Certificate, ...]


@dataclass(slots=True)
class _Run:
    """What one vantage saw in one file: only that bears itself out."""

    judge: Judge
    held: dict[int, Judged] = field(default_factory=dict)
    """By identity: the judge keeps these measurements until it has settled them."""


class Conversion:
    """Reads files and judges what is in them; `tell` is called with each verdict once it is final.

    `make_judge` gives a judge for each run, which is what one vantage saw in one file. Of a vantage that was
    silent for long, what it said before is settled already.
    """

    def __init__(
        self,
        make_judge: Callable[[], Judge],
        reading: Reading,
        *,
        now: datetime | None,
        tell: Callable[[Judged], None],
    ) -> None:
        self.files: list[FileReport] = []
        self.tally = Tally()
        self.told: list[Problem] = []
        self.problems = 0
        self.is_whole = True
        """False if the user stopped it."""
        self._make_judge = make_judge
        self._reading = reading
        self._now = now
        self._tell = tell
        self._runs: dict[Vantage, _Run] = {}
        """Of the file that is read; the one that was silent for longest comes first."""
        self._waiting = 0
        """Verdicts that are held."""
        self._count = 0

    def lines(self, paths: list[str], format_name: str | None) -> Iterator[bytes]:
        """Judge everything; yields each measurement as a line of OONI's format.

        Raises UsageError before anything is judged if a file cannot be read or is of no format; for what can
        be opened only once, when its turn comes.
        """
        for path in paths:
            if _opens_twice(path):
                with opened(path) as file:
                    importer_of(Source(file, path), format_name)
        try:
            for path in paths:
                with opened(path) as file:
                    source = Source(file, path)
                    yield from self._read(source, *importer_of(source, format_name))
                self._close_runs()
        except KeyboardInterrupt:
            self.is_whole = False
            self._close_runs()

    def _read(self, source: Source, name: str, importer: Importer) -> Iterator[bytes]:
        report = FileReport(source.name, name)
        self.files.append(report)
        bad = 0
        for record in importer.read(source, self._reading):
            bad = bad + 1 if isinstance(record, Problem) else 0
            if bad > MAX_BAD:
                self._leave(report, source)
                break
            if isinstance(record, Imported):
                report.imported += 1
                report.cannot_know.update(record.cannot_know)
                yield self._take(record, name)
            elif isinstance(record, Problem):
                self._complain(report, record)
            else:
                report.nothing[record.why] += 1
        if not (report.imported or report.problems or report.nothing):
            self._complain(report, Problem(source.name, _("nothing is in it")))

    def _complain(self, report: FileReport, problem: Problem) -> None:
        report.problems += 1
        self.problems += 1
        if len(self.told) < MAX_TOLD:
            self.told.append(problem)

    def _leave(self, report: FileReport, source: Source) -> None:
        """The rest of a file is passed over; that is named in any case."""
        del self.told[MAX_TOLD - 1 :]
        why = Wording("{count} records in a row cannot be used; the rest was passed over", count=MAX_BAD)
        self._complain(report, Problem(source.name, why))

    def _take(self, record: Imported, format_name: str) -> bytes:
        measurement = record.measurement
        run = self._run_of(measurement.vantage)
        facts = run.judge.facts(measurement, self._now or measurement.started_at)
        verdict = run.judge.verdict_of(facts)
        judged = _judged(self._count, record, verdict, run.judge.deciding(facts))
        self._count += 1
        if verdict.outcome not in AT_ONCE and len(run.held) < MAX_KEPT:
            run.held[id(measurement)] = judged
            self._waiting += 1
        else:
            self._show(judged)
        line = emit(
            measurement,
            test_start_time=measurement.started_at,
            failures=failures_of(facts),
            annotations={"imported_from": format_name, "cannot_know": ",".join(record.cannot_know)},
            versions={
                "rules": verdict.rules_version,
                "registry": verdict.registry_version,
                "store": verdict.store_version,
            },
        )
        return canonical(line, floats=True) + b"\n"

    def _run_of(self, vantage: Vantage) -> _Run:
        """The run of a vantage, which becomes the one that spoke last."""
        run = self._runs.pop(vantage, None)
        if run is None:
            run = _Run(self._make_judge())
        while self._runs and (len(self._runs) >= MAX_RUNS or self._waiting >= MAX_HELD):
            self._close_run(next(iter(self._runs)))
        self._runs[vantage] = run
        return run

    def _close_runs(self) -> None:
        while self._runs:
            self._close_run(next(iter(self._runs)))

    def _close_run(self, vantage: Vantage) -> None:
        run = self._runs[vantage]
        for settled in run.judge.settle():
            place = id(settled.facts.measurement)
            held = run.held.get(place)
            if held is not None:  # else Ctrl-C came between the verdict and its being held
                about = run.judge.deciding(settled.facts)
                run.held[place] = _judged(held.number, held.record, settled.verdict, about)
        for place in list(run.held):
            self._waiting -= 1
            self._show(run.held.pop(place))
        del self._runs[vantage]

    def _show(self, judged: Judged) -> None:
        self.tally.add(judged.target)
        self._tell(judged)


def _judged(number: int, record: Imported, verdict: Verdict, about: HandshakeFacts | None) -> Judged:
    return Judged(number, record, judged_target(record.measurement, verdict, about), chain_of(about))


def _opens_twice(path: str) -> bool:
    """False for a pipe, whose content is gone once it was read, and for what is not there."""
    try:
        return path != STDIN and stat.S_ISREG(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return path != STDIN  # opening it says what is wrong


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The file, or stdin for `-`; raises UsageError."""
    if path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        file = open(path, "rb")  # noqa: PTH123, SIM115 - closed below; errors of reading are others
    except (OSError, ValueError) as exc:
        reason = reason_of(exc)
        raise UsageError(
            "{path}: {reason}", hint=_("name a file that can be read"), path=path, reason=reason
        ) from None
    with file:
        yield file


def importer_of(source: Source, format_name: str | None) -> tuple[str, Importer]:
    """The format of a file and its importer, by what is in it unless it is told; raises UsageError."""
    known = formats()
    if format_name is not None:
        return format_name, known[format_name]
    found = recognised(source.head)
    if len(found) == 1:
        return found[0], known[found[0]]
    if source.damage:
        raise UsageError(
            "{name}: {damage}", hint=_("name a file that can be read"), name=source.name, damage=source.damage
        )
    if not found and any(mark in source.head for mark in _OF_OONI):
        raise UsageError(
            "{file}: measurements of OONI",
            hint=_("find the interception in them with `kzmitm ooni analyze`"),
            file=source.name,
        )
    if found:
        message = _("{file}: it could be {formats}").format(file=source.name, formats=", ".join(found))
    else:
        message = _("{file}: not a file that can be read here").format(file=source.name)
    raise UsageError(
        message, hint=_("name its format with --format ({formats})").format(formats=", ".join(known))
    )
