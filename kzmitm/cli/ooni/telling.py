"""What a fetch found and did: for people, and as a document (kzmitm.fetch/1.0)."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kzmitm.cli.ooni.fetching import Fetched, State, Window
from kzmitm.cli.ooni.lookups import Single
from kzmitm.cli.ooni.options import size_text
from kzmitm.ooni.candidates import Candidate
from kzmitm.report.language import _, ngettext
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless

SCHEMA = "kzmitm.fetch/1.0"
MAX_TOLD = 20
"""Failures and candidates that are told one by one; the document has all."""


@dataclass(slots=True, kw_only=True)
class Report:
    """All that is known of a fetch."""

    folder: Path
    window: Window | None
    dry_run: bool
    complete: bool = True
    """False if the user stopped it."""
    files: list[Fetched] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    """Prefixes and days of which nothing, or not everything, is known, and why."""
    passed_over: int = 0
    measurements: list[Single] = field(default_factory=list)
    candidates: list[Candidate] | None = None

    @property
    def is_whole(self) -> bool:
        """True if everything is known and here, or was only to be shown."""
        states = {each.state for each in self.files} | {each.state for each in self.measurements}
        left = State.LEFT in states and not self.dry_run
        return self.complete and not self.unknown and State.FAILED not in states and not left

    def lines(self) -> Iterator[Line]:
        """For people; sums last, so that they are seen."""
        if self.candidates is not None:
            yield from _candidate_lines(self.candidates)
        if self.dry_run:
            yield from (Line(f"{each.size:>12}  {harmless(each.key, 1024)}") for each in self.files)
        yield from _failure_lines(self)
        if self.files or (self.candidates is None and not self.measurements):
            yield _sum_line(_("files"), ((each.state, each.size) for each in self.files))
        if self.measurements:
            yield _sum_line(_("measurements"), ((each.state, 0) for each in self.measurements))
        if self.passed_over:
            yield Line(
                ngettext(
                    "{count} other file of the archive was passed over",
                    "{count} other files of the archive were passed over",
                    self.passed_over,
                ).format(count=self.passed_over)
            )

    def document(self) -> dict[str, Any]:
        """For programs."""
        window = self.window
        return {
            "schema": SCHEMA,
            "version": "1.0",
            "dest": str(self.folder),
            "cc": window.cc if window else None,
            "tests": list(window.tests) if window else [],
            "since": window.since.isoformat() if window else None,
            "until": window.until.isoformat() if window else None,
            "dry_run": self.dry_run,
            "complete": self.is_whole,
            "files": [
                {"key": e.key, "size": e.size, "state": e.state, "reason": e.reason} for e in self.files
            ],
            "measurements": [
                {"uid": e.uid, "path": str(e.path), "state": e.state, "reason": e.reason}
                for e in self.measurements
            ],
            "candidates": None if self.candidates is None else list(map(candidate_row, self.candidates)),
            "unknown": [{"what": what, "reason": reason} for what, reason in self.unknown.items()],
        }


def candidate_row(candidate: Candidate) -> dict[str, Any]:
    """A candidate as an object."""
    return {"measurement_uid": candidate.uid, "reasons": list(candidate.reasons), "row": dict(candidate.row)}


def candidate_octets(found: Iterable[Candidate]) -> Iterator[bytes]:
    """JSON Lines, in ASCII."""
    for each in found:
        yield json.dumps(candidate_row(each), sort_keys=True).encode() + b"\n"


def _sum_line(what: str, states: Iterable[tuple[State, int]]) -> Line:
    count: Counter[State] = Counter()
    size: Counter[State] = Counter()
    for state, octets in states:
        count[state] += 1
        size[state] += octets
    words = {
        State.FETCHED: _("{count} fetched"),
        State.PRESENT: _("{count} here already"),
        State.FAILED: _("{count} FAILED"),
        State.LEFT: _("{count} not fetched yet"),
    }
    parts = []
    for state, text in words.items():
        if count[state]:
            shown = f" ({size_text(size[state])})" if size[state] else ""
            parts.append(text.format(count=count[state]) + shown)
    return Line(f"{what}: {', '.join(parts) or _('none')}")


def _failure_lines(report: Report) -> Iterator[Line]:
    failed = [(each.key, each.reason) for each in report.files if each.state is State.FAILED]
    failed += [(each.uid, each.reason) for each in report.measurements if each.state is State.FAILED]
    for lead, each in ((_("NOT LISTED: "), list(report.unknown.items())), (_("NOT FETCHED: "), failed)):
        for what, reason in each[:MAX_TOLD]:
            yield Line(f"{harmless(what, 1024)}: {harmless(reason)}", lead=lead, style=Style.WARNING)
        if len(each) > MAX_TOLD:
            yield Line(_("and {count} more").format(count=len(each) - MAX_TOLD), lead=lead)


def _candidate_lines(found: list[Candidate]) -> Iterator[Line]:
    yield Line(_("rows that may show interception (no verdicts): {count}").format(count=len(found)))
    for each in found[:MAX_TOLD]:
        row = each.row
        name = row.get("tls_server_name") or row.get("hostname") or row.get("input") or "?"
        where = f"AS{row.get('probe_asn')}"
        yield Line(f"  {harmless(each.uid)}  {where}  {harmless(str(name), 80)}  {', '.join(each.reasons)}")
    if len(found) > MAX_TOLD:
        yield Line(_("  and {count} more; --out FILE has all").format(count=len(found) - MAX_TOLD))
