"""The lines of a share as they are stored, each with its result."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Final

from kzmitm.campaign.compression import bounded_reader, is_damage
from kzmitm.campaign.share_store import LOG, Result, batches
from kzmitm.errors import UsageError

_BLOCK: Final = 1 << 16


def stored_lines(place: Path) -> Iterator[tuple[Result, bytes | None]]:
    """Results that have lines, in their order, with the lines; None where its segment was deleted.

    What lies behind the end that the log knows is passed over. Raises OSError, and UsageError for damage.
    """
    path = place / LOG
    if not path.exists():
        return
    ends = {each.segment: each.end for each in batches(path)}
    with ExitStack() as stack:
        name, lines = "", None
        for batch in batches(path):
            if batch.segment != name:
                name = batch.segment
                stack.close()
                segment = place / name
                lines = _lines(segment, ends[name], stack) if segment.exists() else None
            for result in batch.results:
                if not result.is_failed:
                    yield result, None if lines is None else _next(lines, place / name)


class _Beginning:
    """A file up to an end: what a crash left behind it was never promised, and need not be whole."""

    def __init__(self, file: BinaryIO, end: int) -> None:
        self._file = file
        self._left = end

    def read(self, size: int) -> bytes:
        octets = self._file.read(min(size, self._left))
        self._left -= len(octets)
        return octets


def _lines(segment: Path, end: int, stack: ExitStack) -> Iterator[bytes]:
    file = stack.enter_context(segment.open("rb"))
    reader = stack.enter_context(bounded_reader(_Beginning(file, end)))
    rest = b""
    while block := _read(reader, segment):
        *lines, rest = (rest + block).split(b"\n")
        yield from lines


def _read(reader: Any, segment: Path) -> bytes:
    try:
        return bytes(reader.read(_BLOCK))
    except Exception as exc:
        if is_damage(exc):
            raise UsageError(
                "{segment}: damaged: {why}", hint="restore it from a copy", segment=segment, why=exc
            ) from None
        raise


def _next(lines: Iterator[bytes], segment: Path) -> bytes:
    line = next(lines, None)
    if line is None:
        raise UsageError(
            "{segment}: shorter than its log says", hint="restore it from a copy", segment=segment
        )
    return line
