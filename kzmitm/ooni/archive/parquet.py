"""Rows as Parquet, written with little memory: a database that does it costs a worker twice all else."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, repeat
from operator import attrgetter
from typing import IO, Any, Final

from kzmitm.ooni.archive import parquet_format as parquet
from kzmitm.ooni.archive import thrift
from kzmitm.ooni.archive.parquet_format import Kind
from kzmitm.ooni.archive.thrift import Field

_EPOCH: Final = datetime.fromisoformat("1970-01-01")
_MICROSECOND: Final = timedelta(microseconds=1)
_NUMBERS: Final = parquet.KINDS["TIMESTAMP"].plain


def _times(values: Iterable[str]) -> bytes:
    return _NUMBERS((datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND for text in values)


_KINDS: Final = parquet.KINDS | {"TIMESTAMP": replace(parquet.KINDS["TIMESTAMP"], plain=_times)}
"""Times are texts here."""


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: Kind
    is_list: bool
    values: Callable[[Any], Any]

    @property
    def schema(self) -> list[Field]:
        if not self.is_list:
            return [parquet.element(self.name, self.kind)]
        group = {3: thrift.number(parquet.REQUIRED), 4: thrift.text(self.name), 5: thrift.number(1)}
        repeated = {3: thrift.number(parquet.REPEATED), 4: thrift.text("list"), 5: thrift.number(1)}
        element = {1: thrift.number(self.kind.physical), 3: thrift.number(parquet.REQUIRED)}
        return [
            thrift.struct(group | {6: thrift.number(3)}),
            thrift.struct(repeated),
            thrift.struct(element | {4: thrift.text("element")} | self.kind.meaning),
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
    dictionary: int = 0
    pages: bytearray = field(default_factory=bytearray)
    uncompressed: int = 0

    def keep(self, page: parquet.Page) -> None:
        octets, uncompressed = page
        self.pages += octets
        self.uncompressed += uncompressed

    @property
    def extent(self) -> parquet.Extent:
        return parquet.Extent(
            offset=self.offset,
            count=self.count,
            size=len(self.pages),
            uncompressed=self.uncompressed,
            dictionary=self.dictionary,
        )


class Writer:
    """Writes rows (objects with the columns as attributes) into a file; `columns` are types of SQL by name.

    A value may be None, but not a list, and no list is empty.
    """

    def __init__(self, file: IO[bytes], columns: Mapping[str, str]) -> None:
        self.file = file
        self._columns = [_column(name, kind) for name, kind in columns.items()]
        self._groups: list[Field] = []
        self._compress = parquet.compressor()
        self._rows = 0
        self._offset = file.write(parquet.MAGIC)

    def write(self, rows: Sequence[Any]) -> None:
        """Rows as one group; at least one."""
        chunks = [self._write_column(column, rows) for column in self._columns]
        about = [
            parquet.chunk(column.kind, column.path, chunk.extent)
            for column, chunk in zip(self._columns, chunks, strict=True)
        ]
        size = sum(chunk.uncompressed for chunk in chunks)
        self._groups.append(parquet.row_group(about, len(rows), size))
        self._rows += len(rows)

    def close(self) -> None:
        """Write what readers look for at the end, and close the file."""
        schema = [field for column in self._columns for field in column.schema]
        self.file.write(parquet.footer(len(self._columns), schema, self._rows, self._groups))
        self.file.close()

    def _write_column(self, column: _Column, rows: Sequence[Any]) -> _Chunk:
        values = list(map(column.values, rows))
        levels = b""
        if column.is_list:
            firsts = list(chain.from_iterable(chain((0,), repeat(1, len(each) - 1)) for each in values))
            values = list(chain.from_iterable(values))
            levels = parquet.levels(firsts)
        chunk = _Chunk(self._offset, len(values))
        distinct = dict.fromkeys(values)
        if None in distinct:
            levels += parquet.levels([value is not None for value in values])
            values = [value for value in values if value is not None]
            del distinct[None]
        else:
            levels += parquet.levels(len(values))
        self._write_values(chunk, column.kind, levels, values, distinct)
        self.file.write(chunk.pages)
        self._offset += len(chunk.pages)
        return chunk

    def _write_values(
        self,
        chunk: _Chunk,
        kind: Kind,
        levels: bytes,
        values: Sequence[Any],
        distinct: Collection[Hashable],
    ) -> None:
        """By dictionary where that is shorter."""
        if 0 < 2 * len(distinct) <= len(values) and kind.physical != parquet.BOOLEAN:
            chunk.keep(parquet.dictionary_page(kind.plain(distinct), len(distinct), self._compress))
            chunk.dictionary = len(chunk.pages)
            place = dict(zip(distinct, range(len(distinct)), strict=True))
            content = parquet.indexes(list(map(place.__getitem__, values)), len(distinct))
            encoding = parquet.RLE_DICTIONARY
        else:
            content, encoding = kind.plain(values), parquet.PLAIN
        chunk.keep(parquet.data_page(levels + content, chunk.count, encoding, self._compress))
