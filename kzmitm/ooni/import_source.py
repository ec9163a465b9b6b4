"""The files of other tools as octets: unpacked where they are packed, read once, never whole in memory."""

import io
import zlib
from typing import Any, Protocol

from kzmitm.wording import Wording, reason_of

HEAD = 1 << 16
"""Octets by which a format is told: the first record of each lies within them, or begins with its marks."""
CHUNK = 1 << 16

_GZIP = b"\x1f\x8b\x08"
_GZIP_WBITS = 31


class Readable(Protocol):
    """What a file must do."""

    def read(self, size: int, /) -> bytes | None: ...


class _Nothing:
    def read(self, size: int, /) -> bytes:  # noqa: ARG002 - as files have it
        return b""


class Source(io.RawIOBase):
    """A file that is read once, from its beginning; a `.gz` one is unpacked, whatever its name.

    `head` is its beginning. `damage` says why it ended early, "" if it did not; reading itself never fails.
    """

    def __init__(self, file: Readable, name: str) -> None:
        super().__init__()
        self.name = name
        self.damage = ""
        self._file: Readable = file
        self._packed = b""
        self._unpacker: Any = None
        self._ready = b""
        start = self._octets(len(_GZIP))
        if start == _GZIP:
            self._packed, self._unpacker = start, zlib.decompressobj(_GZIP_WBITS)
        else:
            self._ready = start
        self._fill(HEAD)
        self.head = self._ready

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        octets = self._ready or self._next(len(buffer))
        size = min(len(buffer), len(octets))
        buffer[:size] = octets[:size]
        self._ready = octets[size:]
        return size

    def buffered(self) -> io.BufferedReader:
        """The rest of it, for reading in lines or in exact numbers of octets; to be asked for once."""
        return io.BufferedReader(self, CHUNK)

    def _fill(self, size: int) -> None:
        pieces = [self._ready]
        room = size - len(self._ready)
        while room > 0 and (piece := self._next(room)):
            pieces.append(piece)
            room -= len(piece)
        self._ready = b"".join(pieces)

    def _next(self, size: int) -> bytes:
        """Up to `size` octets more, none at the end."""
        if self._unpacker is None:
            return self._octets(size)
        try:
            return self._unpacked(size)
        except zlib.error:
            self._end(Wording("the rest of the file cannot be unpacked"))
            return b""

    def _unpacked(self, size: int) -> bytes:
        while True:
            if not self._packed:
                self._packed = self._octets(CHUNK)
            if self._unpacker.eof:
                # Packed files may stand behind one another, and padding behind the last.
                if not self._packed.strip(b"\0"):
                    return b""
                self._unpacker = zlib.decompressobj(_GZIP_WBITS)
            elif not self._packed:
                self._end(Wording("the file is cut off"))
                return b""
            piece: bytes = self._unpacker.decompress(self._packed, size)
            self._packed = (
                self._unpacker.unused_data if self._unpacker.eof else self._unpacker.unconsumed_tail
            )
            if piece:
                return piece

    def _octets(self, size: int) -> bytes:
        """That many octets of the file, or all there are: pipes give less at a time."""
        pieces: list[bytes] = []
        while size > 0:
            try:
                piece = self._file.read(size)
            except OSError as exc:
                self._end(Wording("the file cannot be read to its end: {why}", why=reason_of(exc)))
                break
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _end(self, damage: str) -> None:
        self.damage = self.damage or damage
        self._file, self._unpacker, self._packed = _Nothing(), None, b""
