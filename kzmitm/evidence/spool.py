"""The spool of a running scan: rows of scan.json as they come, amendments after them, one a line.

A line is `MARK KEY OUTCOME ROW`: `+` adds a row, `=` replaces the one with the same key, as when the end
of a scan settles what its beginning had to leave open. So the end needs no JSON parsed, and memory only
for the amended keys.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Self

from kzmitm.errors import BundleError
from kzmitm.evidence.medium import Log

MAX_LINE = 1 << 24
"""Octets of a row: 100 certificates with names of 64 KiB each stay below half of it."""

_ADD, _AMEND = b"+", b"="


class SpoolWriter:
    """Appends rows to a log; `row` is canonical JSON, in which a newline cannot stand."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def add(self, key: str, outcome: str, row: bytes) -> None:
        self._log.append(b"%s %s %s %s\n" % (_ADD, key.encode(), outcome.encode(), row))

    def amend(self, key: str, outcome: str, row: bytes) -> None:
        self._log.append(b"%s %s %s %s\n" % (_AMEND, key.encode(), outcome.encode(), row))

    def sync(self) -> None:
        """Wait until all rows would survive a loss of power."""
        self._log.sync()

    def close(self) -> None:
        self._log.close()


@dataclass(frozen=True, slots=True)
class _Line:
    offset: int
    mark: bytes
    key: bytes
    outcome: bytes
    row: bytes


class SpoolReader:
    """The rows that stand in the end. A torn last line is passed over; BundleError for anything else."""

    def __init__(self, file: BinaryIO, *, at_most: int | None = None) -> None:
        """Read from `file`, which is closed with it; `at_most` so many rows."""
        self._file = file
        self._at_most = at_most
        try:
            self._amended = {line.key: line.offset for line in self._lines() if line.mark == _AMEND}
        except BaseException:
            self._file.close()
            raise

    def outcomes(self) -> Counter[str]:
        """How many of the rows that stand have each outcome."""
        return Counter(line.outcome.decode("ascii", "replace") for line in self._standing())

    def rows(self) -> Iterator[bytes]:
        """The rows as written, in the order of their targets."""
        return (line.row for line in self._standing())

    def _standing(self) -> Iterator[_Line]:
        added = (line for line in self._lines() if line.mark == _ADD)
        for line in islice(added, self._at_most):
            offset = self._amended.get(line.key)
            yield line if offset is None else self._line_at(offset)

    def _lines(self) -> Iterator[_Line]:
        offset = 0
        while (line := _read_line(self._file, offset)) is not None:
            yield line
            offset = line.offset + len(line.key) + len(line.outcome) + len(line.row) + _OVERHEAD

    def _line_at(self, offset: int) -> _Line:
        line = _read_line(self._file, offset)
        if line is None:
            raise BundleError("the spool of verdicts shrank while it was read")
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


_OVERHEAD = len("+   \n")


def _read_line(file: BinaryIO, offset: int) -> _Line | None:
    """The line at an offset; None at the end, and for a line without its newline, which a kill tore."""
    file.seek(offset)
    raw = file.readline(MAX_LINE + 1)
    if len(raw) > MAX_LINE:
        raise BundleError("a row of more than {max_line} octets in the spool of verdicts", max_line=MAX_LINE)
    if not raw.endswith(b"\n"):
        return None
    parts = raw[:-1].split(b" ", 3)
    if len(parts) != 4 or parts[0] not in {_ADD, _AMEND}:
        raise BundleError("no row at octet {offset} of the spool of verdicts", offset=offset)
    return _Line(offset, *parts)
