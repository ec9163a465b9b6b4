"""Rows as Parquet in which some columns can be exchanged without the rows being read or written again.

Where a value depends on a key, as a verdict does on its situation, the pages of a column hold places in a
dictionary of its own, and only that dictionary holds values (https://parquet.apache.org/docs/file-format).
So the pages are made once, with the columns that never change, and a new judgement is new dictionaries.
Two entries of such a dictionary may be equal; readers look entries up by their place alone.
"""

import struct
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import zstandard

from kzmitm.ooni.archive.parquet import MAGIC, Field, _list, _long, _number, _struct, _text, _varint

PAGE_ROWS: Final = 2_048
"""Rows that are in memory at once."""
GROUP_PAGES: Final = 32
"""Pages of a row group; only compressed pages and dictionaries of one are in memory."""
MAX_DICTIONARY: Final = 1 << 13
"""Values of a dictionary beyond which the rest of the column is written plainly."""
_LEVEL: Final = 3
_CREATED_BY: Final = "kzmitm"

# Enumerations of parquet.thrift.
_BOOLEAN, _INT32, _INT64, _DOUBLE, _BYTE_ARRAY = 0, 1, 2, 5, 6
_OPTIONAL = 1
_PLAIN, _RLE, _RLE_DICTIONARY = 0, 3, 8
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_ZSTD = 6
_MICROSECONDS: Final = _struct({8: _struct({1: (2, b""), 2: _struct({2: _struct({})})})})
_UNSIGNED: Final = {"UTINYINT": 11, "USMALLINT": 12, "UINTEGER": 13}
_LENGTH: Final = struct.Struct("<I").pack
_compress: Final = zstandard.ZstdCompressor(level=_LEVEL).compress


def _texts(values: Iterable[str]) -> bytes:
    octets = [value.encode("utf-8", "replace") for value in values]
    return b"".join([part for each in octets for part in (_LENGTH(len(each)), each)])


def _packed(letter: str) -> Callable[[Iterable[float]], bytes]:
    def pack(values: Iterable[float]) -> bytes:
        values = tuple(values)
        return struct.pack(f"<{len(values)}{letter}", *values)

    return pack


def _bits(values: Iterable[int]) -> bytes:
    """One bit for each, the first the lowest."""
    digits = bytes(values).translate(bytes.maketrans(b"\0\1", b"01"))
    return int(digits[::-1] or b"0", 2).to_bytes((len(digits) + 7) // 8, "little")


@dataclass(frozen=True, slots=True)
class _Kind:
    physical: int
    meaning: dict[int, Field]
    plain: Callable[[Iterable[Any]], bytes]


_KINDS: Final = {
    "VARCHAR": _Kind(_BYTE_ARRAY, {6: _number(0)}, _texts),
    "BOOLEAN": _Kind(_BOOLEAN, {}, _bits),
    "DOUBLE": _Kind(_DOUBLE, {}, _packed("d")),
    "TIMESTAMP": _Kind(_INT64, {10: _MICROSECONDS}, _packed("q")),
    **{name: _Kind(_INT32, {6: _number(number)}, _packed("I")) for name, number in _UNSIGNED.items()},
}


class Chunk(msgspec.Struct, array_like=True):
    """A column of a row group as it lies in a file."""

    name: str
    kind: str
    offset: int
    count: int
    size: int
    uncompressed: int
    dictionary: int
    """Octets of the dictionary page; 0 if there is none."""

    def about(self) -> Field:
        encodings = [_RLE, _PLAIN, _RLE_DICTIONARY] if self.dictionary else [_RLE, _PLAIN]
        told = {
            1: _number(_KINDS[self.kind].physical),
            2: _list([_number(each) for each in encodings]),
            3: _list([_text(self.name)]),
            4: _number(_ZSTD),
            5: _long(self.count),
            6: _long(self.uncompressed),
            7: _long(self.size),
            9: _long(self.offset + self.dictionary),
        }
        if self.dictionary:
            told[11] = _long(self.offset)
        return _struct({2: _long(self.offset), 3: _struct(told)})


class Pages(msgspec.Struct, array_like=True):
    """Pages of a column of a row group: of places in `keys`, None being no value; `places` for each row."""

    keys: list[Any]
    pages: bytes
    uncompressed: int
    places: bytes


class Group(msgspec.Struct, array_like=True):
    """A row group: the columns that lie in the file, and the pages of those that can be exchanged."""

    rows: int
    chunks: list[Chunk]
    keyed: dict[str, Pages]


def _page(content: bytes, about: dict[int, Field]) -> tuple[bytes, int]:
    """A page with its head, and the octets that both have before compression."""
    compressed = _compress(content)
    sizes = {2: _number(len(content)), 3: _number(len(compressed))}
    _, head = _struct(dict(sorted((about | sizes).items())))
    return head + compressed, len(head) + len(content)


def _data_page(content: bytes, count: int, encoding: int) -> tuple[bytes, int]:
    about = {1: _number(count), 2: _number(encoding), 3: _number(_RLE), 4: _number(_RLE)}
    return _page(content, {1: _number(_DATA_PAGE), 5: _struct(about)})


def _dictionary_page(kind: _Kind, values: Sequence[Any]) -> tuple[bytes, int]:
    about = _struct({1: _number(len(values)), 2: _number(_PLAIN)})
    return _page(kind.plain(values), {1: _number(_DICTIONARY_PAGE), 7: about})


def _levels(present: Sequence[int] | int) -> bytes:
    """Which values are there (1) and which are not (0), or how many if all are there."""
    if isinstance(present, int):
        run = _varint(present << 1) + b"\1"
    else:
        run = _varint((len(present) + 7) // 8 << 1 | 1) + _bits(present)
    return len(run).to_bytes(4, "little") + run


def _present(values: Sequence[Any], distinct: dict[Any, None] | None) -> tuple[bytes, Sequence[Any]]:
    """The levels of values, and those that are there; None is taken out of `distinct`, if these are known."""
    if None not in (values if distinct is None else distinct):
        return _levels(len(values)), values
    if distinct is not None:
        del distinct[None]
    return _levels([value is not None for value in values]), [value for value in values if value is not None]


def _indexes(places: Sequence[int], count: int) -> bytes:
    """Places in a dictionary of `count` values, in whole octets, which compress better than few bits."""
    if count <= 1:
        return b"\1" + _varint(len(places) << 1) + b"\0"
    octets, letter = next(each for each in ((1, "B"), (2, "H"), (4, "I")) if count <= 1 << 8 * each[0])
    groups = (len(places) + 7) // 8
    packed = struct.pack(f"<{len(places)}{letter}", *places)
    return bytes([8 * octets]) + _varint(groups << 1 | 1) + packed.ljust(groups * 8 * octets, b"\0")


@dataclass(slots=True)
class _Column:
    """A column of the row group that is being written; `places` of what was met is its dictionary."""

    kind: str
    places: dict[Hashable, int] = field(default_factory=dict)
    pages: bytearray = field(default_factory=bytearray)
    uncompressed: int = 0
    is_plain: bool = False

    def add(self, values: Sequence[Any]) -> None:
        count = len(values)
        is_plain = self.is_plain or len(self.places) > MAX_DICTIONARY
        distinct = None if is_plain else dict.fromkeys(values)
        levels, values = _present(values, distinct)
        if distinct:
            found = self._find(values, distinct)
            self._keep(levels + _indexes(found, len(self.places)), count, _RLE_DICTIONARY)
        else:
            self._keep(levels + _KINDS[self.kind].plain(values), count, _PLAIN)

    def add_keys(self, keys: Sequence[Hashable]) -> list[int]:
        """The same for keys, whatever they stand for; returns their places, 0 for none."""
        distinct = dict.fromkeys(keys)
        levels, present = _present(keys, distinct)
        found = self._find(present, distinct)
        self._keep(levels + _indexes(found, len(self.places)), len(keys), _RLE_DICTIONARY)
        if len(found) == len(keys):
            return found
        following = iter(found)
        return [0 if key is None else next(following) for key in keys]

    def _find(self, values: Sequence[Hashable], distinct: Mapping[Hashable, None]) -> list[int]:
        places = self.places
        for value in distinct:
            places.setdefault(value, len(places))
        if len(distinct) == 1:
            return [places[value] for value in distinct] * len(values)
        return list(map(places.__getitem__, values))

    def _keep(self, content: bytes, count: int, encoding: int) -> None:
        page, uncompressed = _data_page(content, count, encoding)
        self.pages += page
        self.uncompressed += uncompressed


class SheetWriter:
    """Writes what never changes into `file`, and yields for each row group what is needed for the rest.

    `fixed` are types of SQL by name; those of `plain` are no dictionary's. `keyed` names the keys of rows.
    """

    def __init__(
        self, file: IO[bytes], fixed: Mapping[str, str], keyed: Sequence[str], *, plain: Iterable[str] = ()
    ) -> None:
        self._file = file
        self._fixed, self._keyed, self._plain = fixed, keyed, frozenset(plain)
        self._offset = file.write(MAGIC)
        self._begin()

    def write(self, columns: Sequence[Sequence[Any]], keys: Sequence[Sequence[Hashable]]) -> Iterator[Group]:
        """A page of rows, column by column; yields a group if it is full."""
        self._rows += len(columns[0])
        self._pages += 1
        for column, values in zip(self._columns, columns, strict=True):
            column.add(values)
        for name, column, values in zip(self._keyed, self._keys, keys, strict=True):
            self._places[name] += _packed("I")(column.add_keys(values))
        if self._pages >= GROUP_PAGES:
            yield from self.end()

    def end(self) -> Iterator[Group]:
        """The group that is not full, if there is one."""
        if not self._rows:
            return
        chunks = [self._write(name, column) for name, column in zip(self._fixed, self._columns, strict=True)]
        keyed = {
            name: Pages(
                list(column.places), bytes(column.pages), column.uncompressed, bytes(self._places[name])
            )
            for name, column in zip(self._keyed, self._keys, strict=True)
        }
        yield Group(self._rows, chunks, keyed)
        self._begin()

    def _begin(self) -> None:
        self._columns = [
            _Column(kind, is_plain=name in self._plain or kind == "BOOLEAN")
            for name, kind in self._fixed.items()
        ]
        self._keys = [_Column("") for _ in self._keyed]
        self._places = {name: bytearray() for name in self._keyed}
        self._rows = self._pages = 0

    def _write(self, name: str, column: _Column) -> Chunk:
        head, uncompressed = b"", column.uncompressed
        if column.places:
            head, more = _dictionary_page(_KINDS[column.kind], tuple(column.places))
            uncompressed += more
        chunk = Chunk(
            name,
            column.kind,
            self._offset,
            self._rows,
            len(head) + len(column.pages),
            uncompressed,
            len(head),
        )
        self._file.write(head)
        self._file.write(column.pages)
        self._offset += chunk.size
        return chunk


class Assembly:
    """Writes the exchanged columns behind the fixed ones, which `file` begins with, and the footer.

    `kinds` are the types of all columns, in the order in which they are to stand.
    """

    def __init__(self, file: IO[bytes], kinds: Mapping[str, str]) -> None:
        self._file = file
        self._order, self._kinds = tuple(kinds), kinds
        self._offset = file.tell()
        self._groups: list[Field] = []
        self._rows = 0

    def add(self, group: Group, columns: Mapping[str, tuple[str, Sequence[Any]]]) -> None:
        """A row group; `columns` has by name the key and, in the order of the keys, the values."""
        chunks = {chunk.name: chunk for chunk in group.chunks}
        for name, (key, values) in columns.items():
            chunks[name] = self._write(name, group, group.keyed[key], values)
        ordered = [chunks[name] for name in self._order]
        size = sum(chunk.uncompressed for chunk in ordered)
        about = _list([chunk.about() for chunk in ordered])
        self._groups.append(_struct({1: about, 2: _long(size), 3: _long(group.rows)}))
        self._rows += group.rows

    def close(self) -> None:
        """Write what readers look for at the end."""
        schema = [_struct({4: _text("rows"), 5: _number(len(self._order))})]
        for name in self._order:
            kind = _KINDS[self._kinds[name]]
            about = {1: _number(kind.physical), 3: _number(_OPTIONAL), 4: _text(name)}
            schema.append(_struct(about | kind.meaning))
        _, footer = _struct(
            {
                1: _number(1),
                2: _list(schema),
                3: _long(self._rows),
                4: _list(self._groups) if self._groups else (9, b"\x0c"),
                6: _text(_CREATED_BY),
            }
        )
        self._file.write(footer + len(footer).to_bytes(4, "little") + MAGIC)

    def _write(self, name: str, group: Group, pages: Pages, values: Sequence[Any]) -> Chunk:
        kind = self._kinds[name]
        if kind == "BOOLEAN":  # has no dictionary
            bits: Sequence[int] = bytes(group.rows)
            if any(values):
                bits = [values[place] for (place,) in struct.iter_unpack("<I", pages.places)]
            content = _levels(group.rows) + _bits(bits)
            head, (body, uncompressed) = b"", _data_page(content, group.rows, _PLAIN)
        else:
            head, uncompressed = _dictionary_page(_KINDS[kind], values or ("" if kind == "VARCHAR" else 0,))
            body, uncompressed = pages.pages, uncompressed + pages.uncompressed
        chunk = Chunk(name, kind, self._offset, group.rows, len(head) + len(body), uncompressed, len(head))
        self._file.write(head)
        self._file.write(body)
        self._offset += chunk.size
        return chunk


def write_sheet(path: Path, kinds: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
    """A file of rows of which nothing is exchanged; times are microseconds since 1970."""
    with path.open("wb") as file:
        writer = SheetWriter(file, kinds, ())
        following = iter(rows)
        groups: list[Group] = []
        while some := list(islice(following, PAGE_ROWS)):
            groups += writer.write(list(zip(*some, strict=True)), ())
        groups += writer.end()
        assembly = Assembly(file, kinds)
        for group in groups:
            assembly.add(group, {})
        assembly.close()
