"""Files of an archive as documents: JSONL, whole objects, arrays, envelopes, in gzip, Zstandard and tar.

What a file is, its first octets say, never its name: OONI's bucket has tar files called .tar.gz that nobody
compressed. Memory is bounded by the longest line, and lines by MAX_DOCUMENT.
"""

import tarfile
from collections.abc import Callable, Iterator
from itertools import chain
from typing import BinaryIO

import msgspec
import zstandard
from isal import igzip_lib

MAX_DOCUMENT = 64 << 20
"""Octets of one measurement. OONI's own limit for a submission is below 20 MiB."""
CHUNK = 256 << 10
"""Octets decompressed at once: what stays in a core's own cache is read again for nothing."""
_READ = 64 << 10
MAX_WINDOW = 128 << 20
"""Octets of a Zstandard window; `zstd --long` writes up to this by default."""
_BOM = b"\xef\xbb\xbf"

Chunks = Iterator[bytes]
Documents = Iterator[tuple[str, int, bytes]]
"""Member of a tar file or "", number of the line (from 1), octets."""


class DamagedFileError(ValueError):
    """A file ends or breaks in the middle; all before that was given. Says what is wrong."""


class TooLong(bytes):
    """The beginning of a document that is longer than MAX_DOCUMENT; the rest was passed over."""


def documents(file: BinaryIO) -> Documents:
    """Every document of a file in order; raises DamagedFileError where it breaks."""
    chunks = decompressed(file)
    head = next(chunks, b"")
    chunks = chain((head,), chunks)
    if head[257:262] == b"ustar":
        yield from _members(chunks)
    else:
        for number, document in _documents(head, chunks):
            yield "", number, document


def decompressed(file: BinaryIO) -> Chunks:
    """The content of a file in chunks, decompressed if it is compressed; raises DamagedFileError."""
    head = file.read(_READ)
    if head.startswith(b"\x1f\x8b"):
        return _gunzip(head, file)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return _unzstd(head, file)
    return chain((head,), iter(lambda: file.read(CHUNK), b""))


def _gunzip(data: bytes, file: BinaryIO) -> Chunks:
    """All members of a gzip file (RFC 1952, 2.2); zero octets behind the last are padding."""
    while data:
        decompressor = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        try:
            while not decompressor.eof:
                chunk = decompressor.decompress(data, CHUNK)
                if chunk:
                    yield chunk
                data = file.read(_READ) if decompressor.needs_input and not decompressor.eof else b""
                if not data and decompressor.needs_input and not decompressor.eof:
                    raise DamagedFileError("the compressed file ends too early")
        except igzip_lib.IsalError as exc:  # type: ignore[misc]
            raise DamagedFileError(f"the compressed file is damaged: {exc}") from None
        data = decompressor.unused_data or file.read(_READ)
        if not data.strip(b"\0"):
            data = b""


def _unzstd(head: bytes, file: BinaryIO) -> Chunks:
    """All frames of a Zstandard file (RFC 8878)."""
    try:
        reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(
            _Joined(head, file),  # type: ignore[arg-type]
            read_across_frames=True,
        )
        while chunk := reader.read(CHUNK):
            yield chunk
    except zstandard.ZstdError as exc:
        raise DamagedFileError(f"the compressed file is damaged: {exc}") from None


class _Joined:
    """A file whose first octets were read already."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head = head
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._file.read(size)
        head, self._head = self._head[:size] if size >= 0 else self._head, b""
        return head


class _ChunkFile:
    """Chunks as a file that is read from front to end."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        taken = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(taken) :]
        return taken


def _members(chunks: Chunks) -> Documents:
    """The files in a tar file (a postcan holds one measurement in each)."""
    try:
        with tarfile.open(fileobj=_ChunkFile(chunks), mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is None:
                    continue
                head = content.read(CHUNK)
                rest = chain((head,), iter(_reader(content), b""))
                for number, document in _documents(head, rest):
                    yield member.name, number, document
    except tarfile.TarError as exc:
        raise DamagedFileError(f"the tar file is damaged: {exc}") from None


def _reader(file: BinaryIO | object) -> Callable[[], bytes]:
    return lambda: file.read(CHUNK)  # type: ignore[union-attr]


def _documents(head: bytes, chunks: Chunks) -> Iterator[tuple[int, bytes]]:
    if not _is_whole(head):
        yield from lines(chunks)
        return
    gathered: list[bytes] = []
    size = 0
    for chunk in chunks:
        gathered.append(chunk)
        size += len(chunk)
        if size > MAX_DOCUMENT:
            break
    parts = _parts(b"".join(gathered)) if size <= MAX_DOCUMENT else None
    # Neither one object nor a list of them: a file of lines, the first of which is damaged.
    yield from lines(chain(gathered, chunks)) if parts is None else ((1, part) for part in parts)


def _is_whole(head: bytes) -> bool:
    """An array, or an object over several lines."""
    text = head.removeprefix(_BOM).lstrip()
    first, newline, _ = text.partition(b"\n")
    return text[:1] == b"[" or (bool(newline) and not first.rstrip().endswith(b"}"))


_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_RAW = msgspec.json.Decoder(msgspec.Raw)


def _parts(text: bytes) -> list[bytes] | None:
    text = text.removeprefix(_BOM).strip()
    try:
        if text[:1] == b"[":
            return [bytes(each) for each in _RAWS.decode(text)]
        return [bytes(_RAW.decode(text))]
    except (msgspec.DecodeError, RecursionError):
        return None


def lines(chunks: Chunks) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers."""
    number, size = 1, 0
    pending: list[bytes] = []
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:  # ten times as fast as `split`
            if pending:
                pending.append(chunk[start:end])
                yield from _line(number, pending, size + end - start)
                pending, size = [], 0
            elif end > start:
                yield from _line(number, [chunk[start:end]], end - start)
            start = end + 1
            number += 1
        if size <= MAX_DOCUMENT:
            pending.append(chunk[start:])
        size += len(chunk) - start
    yield from _line(number, pending or [b""], size)


def _line(number: int, pending: list[bytes], size: int) -> Iterator[tuple[int, bytes]]:
    line = pending[0] if len(pending) == 1 else b"".join(pending)
    if number == 1:
        line = line.removeprefix(_BOM)
    if line and not line.isspace():
        yield number, TooLong(line[:80]) if size > MAX_DOCUMENT else line
