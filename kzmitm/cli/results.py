"""Where the verdicts of a running scan go: a bundle, a document in memory, or nowhere."""

import json
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from kzmitm.cli.terminal import print_json
from kzmitm.evidence import layout
from kzmitm.evidence.bundle import BundleWriter
from kzmitm.evidence.scan_document import ScanHeader, document, target_row
from kzmitm.model.certificate import Certificate
from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Verdict

CHUNK = 1 << 16
"""Characters of a document that are in memory at once."""


class Results(Protocol):
    """Takes the verdicts as they come, then those that the whole run changed, then the end."""

    path: Path | None

    def add(
        self,
        measurement: Measurement,
        verdict: Verdict,
        *,
        failures: Sequence[str | None],
        certificates: Sequence[Certificate],
        explanation: str,
    ) -> None: ...

    def amend(
        self,
        measurement: Measurement,
        verdict: Verdict,
        *,
        certificates: Sequence[Certificate],
        explanation: str,
    ) -> None: ...

    def finish(self, *, finished_at: datetime, complete: bool) -> None: ...

    def print_document(self) -> None:
        """The document of the finished scan on stdout."""


class Saved:
    """A bundle on the disk; memory does not grow with it."""

    def __init__(self, path: Path, header: ScanHeader) -> None:
        self.path: Path | None = path
        self._folder = path
        self._writer = BundleWriter(path, header=header)
        self.add = self._writer.add
        self.amend = self._writer.amend

    def finish(self, *, finished_at: datetime, complete: bool) -> None:
        self._writer.finish(finished_at=finished_at, complete=complete)

    def print_document(self) -> None:
        """As it stands in the bundle, with the bundle's path, in flat memory."""
        missing: str | None = _NO_BUNDLE
        with (self._folder / layout.SCAN.name).open(encoding="utf-8") as file:
            while chunk := file.read(CHUNK):
                if missing is not None and missing in chunk:
                    chunk = chunk.replace(missing, f'"bundle":{json.dumps(str(self._folder))}', 1)
                    missing = None
                sys.stdout.write(_NOT_PRINTABLE.sub(_escape, chunk))


_NO_BUNDLE = '"bundle":null'
"""Stands right behind schema and version, long before any text of a stranger."""

_NOT_PRINTABLE = re.compile(r"[^\n -~]")


def _escape(found: re.Match[str]) -> str:
    # Outside of strings JSON is ASCII, so this can only be inside of one.
    return json.dumps(found[0])[1:-1].replace("\x7f", "\\u007f")


class InMemory:
    """Rows for the document of a scan that is not saved."""

    def __init__(self, header: ScanHeader, *, keeps_rows: bool) -> None:
        self.path: Path | None = None
        self._header = header
        self._keeps_rows = keeps_rows
        self._rows: list[dict[str, Any]] = []
        self._places: dict[int, int] = {}
        self._document: dict[str, Any] = {}

    def add(
        self,
        measurement: Measurement,
        verdict: Verdict,
        *,
        failures: Sequence[str | None],
        certificates: Sequence[Certificate],
        explanation: str,
    ) -> None:
        del failures  # they are of the measurement, which is not kept
        if self._keeps_rows:
            self._places[id(measurement)] = len(self._rows)
            self._rows.append(
                target_row(measurement, verdict, certificates=certificates, explanation=explanation)
            )

    def amend(
        self,
        measurement: Measurement,
        verdict: Verdict,
        *,
        certificates: Sequence[Certificate],
        explanation: str,
    ) -> None:
        if self._keeps_rows:
            row = target_row(measurement, verdict, certificates=certificates, explanation=explanation)
            self._rows[self._places[id(measurement)]] = row

    def finish(self, *, finished_at: datetime, complete: bool) -> None:
        self._document = document(
            self._header.to_json(), self._rows, finished_at=finished_at, complete=complete
        )

    def print_document(self) -> None:
        print_json(self._document)
