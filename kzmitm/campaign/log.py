"""An append-only log of JSON records that survives kill and power loss: each line bears a checksum.

What a crash tore off at the end is cut away when the log is opened again. Damage anywhere else is an error:
nobody could tell what is missing. What belongs together is one record, so that all of it is there or none.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zlib import crc32

from kzmitm.errors import UsageError

MAX_LINE = 1 << 20
"""Octets of a record; ours have some thousand."""


class LogDamagedError(UsageError):
    """A record in the middle of a log is not what was written."""


class Log:
    """The log in a file; as a context manager it closes. One process at a time may have it open."""

    def __init__(self, path: Path) -> None:
        """Open it to append, cutting off a torn end; raises OSError, LogDamagedError."""
        self._path = path
        self._size = _whole(path)
        # Without a buffer, which would keep what a full disk did not take, and write it again later.
        self._file = path.open("ab", buffering=0)
        self._cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, record: Mapping[str, Any]) -> None:
        """Write a record and have it on the disk; raises OSError with none of it there."""
        octets = _line(record)
        self._cut()
        write_all(self._file, octets)
        self._size += len(octets)

    def _cut(self) -> None:
        """Cut off what an append that failed left: it would be read as damage once a record follows it."""
        if os.fstat(self._file.fileno()).st_size > self._size:
            self._file.truncate(self._size)


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a log in order; a torn end is passed over. Raises OSError, LogDamagedError."""
    with path.open("rb") as file:
        yield from (record for record, _ in _records(file.read, path))


def read_records(read: Callable[[int], bytes], name: Path) -> Iterator[dict[str, Any]]:
    """The records of a log that `read` gives octets of, as `read_log` does; raises LogDamagedError."""
    yield from (record for record, _ in _records(read, name))


def write_all(file: RawIOBase, octets: bytes) -> None:
    """Append octets to a file without a buffer, and have them on the disk; an OSError leaves a part there."""
    rest = memoryview(octets)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def _whole(path: Path) -> int:
    """Octets of the records that are whole."""
    if not path.exists():
        return 0
    size = 0
    with path.open("rb") as file:
        for _, size in _records(file.read, path):  # noqa: B007 (the last one counts)
            pass
    return size


def _records(read: Any, path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    rest, at, number = b"", 0, 0
    torn: int | None = None
    while chunk := read(1 << 20):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_LINE:
            raise LogDamagedError("{path}: a record is longer than any", path=path)
        for line in lines:
            number += 1
            if torn is not None:
                raise LogDamagedError(
                    "{path}:{torn}: damaged in the middle",
                    hint="restore it from a copy, or begin anew",
                    path=path,
                    torn=torn,
                )
            record = _record(line)
            if record is None:
                torn = number
                continue
            at += len(line) + 1
            yield record, at


def _line(record: Mapping[str, Any]) -> bytes:
    body = json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode()
    return b"%08x %b\n" % (crc32(body), body)


def _record(line: bytes) -> dict[str, Any] | None:
    checksum, _, body = line.partition(b" ")
    try:
        if len(checksum) != 8 or int(checksum, 16) != crc32(body):
            return None
        record = json.loads(body)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
