"""Files of an archive as documents: JSONL, whole objects, arrays, envelopes, in gzip, Zstandard and tar.

What a file is, its first octets say, never its name: OONI's bucket has tar files called .tar.gz that nobody
compressed. Memory is bounded by the longest line, and lines by MAX_DOCUMENT.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

import msgspec
import zstandard
from isal import igzip_lib

from kzmitm.errors import WordedError
from kzmitm.ooni.archive.tar import DamagedTarError, members

MAX_DOCUMENT = 64 << 20
"""Octets of one measurement. OONI's own limit for a submission is below 20 MiB."""
CHUNK = 256 << 10
"""Octets decompressed at once: what stays in a core's own cache is read again for nothing."""
_READ = 64 << 10
MAX_WINDOW = 128 << 20
"""Octets of a Zstandard window; `zstd --long` writes up to this by default."""
_BOM = b"\xef\xbb\xbf"
_HEAD = 4096
"""Octets by which it is told what a file is, however they came."""
_SPACE = 0x20
YAML = (b"---\n", b"---\r\n", b"####")
"""How reports in YAML begin, some under a box of comments."""
_LZ4 = b"\x04\x22\x4d\x18"
"""Of a frame, as the files of before 2020-10 were packed ("cans")."""
_BLANK = re.compile(rb"\s*\n")
"""Lines without anything, all at once: a small packed file may hold a thousand million of them."""
_END_TEXT = b"the end of the file"
_END = zstandard.ZstdCompressor(write_checksum=True).compress(_END_TEXT)

Chunks = Iterator[bytes]
Documents = Iterator[tuple[str, int, bytes]]
"""Member of a tar file or "", number of the line (from 1), octets."""


class DamagedFileError(WordedError, ValueError):
    """A file ends or breaks in the middle; all before that was given. Says what is wrong."""


class TooLong(bytes):
    """The beginning of a document that is longer than MAX_DOCUMENT; the rest was passed over."""


def documents(file: BinaryIO) -> Documents:
    """Every document of a file in order; raises DamagedFileError where it breaks."""
    head, chunks = _with_head(decompressed(file))
    if head[257:262] == b"ustar":
        yield from _members(chunks)
    else:
        for number, document in _documents(head, chunks):
            yield "", number, document


def _with_head(chunks: Chunks) -> tuple[bytes, Chunks]:
    """The first octets, and all chunks, these among them. What breaks meanwhile does so behind them."""
    head = b""
    try:
        while len(head) < _HEAD and (chunk := next(chunks, b"")):
            head = head + chunk if head else chunk
    except (DamagedFileError, DamagedTarError, OSError) as exc:
        chunks = _raising(exc)
    return head, chain((head,), chunks)


def _raising(exc: Exception) -> Chunks:
    def fail() -> bytes:
        raise exc

    return iter(fail, b"")


def decompressed(file: BinaryIO) -> Chunks:
    """The content of a file in chunks, decompressed if it is compressed; raises DamagedFileError."""
    head = file.read(_READ)
    if head.startswith(b"\x1f\x8b"):
        return _gunzip(head, file)
    if _is_zstd(head):
        return _unzstd(head, file)
    if head.startswith(_LZ4):
        raise DamagedFileError("it is packed with LZ4, which is not read; unpack it with `lz4 -d`")
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
            raise DamagedFileError("the compressed file is damaged: {why}", why=exc) from None
        data = decompressor.unused_data or file.read(_READ)
        if not data.strip(b"\0"):
            data = b""


def _is_zstd(head: bytes) -> bool:
    """A frame, or one that is to be skipped: parallel compressors write such before the first."""
    return head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F)


def _unzstd(head: bytes, file: BinaryIO) -> Chunks:
    """All frames of a Zstandard file (RFC 8878).

    The library takes it for the end where a file was cut off. So a frame of ours is put behind the last one:
    if its text is not what comes last, the frame before it was not whole.
    """
    last = b""
    try:
        reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(
            _Joined(head, file),  # type: ignore[arg-type]
            read_size=_READ,
            read_across_frames=True,
        )
        while chunk := reader.read1(CHUNK):  # `read` would lose what stands before an error
            if last and len(chunk) >= len(_END_TEXT):
                yield last
                last = b""
            last += chunk
    except zstandard.ZstdError as exc:
        if last:
            yield last
        raise DamagedFileError("the compressed file is damaged: {why}", why=exc) from None
    whole = last.removesuffix(_END_TEXT)
    if whole:
        yield whole
    if whole == last:
        raise DamagedFileError("the compressed file ends too early")


class _Joined:
    """A file whose first octets were read already, and behind it a frame of ours."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._parts = chain((head,), iter(lambda: file.read(_READ), b""), (_END,))

    def read(self, size: int) -> bytes:
        assert size >= _READ  # noqa: S101 - so it was told
        return next(self._parts, b"")


def _members(chunks: Chunks) -> Documents:
    """The files in a tar file (a postcan holds one measurement in each)."""
    try:
        for name, content in members(chunks):
            for number, document in _documents(*_with_head(content)):
                yield name, number, document
    except DamagedTarError as exc:
        raise DamagedFileError("the tar file is damaged: {why}", why=exc) from None


def _documents(head: bytes, chunks: Chunks) -> Iterator[tuple[int, bytes]]:
    if head.startswith(YAML):
        yield 1, head  # one complaint, not one for each of its lines
        return
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
    """An array, or an object over several lines; in a file of lines, each but the damaged begins with `{`."""
    text = head.removeprefix(_BOM).lstrip()
    first, newline, rest = text.partition(b"\n")
    if text[:1] == b"[":
        return True
    is_open = text[:1] == b"{" and not first.rstrip().endswith(b"}")
    return is_open and bool(newline) and not rest.lstrip().startswith(b"{")


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
            elif chunk[start] > _SPACE:
                yield from _line(number, [chunk[start:end]], end - start)
            elif blank := _BLANK.match(chunk, start):
                end = blank.end() - 1
                number += chunk.count(b"\n", start, end)
            else:
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
