"""Where the verdicts of a running scan go: a bundle, a document in memory, or nowhere."""

import json
import re
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from kzmitm.evidence import layout
from kzmitm.evidence.bundle import BundleWriter
from kzmitm.evidence.json_writer import canonical
from kzmitm.evidence.scan_document import ScanHeader, document_chunks, summary_of, target_row
from kzmitm.model.certificate import Certificate
from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Outcome, Verdict

CHUNK = 1 << 16
"""Characters of a document that are in memory at once."""


class Results(Protocol):
    """Takes the verdicts as they come, then those that the whole run changed, then the end."""

    path: Path | None
    failure: OSError | None
    """Why the rest is not kept: a full disk, most often. What is there is whole."""

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
        self.failure: OSError | None = None
        self._writer = BundleWriter(path, header=header)

    def add(self, measurement: Measurement, verdict: Verdict, **told: Any) -> None:
        self._try(self._writer.add, measurement, verdict, **told)

    def amend(self, measurement: Measurement, verdict: Verdict, **told: Any) -> None:
        self._try(self._writer.amend, measurement, verdict, **told)

    def finish(self, *, finished_at: datetime, complete: bool) -> None:
        self._try(self._writer.finish, finished_at=finished_at, complete=complete)

    def _try(self, write: Callable[..., None], *words: Any, **told: Any) -> None:
        if self.failure is None:
            try:
                write(*words, **told)
            except OSError as exc:
                self.failure = exc

    def print_document(self) -> None:
        """As it stands in the bundle, with the bundle's path, in flat memory; nothing if it has no end."""
        if self.failure is not None:
            return
        missing: str | None = _NO_BUNDLE
        with (self._folder / layout.SCAN.name).open(encoding="utf-8") as file:
            while chunk := file.read(CHUNK):
                if missing is not None and missing in chunk:
                    chunk = chunk.replace(missing, f'"bundle":{json.dumps(str(self._folder))}', 1)
                    missing = None
                _print(chunk)


_NO_BUNDLE = '"bundle":null'
"""Stands right behind schema and version, long before any text of a stranger."""

_NOT_PRINTABLE = re.compile(r"[^\n -~]")


def _print(text: str) -> None:
    sys.stdout.write(_NOT_PRINTABLE.sub(_escape, text))


def _escape(found: re.Match[str]) -> str:
    # Outside of strings JSON is ASCII, so this can only be inside of one.
    return json.dumps(found[0])[1:-1].replace("\x7f", "\\u007f")


class SqueezedRows:
    """Rows in memory, compressed as one stream: they are so alike that a hundredth of the objects remains."""

    def __init__(self) -> None:
        self._squeeze = zlib.compressobj(1)
        self._pieces: list[bytes] = []
        self._replaced: dict[int, bytes] = {}

    def append(self, row: bytes) -> None:
        """Take a row, in which no newline can stand."""
        piece = self._squeeze.compress(row + b"\n")
        if piece:
            self._pieces.append(piece)

    def replace(self, place: int, row: bytes) -> None:
        self._replaced[place] = row

    def __iter__(self) -> Iterator[bytes]:
        """The rows in their order; once, and nothing is appended afterwards."""
        stretch = zlib.decompressobj()
        places = count()
        rest = b""
        for piece in (*self._pieces, self._squeeze.flush()):
            *whole, rest = (rest + stretch.decompress(piece)).split(b"\n")
            for row in whole:
                yield self._replaced.get(next(places), row)


class InMemory:
    """Rows for the document of a scan that is not saved."""

    def __init__(self, header: ScanHeader, *, keeps_rows: bool) -> None:
        self.path: Path | None = None
        self.failure: OSError | None = None
        self._header = header
        self._keeps_rows = keeps_rows
        self._rows = SqueezedRows()
        self._outcomes: list[Outcome] = []
        self._places: dict[int, int] = {}
        self._chunks: Iterable[bytes] = ()

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
            self._places[id(measurement)] = len(self._outcomes)
            row = target_row(measurement, verdict, certificates=certificates, explanation=explanation)
            self._rows.append(canonical(row))
            self._outcomes.append(verdict.outcome)

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
            place = self._places[id(measurement)]
            self._rows.replace(place, canonical(row))
            self._outcomes[place] = verdict.outcome

    def finish(self, *, finished_at: datetime, complete: bool) -> None:
        summary = summary_of(Counter(map(str, self._outcomes)))
        self._chunks = document_chunks(
            self._header.to_json(), self._rows, summary, finished_at=finished_at, complete=complete
        )

    def print_document(self) -> None:
        for chunk in self._chunks:
            _print(chunk.decode())
