"""What an analysis leaves: verdicts as Parquet, tables over them, and SQL for whoever wants to know more."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final

from kzmitm.ooni.archive.database import duckdb, quoted
from kzmitm.ooni.archive.layout import TABLES, VERDICTS, lies_in
from kzmitm.ooni.archive.tables import connect

__all__ = ["TABLES", "VERDICTS", "aggregate", "open_findings", "queries", "rows_of", "write_tables"]

MEMORY: Final = "1GB"
"""Of a query, beyond which it writes to the system's folder for what is temporary."""
MAX_SCRATCH: Final = "16GB"
"""Of what it writes there; a query that takes more is a mistake."""
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
SELECT h.*, f.* EXCLUDE (sha256), a.* EXCLUDE (authority) FROM handshakes h
LEFT JOIN certificate_facts f ON f.sha256 = h.certificate LEFT JOIN authority_names a USING (authority)
WHERE h.outcome = 'interception'
"""


def write_tables(place: Path, threads: int = 1) -> dict[str, Any]:
    """`aggregate` with a database of its own."""
    with connect(place, threads=threads) as connection:
        return aggregate(connection, place)


def aggregate(connection: duckdb.DuckDBPyConnection, place: Path) -> dict[str, Any]:
    """Writes the tables over the verdicts that lie in `place`; returns the summary."""
    from kzmitm.ooni.archive.summary import summed_up  # noqa: PLC0415 (it reads what is written here)

    (place / TABLES).mkdir()
    _open_rows(connection, place / VERDICTS)
    # Most of what follows asks it, so it is joined once.
    connection.execute(f"CREATE TABLE interceptions AS {_INTERCEPTIONS}")
    for name, query in queries():
        path = place / TABLES / f"{name}.parquet"
        _copy(connection, query, path)
        connection.execute(_view(name, path))
    connection.execute("SET preserve_insertion_order = true")
    return summed_up(connection)


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    connection.execute(f"COPY ({query}) TO {quoted(path)} {_PARQUET}")


def queries() -> Iterator[tuple[str, str]]:
    """The aggregates: name and SQL, one file each in sql/tables."""
    folder = Path(__file__).parent / "sql" / "tables"
    for each in sorted(folder.glob("*.sql")):
        yield each.stem, each.read_text(encoding="utf-8")


def _open_rows(connection: duckdb.DuckDBPyConnection, verdicts: Path) -> None:
    for name, view in _VIEWS.items():
        connection.execute(_view(view, verdicts / f"{name}.parquet"))


def _view(name: str, path: Path) -> str:
    """A file as a view; a folder that is called `asn=1` is no column."""
    return f"CREATE VIEW {name} AS SELECT * FROM read_parquet({quoted(path)}, hive_partitioning = false)"  # noqa: S608


def open_findings(folder: Path, *, threads: int = 1) -> duckdb.DuckDBPyConnection:
    """A database over an analysis: its verdicts, the tables, `interceptions`; it can read nothing else."""
    scratch = (
        Path(gettempdir()) / f"kzmitm-query-{os.getpid()}"
    )  # made if something is put there, and removed
    limits = {"memory_limit": MEMORY, "max_temp_directory_size": MAX_SCRATCH, "temp_directory": str(scratch)}
    connection = duckdb.connect(":memory:", config={"threads": threads, **limits})
    connection.execute("SET python_enable_replacements = false")  # a table is none of our variables
    connection.execute("SET TimeZone = 'UTC'")
    _open_rows(connection, lies_in(folder, VERDICTS))
    connection.execute(f"CREATE VIEW interceptions AS {_INTERCEPTIONS}")
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
