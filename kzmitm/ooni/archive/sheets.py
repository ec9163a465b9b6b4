"""Rows as Parquet in which some columns can be exchanged without the rows being read or written again.

Where a value depends on a key, as a verdict does on its situation, the pages of a column hold places in a
dictionary of its own, and only that dictionary holds values (https://parquet.apache.org/docs/file-format).
So the pages are made once, with the columns that never change, and a new judgement is new dictionaries.
Two entries of such a dictionary may be equal; readers look entries up by their place alone.
"""

import struct
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from kzmitm.ooni.archive import parquet_format as parquet
from kzmitm.ooni.archive.thrift import Field

PAGE_ROWS: Final = 2_048
"""Rows that are in memory at once."""
GROUP_PAGES: Final = 32
"""Pages of a row group; only compressed pages and dictionaries of one are in memory."""
MAX_DICTIONARY: Final = 1 << 13
"""Values of a dictionary beyond which the rest of the column is written plainly."""
_PLACES: Final = parquet.packed("I")


class Chunk(msgspec.Struct, array_like=True):
    """A column of a row group, and where it lies in a file."""

    name: str
    kind: str
    extent: parquet.Extent

    def about(self) -> Field:
        return parquet.chunk(parquet.KINDS[self.kind], [self.name], self.extent)


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


def _present(values: Sequence[Any], distinct: dict[Any, None] | None) -> tuple[bytes, Sequence[Any]]:
    """The levels of values, and those that are there; None is taken out of `distinct`, if these are known."""
    if None not in (values if distinct is None else distinct):
        return parquet.levels(len(values)), values
    if distinct is not None:
        del distinct[None]
    return parquet.levels([value is not None for value in values]), [
        value for value in values if value is not None
    ]


@dataclass(slots=True)
class _Column:
    """A column of the row group that is being written; `places` of what was met is its dictionary."""

    kind: str
    compress: parquet.Compress
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
            self._keep(levels + parquet.indexes(found, len(self.places)), count, parquet.RLE_DICTIONARY)
        else:
            self._keep(levels + parquet.KINDS[self.kind].plain(values), count, parquet.PLAIN)

    def add_keys(self, keys: Sequence[Hashable]) -> list[int]:
        """The same for keys, whatever they stand for; returns their places, 0 for none."""
        distinct = dict.fromkeys(keys)
        levels, present = _present(keys, distinct)
        found = self._find(present, distinct)
        self._keep(levels + parquet.indexes(found, len(self.places)), len(keys), parquet.RLE_DICTIONARY)
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
        page, uncompressed = parquet.data_page(content, count, encoding, self.compress)
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
        self._compress = parquet.compressor()
        self._offset = file.write(parquet.MAGIC)
        self._begin()

    def write(self, columns: Sequence[Sequence[Any]], keys: Sequence[Sequence[Hashable]]) -> Iterator[Group]:
        """A page of rows, column by column; yields a group if it is full."""
        self._rows += len(columns[0])
        self._pages += 1
        for column, values in zip(self._columns, columns, strict=True):
            column.add(values)
        for name, column, values in zip(self._keyed, self._keys, keys, strict=True):
            self._places[name] += _PLACES(column.add_keys(values))
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
            _Column(kind, self._compress, is_plain=name in self._plain or kind == "BOOLEAN")
            for name, kind in self._fixed.items()
        ]
        self._keys = [_Column("", self._compress) for _ in self._keyed]
        self._places = {name: bytearray() for name in self._keyed}
        self._rows = self._pages = 0

    def _write(self, name: str, column: _Column) -> Chunk:
        head, uncompressed = b"", column.uncompressed
        if column.places:
            content = parquet.KINDS[column.kind].plain(column.places)
            head, more = parquet.dictionary_page(content, len(column.places), self._compress)
            uncompressed += more
        extent = parquet.Extent(
            offset=self._offset,
            count=self._rows,
            size=len(head) + len(column.pages),
            uncompressed=uncompressed,
            dictionary=len(head),
        )
        self._file.write(head)
        self._file.write(column.pages)
        self._offset += extent.size
        return Chunk(name, column.kind, extent)


class Assembly:
    """Writes the exchanged columns behind the fixed ones, which `file` begins with, and the footer.

    `kinds` are the types of all columns, in the order in which they are to stand.
    """

    def __init__(self, file: IO[bytes], kinds: Mapping[str, str]) -> None:
        self._file = file
        self._order, self._kinds = tuple(kinds), kinds
        self._compress = parquet.compressor()
        self._offset = file.tell()
        self._groups: list[Field] = []
        self._rows = 0

    def add(self, group: Group, columns: Mapping[str, tuple[str, Sequence[Any]]]) -> None:
        """A row group; `columns` has by name the key and, in the order of the keys, the values."""
        chunks = {chunk.name: chunk for chunk in group.chunks}
        for name, (key, values) in columns.items():
            chunks[name] = self._write(name, group, group.keyed[key], values)
        ordered = [chunks[name] for name in self._order]
        size = sum(chunk.extent.uncompressed for chunk in ordered)
        about = [chunk.about() for chunk in ordered]
        self._groups.append(parquet.row_group(about, group.rows, size))
        self._rows += group.rows

    def close(self) -> None:
        """Write what readers look for at the end."""
        schema = [parquet.element(name, parquet.KINDS[self._kinds[name]]) for name in self._order]
        self._file.write(parquet.footer(len(schema), schema, self._rows, self._groups))

    def _write(self, name: str, group: Group, pages: Pages, values: Sequence[Any]) -> Chunk:
        kind = self._kinds[name]
        if kind == "BOOLEAN":  # has no dictionary
            bits: Sequence[int] = bytes(group.rows)
            if any(values):
                bits = [values[place] for (place,) in struct.iter_unpack("<I", pages.places)]
            content = parquet.levels(group.rows) + parquet.bits(bits)
            page = parquet.data_page(content, group.rows, parquet.PLAIN, self._compress)
            head, (body, uncompressed) = b"", page
        else:
            values = values or ("" if kind == "VARCHAR" else 0,)
            content = parquet.KINDS[kind].plain(values)
            head, uncompressed = parquet.dictionary_page(content, len(values), self._compress)
            body, uncompressed = pages.pages, uncompressed + pages.uncompressed
        extent = parquet.Extent(
            offset=self._offset,
            count=group.rows,
            size=len(head) + len(body),
            uncompressed=uncompressed,
            dictionary=len(head),
        )
        self._file.write(head)
        self._file.write(body)
        self._offset += extent.size
        return Chunk(name, kind, extent)


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
