"""What an analysis leaves: verdicts as Parquet, tables over them, and SQL for whoever wants to know more."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from kzmitm.ooni.archive import certificates
from kzmitm.ooni.archive.certificates import ShownIn
from kzmitm.ooni.archive.database import duckdb
from kzmitm.ooni.archive.grounds import Grounds
from kzmitm.ooni.archive.parts import quoted
from kzmitm.ooni.archive.records import SHOWN, read_records
from kzmitm.ooni.archive.tables import connect
from kzmitm.pki.registry import Registry

VERDICTS: Final = "verdicts"
TABLES: Final = "tables"
JUDGED: Final = ".judged"
"""A judgement that is whole and not yet in its place: what lies in it counts, not what it replaces."""

_PARQUET: Final = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 8192)"
_VIEWS: Final = {
    "handshakes": "handshakes",
    "measurements": "measurements",
    "certificates": "certificate_facts",
    "authorities": "authority_names",
    "networks": "known_networks",
}
"""Files of `verdicts` and what they are called in SQL."""

_INTERCEPTIONS: Final = """
CREATE VIEW interceptions AS
SELECT h.*, f.* EXCLUDE (sha256), a.* EXCLUDE (authority) FROM handshakes h
LEFT JOIN certificate_facts f ON f.sha256 = h.certificate LEFT JOIN authority_names a USING (authority)
WHERE h.outcome = 'interception'
"""
_CERTIFICATES: Final = """
SELECT * EXCLUDE (chain) FROM shown QUALIFY row_number() OVER (PARTITION BY sha256 ORDER BY chain DESC) = 1
ORDER BY sha256
"""


def write_tables(place: Path, grounds: Grounds, *, threads: int = 1) -> dict[str, Any]:
    """Writes what stands beside the rows in `place`/verdicts, and the tables over all; returns the summary.

    The facts of certificates lie in `place`, as `judge_index` wrote them.
    """
    with connect(place, threads=threads) as connection:
        _write_facts(connection, place, grounds.registry)
        return aggregate(connection, place)


def _write_facts(connection: duckdb.DuckDBPyConnection, place: Path, registry: Registry) -> None:
    shown = (
        {"chain": each.chain, **msgspec.structs.asdict(each.facts)}
        for each in read_records(place / SHOWN, ShownIn)
    )
    _load(connection, "shown", {"chain": "INTEGER", **certificates.CERTIFICATE_COLUMNS}, shown)
    _copy(connection, _CERTIFICATES, place / VERDICTS / "certificates.parquet")
    connection.execute("DROP TABLE shown")
    for table, columns, rows in (
        ("networks", certificates.NETWORK_COLUMNS, certificates.networks_of(registry)),
        ("authorities", certificates.AUTHORITY_COLUMNS, certificates.authorities_of(registry)),
    ):
        _load(connection, table, columns, rows)
        _copy(connection, f"SELECT * FROM {table}", place / VERDICTS / f"{table}.parquet")  # noqa: S608
        connection.execute(f"DROP TABLE {table}")


def aggregate(connection: duckdb.DuckDBPyConnection, place: Path) -> dict[str, Any]:
    """Writes the tables over the verdicts that lie in `place`; returns the summary."""
    from kzmitm.ooni.archive.summary import summed_up  # noqa: PLC0415 (it reads what is written here)

    (place / TABLES).mkdir()
    _open_verdicts(connection, place / VERDICTS)
    for name, query in queries():
        path = place / TABLES / f"{name}.parquet"
        _copy(connection, query, path)
        connection.execute(_view(name, path))
    connection.execute("SET preserve_insertion_order = true")
    return summed_up(connection)


def _load(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Mapping[str, str],
    rows: Iterable[Mapping[str, Any]],
) -> None:
    """Make a table of these rows; some at a time and column by column, as value by value takes long."""
    connection.execute(
        f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
    )
    values = ", ".join(f"unnest(?::{kind}[])" for kind in columns.values())
    following = iter(rows)
    while some := list(islice(following, 4096)):
        lists = [[row[name] for row in some] for name in columns]
        connection.execute(f"INSERT INTO {table} SELECT {values}", lists)


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    connection.execute(f"COPY ({query}) TO {quoted(path)} {_PARQUET}")


def queries() -> Iterator[tuple[str, str]]:
    """The aggregates: name and SQL, one file each in sql/tables."""
    folder = files(__package__) / "sql" / "tables"
    for each in sorted(folder.iterdir(), key=lambda file: file.name):
        if each.name.endswith(".sql"):
            yield each.name.removesuffix(".sql"), each.read_text(encoding="utf-8")


def put_in_place(folder: Path, place: Path) -> None:
    """Makes the judgement that lies whole in `place` that of `folder`.

    From the renaming on it counts, whoever is killed: what is left to be moved is moved by the next.
    """
    settle(folder)
    place.rename(folder / JUDGED)
    settle(folder)


def settle(folder: Path) -> None:
    """Moves into its place what a judgement that was killed there left to be moved."""
    judged = folder / JUDGED
    if not judged.is_dir():
        return
    for name in (VERDICTS, TABLES):
        if (judged / name).is_dir():
            shutil.rmtree(folder / name, ignore_errors=True)
            (judged / name).rename(folder / name)
    shutil.rmtree(judged, ignore_errors=True)


def lies_in(folder: Path, name: str) -> Path:
    """Where the verdicts or the tables of an analysis are, even if whoever judged was killed moving them."""
    moving = folder / JUDGED / name
    return moving if moving.is_dir() else folder / name


def _open_verdicts(connection: duckdb.DuckDBPyConnection, verdicts: Path) -> None:
    for name, view in _VIEWS.items():
        connection.execute(_view(view, verdicts / f"{name}.parquet"))
    connection.execute(_INTERCEPTIONS)


def _view(name: str, path: Path) -> str:
    """A file as a view; a folder that is called `asn=1` is no column."""
    return f"CREATE VIEW {name} AS SELECT * FROM read_parquet({quoted(path)}, hive_partitioning = false)"  # noqa: S608


def open_findings(folder: Path, *, threads: int = 1) -> duckdb.DuckDBPyConnection:
    """A database over an analysis: its verdicts, the tables, `interceptions`; it can read nothing else."""
    connection = duckdb.connect(":memory:", config={"threads": threads})
    connection.execute("SET python_enable_replacements = false")  # a table is none of our variables
    connection.execute("SET TimeZone = 'UTC'")
    _open_verdicts(connection, lies_in(folder, VERDICTS))
    for name, _ in queries():
        path = lies_in(folder, TABLES) / f"{name}.parquet"
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
