"""Tar files (POSIX.1-2001 ustar and pax, GNU's long names) from front to end, in bounded memory.

The standard library's `tarfile` takes a damaged header for the end of the file, and believes an extended
header of any length and a sparse file of any size: a small file could fill the memory, or never end.
"""

from collections.abc import Iterator

from kzmitm.errors import WordedError

Chunks = Iterator[bytes]

MAX_EXTENDED = 64 << 10
"""Octets of an extended header that is looked at: it holds a name."""
_BLOCK = 512
_CHUNK = 256 << 10
_FILES = frozenset((b"0", b"\0", b"7"))
_EMPTY = frozenset((b"1", b"2", b"3", b"4", b"5", b"6"))
"""Links, devices, folders and pipes: nothing follows, whatever size they state."""


class DamagedTarError(WordedError, ValueError):
    """The file breaks in the middle; all before that was given. Says what is wrong."""


def members(chunks: Chunks) -> Iterator[tuple[str, Chunks]]:
    """Name and content of every plain file in order; what is not read of a content is passed over."""
    octets = _Octets(chunks)
    name, size, has_ended = "", None, False
    while header := octets.exactly(_BLOCK):
        has_ended = not header.strip(b"\0")
        if has_ended:  # behind the end another tar file may stand, as `cat` makes it
            continue
        stated = _checked_size(header)
        kind = header[156:157]
        if kind in (b"x", b"L"):
            content = octets.content(stated)
            text = b"".join(content) if stated <= MAX_EXTENDED else b""
            found, wide = _pax(text) if kind == b"x" else (_text(text), None)
            name, size = found or name, wide if wide is not None else size
        elif kind == b"S":
            raise DamagedTarError("it has a sparse file")
        else:
            content = octets.content(0 if kind in _EMPTY else stated if size is None else size)
            if kind in _FILES:
                yield name or _name(header), content
            if kind != b"g":
                name, size = "", None
        for _ in content:
            pass
        octets.align()
    if not has_ended:
        raise DamagedTarError("it ends too early")


class _Octets:
    """Chunks, read in pieces of any size."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0
        self._read = 0

    def _some(self, most: int) -> bytes:
        """One to `most` octets, none at the end."""
        while self._at == len(self._chunk):
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._chunk, self._at = chunk, 0
        piece = self._chunk[self._at : self._at + most]
        self._at += len(piece)
        self._read += len(piece)
        return piece

    def exactly(self, size: int) -> bytes:
        """So many octets, none at the end; raises DamagedTarError between."""
        piece = self._some(size)
        while piece and len(piece) < size:
            more = self._some(size - len(piece))
            if not more:
                raise DamagedTarError("it ends in the middle of a header")
            piece += more
        return piece

    def content(self, size: int) -> Chunks:
        """The next `size` octets in chunks; raises DamagedTarError if there are fewer."""
        while size > 0:
            piece = self._some(min(size, _CHUNK))
            if not piece:
                raise DamagedTarError("it ends in the middle of a file")
            size -= len(piece)
            yield piece

    def align(self) -> None:
        """Go on to where the next header begins."""
        for _ in self.content(-self._read % _BLOCK):
            pass


def _checked_size(header: bytes) -> int:
    """The size that a header states, if its own checksum says that it is one."""
    total = sum(header) - sum(header[148:156]) + 8 * 0x20
    if _number(header[148:156]) != total:
        raise DamagedTarError("it has a header that is none")
    return _number(header[124:136])


def _number(field: bytes) -> int:
    """Octal digits, or GNU's binary form for what is larger (its first octet is 0x80)."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b"\0 ")
    if digits.strip(b"01234567"):
        raise DamagedTarError("it has a number that is none")
    return int(digits or b"0", 8)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def _name(header: bytes) -> str:
    """POSIX keeps the beginning of a long name in a field of its own; GNU has other things there."""
    name, prefix = _text(header[:100]), _text(header[345:500])
    return f"{prefix}/{name}" if header[257:263] == b"ustar\0" and prefix else name


def _pax(text: bytes) -> tuple[str, int | None]:
    """The name and the size in an extended header, where they are in it: records `LENGTH KEY=VALUE`."""
    name, size = "", None
    while text:
        digits = text[:8].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        key, _, value = text[len(digits) + 1 : max(length - 1, 0)].partition(b"=")
        if key == b"path":
            name = _text(value)
        elif key == b"size" and value.isdigit() and len(value) < 20:
            size = int(value)
        text = text[length:] if length else b""
    return name, size
