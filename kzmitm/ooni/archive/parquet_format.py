"""What a Parquet file is made of, as far as we write it: the plainest of what every reader knows.

Pages are of version 1 and in Zstandard, values by dictionary where that is shorter; no column holds
statistics. https://parquet.apache.org/docs/file-format, and `parquet.thrift` of apache/parquet-format.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import msgspec
import zstandard

from kzmitm.ooni.archive import thrift
from kzmitm.ooni.archive.thrift import Field

MAGIC: Final = b"PAR1"
LEVEL: Final = 3
"""Of Zstandard."""
_CREATED_BY: Final = "kzmitm"

# Enumerations of parquet.thrift.
BOOLEAN, INT32, INT64, DOUBLE, BYTE_ARRAY = 0, 1, 2, 5, 6
REQUIRED, OPTIONAL, REPEATED = 0, 1, 2
PLAIN, RLE, RLE_DICTIONARY = 0, 3, 8
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_ZSTD = 6

_MICROSECONDS: Final = thrift.struct(
    {8: thrift.struct({1: thrift.FALSE, 2: thrift.struct({2: thrift.struct({})})})}
)
"""The logical type of a time without a zone, in microseconds."""
_UNSIGNED: Final = {"UTINYINT": 11, "USMALLINT": 12, "UINTEGER": 13}

Compress = Callable[[bytes], bytes]
Page = tuple[bytes, int]
"""A page with its head, and the octets that both have before compression."""


def compressor() -> Compress:
    """One for each thread: it is not to be used by two at once."""
    return zstandard.ZstdCompressor(level=LEVEL).compress


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of SQL in Parquet: the physical type, what it means there, and how values are written."""

    physical: int
    meaning: dict[int, Field]
    plain: Callable[[Iterable[Any]], bytes]


def packed(letter: str) -> Callable[[Iterable[Any]], bytes]:
    """What writes numbers as `struct` does; it raises ValueError for one that does not fit."""

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


def bits(values: Iterable[int]) -> bytes:
    """One bit for each, the first the lowest."""
    digits = bytes(values).translate(_DIGITS)
    return int(digits[::-1] or b"0", 2).to_bytes((len(digits) + 7) // 8, "little")


KINDS: Final = {
    "VARCHAR": Kind(BYTE_ARRAY, {6: thrift.number(0)}, _texts),
    "BLOB": Kind(BYTE_ARRAY, {}, _octets),
    "BOOLEAN": Kind(BOOLEAN, {}, bits),
    "DOUBLE": Kind(DOUBLE, {}, packed("d")),
    "TIMESTAMP": Kind(INT64, {10: _MICROSECONDS}, packed("q")),
    **{name: Kind(INT32, {6: thrift.number(number)}, packed("I")) for name, number in _UNSIGNED.items()},
}
"""By their names in SQL; times are microseconds since 1970."""


def element(name: str, kind: Kind) -> Field:
    """Of the schema: a column that may be without value."""
    told = {1: thrift.number(kind.physical), 3: thrift.number(OPTIONAL), 4: thrift.text(name)}
    return thrift.struct(told | kind.meaning)


def data_page(content: bytes, count: int, encoding: int, compress: Compress) -> Page:
    """Levels and values, or their places in a dictionary."""
    levels = thrift.number(RLE)
    told = {1: thrift.number(count), 2: thrift.number(encoding), 3: levels, 4: levels}
    return _page(content, {1: thrift.number(_DATA_PAGE), 5: thrift.struct(told)}, compress)


def dictionary_page(content: bytes, count: int, compress: Compress) -> Page:
    """The values of a dictionary, plain."""
    told = {1: thrift.number(count), 2: thrift.number(PLAIN)}
    return _page(content, {1: thrift.number(_DICTIONARY_PAGE), 7: thrift.struct(told)}, compress)


def _page(content: bytes, told: dict[int, Field], compress: Compress) -> Page:
    compressed = compress(content)
    sizes = {2: thrift.number(len(content)), 3: thrift.number(len(compressed))}
    _, head = thrift.struct(dict(sorted((told | sizes).items())))
    return head + compressed, len(head) + len(content)


def levels(present: Sequence[int] | int) -> bytes:
    """Of values in a column: which are there (1) and which are not (0), or how many if all are there.

    Also of lists: which values begin one (0) and which go on (1).
    """
    if isinstance(present, int):
        run = _same_run(present, 1)
    else:
        run = thrift.varint((len(present) + 7) // 8 << 1 | 1) + bits(present)
    return len(run).to_bytes(4, "little") + run


def _same_run(count: int, value: int) -> bytes:
    """A number of at most 8 bits, again and again."""
    return thrift.varint(count << 1) + bytes((value,))


def indexes(places: Sequence[int], count: int) -> bytes:
    """Places in a dictionary of `count` values, in whole octets, which compress better than few bits."""
    if count <= 1:
        return b"\1" + _same_run(len(places), 0)
    octets, letter = next(each for each in ((1, "B"), (2, "H"), (4, "I")) if count <= 1 << 8 * each[0])
    groups = (len(places) + 7) // 8
    content = struct.pack(f"<{len(places)}{letter}", *places)
    return bytes([8 * octets]) + thrift.varint(groups << 1 | 1) + content.ljust(groups * 8 * octets, b"\0")


class Extent(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Where the pages of a column lie; `dictionary` are the octets of that page, 0 if there is none."""

    offset: int
    count: int
    size: int
    uncompressed: int
    dictionary: int


def chunk(kind: Kind, path: Sequence[str], extent: Extent) -> Field:
    """A column of a row group, as the footer tells of it."""
    encodings = (RLE, PLAIN, RLE_DICTIONARY) if extent.dictionary else (RLE, PLAIN)
    told = {
        1: thrift.number(kind.physical),
        2: thrift.many([thrift.number(each) for each in encodings]),
        3: thrift.many([thrift.text(each) for each in path]),
        4: thrift.number(_ZSTD),
        5: thrift.long(extent.count),
        6: thrift.long(extent.uncompressed),
        7: thrift.long(extent.size),
        9: thrift.long(extent.offset + extent.dictionary),
    }
    if extent.dictionary:
        told[11] = thrift.long(extent.offset)
    return thrift.struct({2: thrift.long(extent.offset), 3: thrift.struct(told)})


def row_group(chunks: Sequence[Field], rows: int, uncompressed: int) -> Field:
    """A group of rows, as the footer tells of it."""
    return thrift.struct({1: thrift.many(chunks), 2: thrift.long(uncompressed), 3: thrift.long(rows)})


def footer(columns: int, schema: Sequence[Field], rows: int, groups: Sequence[Field]) -> bytes:
    """What readers look for at the end of the file; `schema` describes `columns` of them."""
    root = thrift.struct({4: thrift.text("rows"), 5: thrift.number(columns)})
    told: Mapping[int, Field] = {
        1: thrift.number(1),
        2: thrift.many([root, *schema]),
        3: thrift.long(rows),
        4: thrift.many(groups) if groups else thrift.NO_STRUCTS,
        6: thrift.text(_CREATED_BY),
    }
    _, content = thrift.struct(told)
    return content + len(content).to_bytes(4, "little") + MAGIC
