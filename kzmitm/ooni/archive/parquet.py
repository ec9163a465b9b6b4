"""Rows as Parquet, written with little memory: a database that does it costs a worker twice all else.

What is written is the plainest of what every reader knows (https://parquet.apache.org/docs/file-format):
pages of version 1 in Zstandard, values by dictionary where that is shorter. No column holds statistics.
"""

import struct
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, repeat
from operator import attrgetter
from typing import IO, Any, Final

import zstandard

MAGIC: Final = b"PAR1"
_LEVEL: Final = 3

# Enumerations of parquet.thrift.
_BOOLEAN, _INT32, _INT64, _BYTE_ARRAY = 0, 1, 2, 6
_REQUIRED, _OPTIONAL, _REPEATED = 0, 1, 2
_PLAIN, _RLE, _RLE_DICTIONARY = 0, 3, 8
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_ZSTD = 6

# Fields in Thrift's compact protocol: the kind, and the octets behind the kind.
Field = tuple[int, bytes]


def _varint(number: int) -> bytes:
    octets = bytearray()
    while number > 127:
        octets.append(number & 127 | 128)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def _number(number: int, kind: int = 5) -> Field:
    return kind, _varint(number << 1)  # zigzag; none of ours is negative


def _long(number: int) -> Field:
    return _number(number, 6)


def _text(text: str) -> Field:
    octets = text.encode()
    return 8, _varint(len(octets)) + octets


def _list(items: Sequence[Field]) -> Field:
    count, kind = len(items), items[0][0]
    head = bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + _varint(count)
    return 9, head + b"".join(octets for _, octets in items)


def _struct(fields: Mapping[int, Field]) -> Field:
    """`fields` by their numbers, rising by less than 16."""
    octets, last = bytearray(), 0
    for number, (kind, content) in fields.items():
        octets.append(number - last << 4 | kind)
        octets += content
        last = number
    return 12, bytes(octets) + b"\0"


_FALSE: Final = (2, b"")
_MICROSECONDS: Final = _struct({8: _struct({1: _FALSE, 2: _struct({2: _struct({})})})})
"""The logical type of a time without a zone, in microseconds."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type of SQL in Parquet: the physical type, what it means there, and how values are written."""

    physical: int
    meaning: dict[int, Field]
    plain: Callable[[Iterable[Any]], bytes]


def _packed(letter: str) -> Callable[[Iterable[Any]], bytes]:
    def pack(values: Iterable[Any]) -> bytes:
        values = tuple(values)
        try:
            return struct.pack(f"<{len(values)}{letter}", *values)
        except struct.error:
            raise ValueError("a number does not fit its column") from None

    return pack


_LENGTH: Final = struct.Struct("<I").pack


def _octets(values: Iterable[bytes]) -> bytes:
    values = list(values)
    return b"".join(chain.from_iterable(zip(map(_LENGTH, map(len, values)), values, strict=True)))


def _texts(values: Iterable[str]) -> bytes:
    return _octets(value.encode("utf-8", "replace") for value in values)


_DIGITS: Final = bytes.maketrans(b"\0\1", b"01")


def _bits(values: Iterable[int]) -> bytes:
    """One bit for each, the first the lowest."""
    digits = bytes(values).translate(_DIGITS)
    return int(digits[::-1] or b"0", 2).to_bytes((len(digits) + 7) // 8, "little")


_EPOCH: Final = datetime.fromisoformat("1970-01-01")
_MICROSECOND: Final = timedelta(microseconds=1)


def _times(values: Iterable[str]) -> bytes:
    return _packed("q")((datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND for text in values)


_UNSIGNED = _packed("I")
_KINDS: Final = {
    "VARCHAR": _Kind(_BYTE_ARRAY, {6: _number(0)}, _texts),
    "BLOB": _Kind(_BYTE_ARRAY, {}, _octets),
    "BOOLEAN": _Kind(_BOOLEAN, {}, _bits),
    "UTINYINT": _Kind(_INT32, {6: _number(11)}, _UNSIGNED),
    "USMALLINT": _Kind(_INT32, {6: _number(12)}, _UNSIGNED),
    "UINTEGER": _Kind(_INT32, {6: _number(13)}, _UNSIGNED),
    "TIMESTAMP": _Kind(_INT64, {10: _MICROSECONDS}, _times),
}


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: _Kind
    is_list: bool
    values: Callable[[Any], Any]

    @property
    def schema(self) -> list[Field]:
        physical = {1: _number(self.kind.physical)}
        if not self.is_list:
            told = {3: _number(_OPTIONAL), 4: _text(self.name)} | self.kind.meaning
            return [_struct(physical | told)]
        return [
            _struct({3: _number(_REQUIRED), 4: _text(self.name), 5: _number(1), 6: _number(3)}),
            _struct({3: _number(_REPEATED), 4: _text("list"), 5: _number(1)}),
            _struct(physical | {3: _number(_REQUIRED), 4: _text("element")} | self.kind.meaning),
        ]

    @property
    def path(self) -> list[str]:
        return [self.name, "list", "element"] if self.is_list else [self.name]


def _column(name: str, kind: str) -> _Column:
    return _Column(name, _KINDS[kind.removesuffix("[]")], kind.endswith("[]"), attrgetter(name))


@dataclass(slots=True)
class _Chunk:
    """A column of a row group as it lies in the file."""

    offset: int
    count: int
    encodings: list[int]
    dictionary: int = 0
    pages: bytearray = field(default_factory=bytearray)
    uncompressed: int = 0


class Writer:
    """Writes rows (objects with the columns as attributes) into a file; `columns` are types of SQL by name.

    A value may be None, but not a list, and no list is empty.
    """

    def __init__(self, file: IO[bytes], columns: Mapping[str, str]) -> None:
        self.file = file
        self._columns = [_column(name, kind) for name, kind in columns.items()]
        self._groups: list[Field] = []
        self._compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        self._rows = 0
        self._offset = file.write(MAGIC)

    def write(self, rows: Sequence[Any]) -> None:
        """Rows as one group; at least one."""
        chunks = [self._write_column(column, rows) for column in self._columns]
        about = [self._about(column, chunk) for column, chunk in zip(self._columns, chunks, strict=True)]
        size = sum(chunk.uncompressed for chunk in chunks)
        self._groups.append(_struct({1: _list(about), 2: _long(size), 3: _long(len(rows))}))
        self._rows += len(rows)

    def close(self) -> None:
        """Write what readers look for at the end, and close the file."""
        schema = [_struct({4: _text("rows"), 5: _number(len(self._columns))})]
        for column in self._columns:
            schema += column.schema
        _, footer = _struct(
            {
                1: _number(1),
                2: _list(schema),
                3: _long(self._rows),
                4: _list(self._groups) if self._groups else (9, b"\x0c"),
                6: _text("kzmitm"),
            }
        )
        self.file.write(footer + len(footer).to_bytes(4, "little") + MAGIC)
        self.file.close()

    def _write_column(self, column: _Column, rows: Sequence[Any]) -> _Chunk:
        values = list(map(column.values, rows))
        if column.is_list:
            firsts = list(chain.from_iterable(chain((0,), repeat(1, len(each) - 1)) for each in values))
            values = list(chain.from_iterable(values))
            levels = _level(_bit_run(firsts)) + _level(_same_run(len(values), 1, 1))
        else:
            levels = b""
        count = len(values)
        distinct = dict.fromkeys(values)
        if None in distinct:
            levels += _level(_bit_run([value is not None for value in values]))
            values = [value for value in values if value is not None]
            del distinct[None]
        elif not column.is_list:
            levels += _level(_same_run(count, 1, 1))
        chunk = _Chunk(self._offset, count, [_RLE, _PLAIN])
        if 0 < 2 * len(distinct) <= len(values) and column.kind.physical != _BOOLEAN:
            about = _struct({1: _number(len(distinct)), 2: _number(_PLAIN)})
            self._page(chunk, column.kind.plain(distinct), {1: _number(_DICTIONARY_PAGE), 7: about})
            chunk.dictionary, chunk.encodings = len(chunk.pages), [_RLE, _PLAIN, _RLE_DICTIONARY]
            self._page(chunk, levels + _indexes(values, distinct), _data_page(count, _RLE_DICTIONARY))
        else:
            self._page(chunk, levels + column.kind.plain(values), _data_page(count, _PLAIN))
        self.file.write(chunk.pages)
        self._offset += len(chunk.pages)
        return chunk

    def _page(self, chunk: _Chunk, content: bytes, about: dict[int, Field]) -> None:
        compressed = self._compress(content)
        sizes = {2: _number(len(content)), 3: _number(len(compressed))}
        _, head = _struct(dict(sorted((about | sizes).items())))
        chunk.pages += head + compressed
        chunk.uncompressed += len(head) + len(content)

    @staticmethod
    def _about(column: _Column, chunk: _Chunk) -> Field:
        about = {
            1: _number(column.kind.physical),
            2: _list([_number(each) for each in chunk.encodings]),
            3: _list([_text(each) for each in column.path]),
            4: _number(_ZSTD),
            5: _long(chunk.count),
            6: _long(chunk.uncompressed),
            7: _long(len(chunk.pages)),
            9: _long(chunk.offset + chunk.dictionary),
        }
        if chunk.dictionary:
            about[11] = _long(chunk.offset)
        return _struct({2: _long(chunk.offset), 3: _struct(about)})


def _data_page(count: int, encoding: int) -> dict[int, Field]:
    about = {1: _number(count), 2: _number(encoding), 3: _number(_RLE), 4: _number(_RLE)}
    return {1: _number(_DATA_PAGE), 5: _struct(about)}


def _level(run: bytes) -> bytes:
    return len(run).to_bytes(4, "little") + run


def _same_run(count: int, value: int, width: int) -> bytes:
    """A number of `width` bits, again and again."""
    return _varint(count << 1) + value.to_bytes((width + 7) // 8, "little")


def _bit_run(bits: Sequence[int]) -> bytes:
    """Numbers of one bit."""
    return _varint((len(bits) + 7) // 8 << 1 | 1) + _bits(bits)


def _indexes(values: Sequence[Hashable], distinct: Collection[Hashable]) -> bytes:
    """Places of values in a dictionary, in whole octets, which compress better than the fewest bits."""
    if len(distinct) == 1:
        return b"\1" + _same_run(len(values), 0, 1)
    place = dict(zip(distinct, range(len(distinct)), strict=True))
    octets, letter = next(
        (octets, letter)
        for octets, letter in ((1, "B"), (2, "H"), (4, "I"))
        if len(distinct) <= 1 << 8 * octets
    )
    groups = (len(values) + 7) // 8
    packed = struct.pack(f"<{len(values)}{letter}", *map(place.__getitem__, values))
    return bytes([8 * octets]) + _varint(groups << 1 | 1) + packed.ljust(groups * 8 * octets, b"\0")
