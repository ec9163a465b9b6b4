"""The index: all that judging needs of an extract and that no registry, store or rule changes.

It is made once for an extract and a choice of measurements, by SQL and part by part, so that its memory does
not grow with the archive; judging again reads it from one end to the other and runs no query.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Final

from kzmitm.ooni.archive.database import duckdb
from kzmitm.ooni.archive.failures import Kind, kind_of
from kzmitm.ooni.archive.parts import parts_of, read_summary
from kzmitm.ooni.archive.records import (
    FIXED,
    GROUPS,
    HASHES,
    OWN_ROWS,
    PLACES,
    RUNS,
    SITUATIONS,
    VOUCHERS,
    ChainOfSituations,
    CleanName,
    Intermediate,
    OwnMeasurement,
    OwnRow,
    PlacesOfSituation,
    RecordWriter,
    SituationRow,
)
from kzmitm.ooni.archive.row_columns import (
    CHOSEN,
    HANDSHAKES,
    MEASUREMENTS,
    PLAIN_COLUMNS,
)
from kzmitm.ooni.archive.sheets import PAGE_ROWS, SheetWriter
from kzmitm.ooni.archive.tables import Choice, all_of, connect, open_extract

MAX_INTERMEDIATES: Final = 512
"""Public intermediates of verified chains, the most frequent first: some hundred sign nearly all leaves."""
DOCUMENTS: Final = 8_192
"""Measurements of a part that are joined to their handshakes at once."""
UNKNOWN_TIME: Final = -(1 << 62)

_SITUATIONS: Final = """
SELECT chain, situation, failure, verified, control, CASE WHEN in_control >= 0 THEN in_control = 1 END,
       private, name, host, role, CASE WHEN chain <> '' THEN epoch_us(time) END
FROM situations ORDER BY situation
"""
_DERS: Final = """
SELECT k.number, k.chain, list(d.der ORDER BY l.place), arg_max(s.sha256 IS NOT NULL, l.place)
FROM links l JOIN kept_chains k USING (chain) JOIN ders d USING (sha256)
LEFT JOIN (SELECT DISTINCT unnest(certificates) AS sha256 FROM chains JOIN verified_chains USING (chain)) s
  USING (sha256)
GROUP BY k.number, k.chain ORDER BY k.number
"""
_INTERMEDIATES: Final = f"""
WITH issuers AS (
  SELECT unnest(certificates[2:]) AS sha256, first_name, last_name, first_asn, last_asn
  FROM chains JOIN verified_chains USING (chain)
), chosen AS (
  SELECT sha256, count(*) AS n,
         min(first_name) <> max(last_name) OR min(first_asn) <> max(last_asn) AS vouches
  FROM issuers GROUP BY sha256 ORDER BY n DESC, sha256 LIMIT {MAX_INTERMEDIATES}
)
SELECT any_value(k.der), any_value(c.vouches) FROM certificates k JOIN chosen c USING (sha256)
WHERE EXISTS (SELECT 1 FROM kept_chains) GROUP BY sha256 ORDER BY sha256
"""  # noqa: S608
_OPEN: Final = """
CREATE TABLE open AS
SELECT DISTINCT situation, u.asn, CASE WHEN u.sent <> '' THEN u.sent ELSE u.asked END AS host, u.software
FROM unsettled u
JOIN situations s USING (failure, verified, chain, control, in_control, private, role, name, host, day)
WHERE failure IN (SELECT unnest(?::VARCHAR[])) OR (failure = '' AND NOT verified)
"""
_PLACES: Final = "SELECT situation, asn, host, software FROM open ORDER BY ALL"
_RUNS: Final = """
SELECT p.number, doc, source FROM all_measurements m JOIN parts p ON p.path = m.part WHERE own ORDER BY ALL
"""
_HASHES: Final = """
SELECT DISTINCT unnest(certificates) FROM chains
WHERE chain IN (SELECT chain FROM handshakes WHERE failure = '' AND verified AND role = '') ORDER BY ALL
"""
_CLEAN: Final = """
SELECT name, list(DISTINCT asn ORDER BY asn) FROM settled WHERE name IN (SELECT host FROM open)
GROUP BY name ORDER BY name
"""


def write_index(
    folders: Sequence[Path], choice: Choice, known: Iterable[str], place: Path, threads: int = 1
) -> None:
    """Writes the index of the extracts in `folders` into the folder `place`, which is there.

    `known` are the hashes of certificates that a verified chain is judged for nevertheless.
    """
    parts = [part for folder in folders for part in parts_of(folder)]
    with connect(place, threads=threads) as connection:
        is_all = open_extract(connection, folders, choice)
        _write_index(connection, parts, known, place, is_all=is_all)


def _write_index(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[Path],
    known: Iterable[str],
    place: Path,
    *,
    is_all: bool,
) -> None:
    connection.execute("CREATE TABLE known AS SELECT unnest(?::VARCHAR[]) AS sha256", [sorted(known)])
    connection.execute(
        "CREATE TABLE parts AS SELECT unnest(?::VARCHAR[]) AS path, unnest(range(?)) AS number",
        [[str(part) for part in parts], len(parts)],
    )
    connection.execute(_sql("situations.sql"))
    _write(place / SITUATIONS, _chains(connection))
    _write(place / VOUCHERS, (Intermediate(*row) for row in _rows(connection, _INTERMEDIATES)))
    _write(place / PLACES, _places(connection))
    _write(place / f"{PLACES}.clean", (CleanName(*row) for row in _rows(connection, _CLEAN)))
    with (place / HASHES).open("wb") as file:
        for (sha256,) in _rows(connection, _HASHES):
            file.write(bytes.fromhex(sha256))
    _write(place / RUNS, (OwnMeasurement(*row) for row in _rows(connection, _RUNS)))
    connection.execute("DROP TABLE open; DROP TABLE unsettled; DROP TABLE links; DROP TABLE ders")
    if not is_all:
        connection.execute(
            "CREATE TABLE chosen_numbers AS"
            " SELECT p.number AS part, c.doc FROM chosen c JOIN parts p ON p.path = c.part"
        )
    _Rows(connection, place, "" if is_all else CHOSEN).write(parts)


@cache
def _sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text(encoding="utf-8")


def _write(path: Path, records: Iterable[Any]) -> None:
    with path.open("wb") as file:
        writer = RecordWriter(file)
        for record in records:
            writer.write(record)


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, some in memory at a time."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(PAGE_ROWS):
            yield from rows


def _chains(connection: duckdb.DuckDBPyConnection) -> Iterator[ChainOfSituations]:
    kept = _rows(connection, _DERS)
    following = next(kept, None)
    for chain, rows in groupby(_rows(connection, _SITUATIONS), key=lambda row: row[0]):
        found = ChainOfSituations(-1, chain, [], [SituationRow(*row[1:]) for row in rows])
        if following is not None and following[1] == chain:
            found.number, _, found.ders, found.shown_elsewhere = following
            following = next(kept, None)
        yield found


def _places(connection: duckdb.DuckDBPyConnection) -> Iterator[PlacesOfSituation]:
    told = connection.execute("SELECT DISTINCT failure FROM situations").fetchall()
    refused = [failure for (failure,) in told if kind_of(failure) is Kind.CERTIFICATE]
    connection.execute(_OPEN, [refused])
    for situation, rows in groupby(_rows(connection, _PLACES), key=lambda row: row[0]):
        yield PlacesOfSituation(situation, [row[1:] for row in rows])


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


class _Rows:
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
        self, script: str, batch: _Batch, columns: Collection[str] = ()
    ) -> Iterator[Sequence[tuple[Any, ...]]]:
        numbers = {"first": batch.number, "last": batch.number + len(batch.parts) - 1}
        query = _sql(script).format(
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
