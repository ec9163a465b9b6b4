"""Where the verdicts of a running scan go when they are not saved: a document in memory, or nowhere."""

import json
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Protocol

from kzmitm.evidence.json_writer import canonical
from kzmitm.evidence.scan_document import ScanHeader, document_chunks, frame_of, summary_of, target_row
from kzmitm.model.certificate import Certificate
from kzmitm.model.measurement import Measurement
from kzmitm.model.traits import TraitMatch
from kzmitm.model.verdict import Outcome, Verdict


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
        products: Sequence[TraitMatch] = (),
    ) -> None: ...

    def amend(
        self,
        measurement: Measurement,
        verdict: Verdict,
        *,
        certificates: Sequence[Certificate],
        explanation: str,
        products: Sequence[TraitMatch] = (),
    ) -> None: ...

    def capture_salt(self) -> bytes:
        """What a capture of packets must hold somewhere."""

    def capture(self, octets: bytes) -> None:
        """Keep the packets of the scan's own connections."""

    def finish(self, *, finished_at: datetime, complete: bool) -> None: ...

    def closing_words(self) -> Iterator[str]:
        """Where the result is, and what to do with it."""

    def print_document(self) -> None:
        """The document of the finished scan on stdout."""


_NOT_PRINTABLE = re.compile(r"[^\n -~]")


def print_text(text: str) -> None:
    """A piece of a document on stdout, in ASCII, as names of strangers may steer a terminal."""
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
        products: Sequence[TraitMatch] = (),
    ) -> None:
        del failures  # they are of the measurement, which is not kept
        if self._keeps_rows:
            self._places[id(measurement)] = len(self._outcomes)
            row = target_row(
                measurement, verdict, certificates=certificates, explanation=explanation, products=products
            )
            self._rows.append(canonical(row))
            self._outcomes.append(verdict.outcome)

    def amend(
        self,
        measurement: Measurement,
        verdict: Verdict,
        *,
        certificates: Sequence[Certificate],
        explanation: str,
        products: Sequence[TraitMatch] = (),
    ) -> None:
        if self._keeps_rows:
            row = target_row(
                measurement, verdict, certificates=certificates, explanation=explanation, products=products
            )
            place = self._places[id(measurement)]
            self._rows.replace(place, canonical(row))
            self._outcomes[place] = verdict.outcome

    def finish(self, *, finished_at: datetime, complete: bool) -> None:
        summary = summary_of(Counter(map(str, self._outcomes)))
        frame = frame_of(self._header.to_json(), summary, finished_at=finished_at, complete=complete)
        self._chunks = document_chunks(frame, self._rows)

    def capture_salt(self) -> bytes:
        return b""

    def capture(self, octets: bytes) -> None:
        """Not with a scan that keeps nothing; the options say so."""

    def closing_words(self) -> Iterator[str]:
        return iter(())

    def print_document(self) -> None:
        for chunk in self._chunks:
            print_text(chunk.decode())
