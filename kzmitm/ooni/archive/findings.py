"""What an analysis leaves: verdicts as Parquet, tables over them, and SQL for whoever wants to know more."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from kzmitm.ooni.archive import certificates
from kzmitm.ooni.archive.database import duckdb
from kzmitm.ooni.archive.judging import Grounds, judge_extract, load
from kzmitm.ooni.archive.own import OWN_COLUMNS, own_verdicts
from kzmitm.ooni.archive.parts import EXTRACT, parts_of, quoted
from kzmitm.ooni.archive.tables import Choice, connect, open_extract

VERDICTS: Final = "verdicts"
TABLES: Final = "tables"

_UNFINISHED: Final = ".unfinished"
_PARQUET: Final = "(FORMAT parquet, COMPRESSION zstd)"

_COPIES: Final = {
    "handshakes": "SELECT * FROM handshake_verdicts",
    "measurements": "SELECT * FROM measurement_verdicts",
    "certificates": "SELECT * FROM certificate_facts",
    "authorities": "SELECT * FROM authority_names",
    "networks": "SELECT * FROM known_networks",
}
_VIEWS: Final = {
    "handshakes": "handshakes",
    "measurements": "measurements",
    "certificates": "certificate_facts",
    "authorities": "authority_names",
    "networks": "known_networks",
}
"""Files of `verdicts` and what they are called in SQL."""

_OWN_RUNS: Final = "SELECT part, doc, source FROM all_measurements WHERE own"

_INTERCEPTIONS: Final = """
CREATE VIEW interceptions AS
SELECT h.*, f.* EXCLUDE (sha256), a.* EXCLUDE (authority) FROM handshakes h
LEFT JOIN certificate_facts f ON f.sha256 = h.certificate LEFT JOIN authority_names a USING (authority)
WHERE h.outcome = 'interception'
"""


def judge_again(
    folder: Path, grounds: Grounds, choice: Choice, *, extracts: Sequence[Path] = (), threads: int = 1
) -> None:
    """Judges the extract in `folder` (or `extracts`) and writes `verdicts` and `tables` into `folder`.

    They appear when they are whole; those of an earlier judgement stay until then.
    """
    place = folder / _UNFINISHED
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        _write_verdicts(place, extracts or (folder / EXTRACT,), grounds, choice, threads)
        _write_tables(place, threads)
        for name in (VERDICTS, TABLES):
            shutil.rmtree(folder / name, ignore_errors=True)
            (place / name).rename(folder / name)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _write_verdicts(
    place: Path, extracts: Sequence[Path], grounds: Grounds, choice: Choice, threads: int
) -> None:
    with connect(place, threads=threads) as connection:
        open_extract(connection, extracts, choice)
        cases = judge_extract(connection, grounds, place)
        chains, shown = certificates.facts_of(cases.values(), grounds.registry)
        load(connection, "chain_facts", chains, certificates.CHAIN_COLUMNS, place)
        load(connection, "certificate_facts", shown, certificates.CERTIFICATE_COLUMNS, place)
        parts = [part for extract in extracts for part in parts_of(extract)]
        runs = {(part, doc): source for part, doc, source in connection.execute(_OWN_RUNS).fetchall()}
        load(connection, "own_verdicts", list(own_verdicts(parts, grounds, runs)), OWN_COLUMNS, place)
        networks = list(certificates.networks_of(grounds.registry))
        load(connection, "known_networks", networks, certificates.NETWORK_COLUMNS, place)
        authorities = list(certificates.authorities_of(grounds.registry))
        load(connection, "authority_names", authorities, certificates.AUTHORITY_COLUMNS, place)
        for script in ("judged.sql", "measured.sql"):
            connection.execute(_sql(script))
        (place / VERDICTS).mkdir()
        for name, query in _COPIES.items():
            path = quoted(place / VERDICTS / f"{name}.parquet")
            connection.execute(f"COPY ({query}) TO {path} {_PARQUET}")
            if name == "handshakes":  # what comes next reads what is written instead of joining all again
                view = f"FROM read_parquet({path}, hive_partitioning = false)"
                connection.execute(f"CREATE OR REPLACE VIEW handshake_verdicts AS {view}")


def _write_tables(place: Path, threads: int) -> None:
    (place / TABLES).mkdir()
    with connect(place, threads=threads) as connection:
        _open_verdicts(connection, place)
        for name, query in queries():
            connection.execute(f"COPY ({query}) TO {quoted(place / TABLES / f'{name}.parquet')} {_PARQUET}")


def queries() -> Iterator[tuple[str, str]]:
    """The aggregates: name and SQL, one file each in sql/tables."""
    folder = files(__package__) / "sql" / "tables"
    for each in sorted(folder.iterdir(), key=lambda file: file.name):
        if each.name.endswith(".sql"):
            yield each.name.removesuffix(".sql"), each.read_text(encoding="utf-8")


def _sql(name: str) -> str:
    return (files(__package__) / "sql" / name).read_text(encoding="utf-8")


def _open_verdicts(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    for name, view in _VIEWS.items():
        connection.execute(_view(view, folder / VERDICTS / f"{name}.parquet"))
    connection.execute(_INTERCEPTIONS)


def _view(name: str, path: Path) -> str:
    """A file as a view; a folder that is called `asn=1` is no column."""
    return f"CREATE VIEW {name} AS SELECT * FROM read_parquet({quoted(path)}, hive_partitioning = false)"  # noqa: S608


def open_findings(folder: Path, *, threads: int = 1) -> duckdb.DuckDBPyConnection:
    """A database over an analysis: its verdicts, the tables, `interceptions`; it can read nothing else."""
    connection = duckdb.connect(":memory:", config={"threads": threads})
    connection.execute("SET python_enable_replacements = false")  # a table is none of our variables
    connection.execute("SET TimeZone = 'UTC'")
    _open_verdicts(connection, folder)
    for name, _ in queries():
        path = folder / TABLES / f"{name}.parquet"
        if path.is_file():  # an analysis of an earlier version has fewer tables
            connection.execute(_view(name, path))
    connection.execute(f"SET allowed_directories = [{quoted(folder.resolve())}, {quoted(folder)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def rows_of(cursor: duckdb.DuckDBPyConnection) -> Iterator[Mapping[str, Any]]:
    """The rows of a query as mappings, a thousand in memory at a time."""
    names = [column[0] for column in cursor.description or ()]
    while rows := cursor.fetchmany(1000):
        for row in rows:
            yield dict(zip(names, row, strict=True))
