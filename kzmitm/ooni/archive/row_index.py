"""The rows of an index: columns that no judgement changes, and for each row what its verdict depends on."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from kzmitm.ooni.archive.database import duckdb
from kzmitm.ooni.archive.parts import read_summary
from kzmitm.ooni.archive.records import FIXED, GROUPS, OWN_ROWS, OwnRow, RecordWriter
from kzmitm.ooni.archive.row_columns import HANDSHAKES, MEASUREMENTS, PLAIN_COLUMNS
from kzmitm.ooni.archive.sheets import PAGE_ROWS, SheetWriter
from kzmitm.ooni.archive.tables import all_of

DOCUMENTS: Final = 8_192
"""Measurements of a part that are joined to their handshakes at once."""
UNKNOWN_TIME: Final = -(1 << 62)


@cache
def script(name: str) -> str:
    """A file of SQL."""
    return (Path(__file__).parent / "sql" / name).read_text(encoding="utf-8")


_HOST, _NAME = (list(HANDSHAKES)[2:].index(name) for name in ("host", "name"))
"""Places of what a domain is made of, behind number and time."""
_Key = tuple[int, int, int]
"""Of a handshake: situation, chain, time; the last two -1 where they do not matter."""


def _labelled(rule: str, failure: str) -> str:
    """The failure, where the label depends on it."""
    return failure if rule.endswith("_here_only") else ""


_Met = dict[tuple[int, int], list[_Key]]
"""The keys of the handshakes of a measurement, by part and document."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is joined at once: parts from a number on, and of a large one some of its documents."""

    number: int
    parts: Sequence[Path]
    begin: int = 0
    end: int = 1 << 32


def _batches(connection: duckdb.DuckDBPyConnection, parts: Sequence[Path]) -> Iterator[_Batch]:
    """Neighbouring parts together, up to DOCUMENTS; a larger part in pieces of as many."""
    begin, held = 0, 0
    for number, part in enumerate(parts):
        size = int(read_summary(part)["counts"]["measurements"])
        if number > begin and held + size > DOCUMENTS:
            yield _Batch(begin, parts[begin:number])
            begin, held = number, 0
        held += size
        if size > DOCUMENTS:
            yield from _pieces(connection, number, part)
            begin, held = number + 1, 0
    if begin < len(parts):
        yield _Batch(begin, parts[begin:])


def _pieces(connection: duckdb.DuckDBPyConnection, number: int, part: Path) -> Iterator[_Batch]:
    begins = connection.execute(
        f"SELECT doc FROM (SELECT doc, row_number() OVER (ORDER BY doc) AS place"  # noqa: S608
        f" FROM ({all_of('measurements', [part])})) WHERE place % {DOCUMENTS} = 0 ORDER BY doc"
    ).fetchall()
    ends = sorted({doc for (doc,) in begins} | {1 << 32})
    for begin, end in pairwise((0, *ends)):
        yield _Batch(number, [part], begin, end)


class RowIndex:
    """Writes the rows of handshakes and measurements, each with the key that its verdict depends on."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, place: Path, chosen: str) -> None:
        self._connection = connection
        self._chosen = chosen
        self._place = place
        self._own = 0

    def write(self, parts: Sequence[Path]) -> None:
        with (
            (self._place / OWN_ROWS).open("wb") as own,
            (self._place / f"handshakes{FIXED}").open("wb") as handshakes,
            (self._place / f"handshakes{GROUPS}").open("wb") as handshake_groups,
            (self._place / f"measurements{FIXED}").open("wb") as measurements,
            (self._place / f"measurements{GROUPS}").open("wb") as measurement_groups,
        ):
            self._write_own = RecordWriter(own).write
            first = SheetWriter(handshakes, HANDSHAKES, ("verdict", "chain"), plain=PLAIN_COLUMNS)
            second = SheetWriter(measurements, MEASUREMENTS, ("verdict",), plain=PLAIN_COLUMNS)
            groups = RecordWriter(handshake_groups), RecordWriter(measurement_groups)
            for batch in _batches(self._connection, parts):
                met: _Met = {}
                self._handshakes(batch, met, first, groups[0])
                self._measurements(batch, met, second, groups[1])
            for writer, kept in zip((first, second), groups, strict=True):
                for group in writer.end():
                    kept.write(group)

    def _handshakes(self, batch: _Batch, met: _Met, sheet: SheetWriter, kept: RecordWriter) -> None:
        for rows in self._pages("handshakes.sql", batch, ("doc", "uid", "cc", "own")):
            parts, docs, numbers, times, situations, chains, own, *columns = zip(*rows, strict=True)
            keys = []
            for part, doc, n, time, situation, chain, is_own in zip(
                parts, docs, numbers, times, situations, chains, own, strict=True
            ):
                key = (
                    self._own_number(part, doc, n) if is_own else situation,
                    chain if situation or is_own else -1,
                    (UNKNOWN_TIME if time is None else time) if chain >= 0 and (situation or is_own) else -1,
                )
                keys.append(key)
                met.setdefault((part, doc), []).append(key)
            shown = [chain if chain >= 0 else None for chain in chains]
            hosts, names = columns[_HOST], columns[_NAME]
            domains = [name or host for name, host in zip(names, hosts, strict=True)]
            for group in sheet.write([numbers, times, *columns, domains], [keys, shown]):
                kept.write(group)

    def _measurements(self, batch: _Batch, met: _Met, sheet: SheetWriter, kept: RecordWriter) -> None:
        for rows in self._pages("measurements.sql", batch):
            parts, docs, own, rules, failures, *columns = zip(*rows, strict=True)
            keys = [
                (
                    self._own_number(part, doc, -1) if is_own else 0,
                    rule,
                    _labelled(rule, failure),
                    tuple(sorted(met.get((part, doc), ()))),
                )
                for part, doc, is_own, rule, failure in zip(parts, docs, own, rules, failures, strict=True)
            ]
            for group in sheet.write(columns, [keys]):
                kept.write(group)

    def _pages(
        self, name: str, batch: _Batch, columns: Collection[str] = ()
    ) -> Iterator[Sequence[tuple[Any, ...]]]:
        numbers = {"first": batch.number, "last": batch.number + len(batch.parts) - 1}
        query = script(name).format(
            handshakes=all_of("handshakes", batch.parts),
            measurements=all_of("measurements", batch.parts, columns),
            begin=batch.begin,
            end=batch.end,
            chosen=self._chosen.format(**numbers),
            **numbers,
        )
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(query)
            while rows := cursor.fetchmany(PAGE_ROWS):
                yield rows

    def _own_number(self, part: int, doc: int, n: int) -> int:
        """Of a row of ours, below 0: its verdict is its own."""
        self._write_own(OwnRow(part, doc, n))
        self._own += 1
        return -self._own
