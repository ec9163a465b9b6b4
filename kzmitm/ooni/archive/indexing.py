"""The index: all that judging needs of an extract and that no registry, store or rule changes.

It is made once for an extract and a choice of measurements, by SQL and part by part, so that its memory does
not grow with the archive; judging again reads it from one end to the other and runs no query.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from kzmitm.ooni.archive.database import duckdb
from kzmitm.ooni.archive.failures import Kind, kind_of
from kzmitm.ooni.archive.parts import parts_of
from kzmitm.ooni.archive.records import (
    HASHES,
    PLACES,
    RUNS,
    SITUATIONS,
    VOUCHERS,
    ChainOfSituations,
    CleanName,
    Intermediate,
    OwnMeasurement,
    PlacesOfSituation,
    RecordWriter,
    SituationRow,
)
from kzmitm.ooni.archive.row_columns import CHOSEN
from kzmitm.ooni.archive.row_index import RowIndex, script
from kzmitm.ooni.archive.sheets import PAGE_ROWS
from kzmitm.ooni.archive.tables import Choice, connect, open_extract

MAX_INTERMEDIATES: Final = 512
"""Public intermediates of verified chains, the most frequent first: some hundred sign nearly all leaves."""

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
    connection.execute(script("situations.sql"))
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
    RowIndex(connection, place, "" if is_all else CHOSEN).write(parts)


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
