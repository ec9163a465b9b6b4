"""The extract as tables in SQL: its parts together, and the measurements asked for, each counted once."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from kzmitm.ooni.archive.choice import Choice
from kzmitm.ooni.archive.database import duckdb, quoted

__all__ = ["Choice", "all_of", "connect", "open_extract"]

MEMORY = "64MB"
"""Of DuckDB, beyond which it writes to the temporary folder: an archive may be larger than any memory."""


def connect(folder: Path, *, threads: int = 1) -> duckdb.DuckDBPyConnection:
    """A database in memory that puts what does not fit into `folder`."""
    connection = duckdb.connect(
        ":memory:",
        config={"threads": threads, "memory_limit": MEMORY, "temp_directory": str(folder / ".duckdb")},
    )
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def open_extract(connection: duckdb.DuckDBPyConnection, folders: Sequence[Path], choice: Choice) -> bool:
    """Makes views: `measurements` (chosen, each uid once), `handshakes` (theirs), `chains`, `certificates`.

    Two documents of one uid are one measurement: of those that differ, the one whose content has the smaller
    checksum counts, whatever the order in which they came; `duplicates` holds how many there are. Returns
    whether all measurements are chosen; else `chosen` holds (part, doc) of those that are.
    """
    from kzmitm.ooni.archive.parts import parts_of  # noqa: PLC0415 (queries of findings have no use for it)
    from kzmitm.ooni.archive.rows import COLUMNS  # noqa: PLC0415

    parts = [part for folder in folders for part in parts_of(folder)]
    for table, columns in COLUMNS.items():
        files = [file for part in parts for file in sorted(part.glob(f"{table}-*.parquet"))]
        connection.execute(_view(table, columns, files))
    connection.execute(
        "CREATE TABLE duplicates AS SELECT uid, count(*) AS copies, count(DISTINCT digest) AS contents"
        " FROM all_measurements GROUP BY uid HAVING count(*) > 1"
    )
    where = _where(choice)
    once = "SELECT count(*) FROM duplicates"
    if _number(connection, once) == 0 and not where:
        connection.execute("CREATE VIEW measurements AS SELECT * FROM all_measurements")
        connection.execute("CREATE VIEW handshakes AS SELECT * FROM all_handshakes")
        return True
    connection.execute(
        "CREATE VIEW measurements AS SELECT * FROM all_measurements"  # noqa: S608
        f" {'WHERE ' + where if where else ''}"
        " QUALIFY row_number() OVER (PARTITION BY uid ORDER BY digest, source, line, part, doc) = 1"
    )
    connection.execute("CREATE TABLE chosen AS SELECT part, doc FROM measurements")
    connection.execute(
        "CREATE VIEW handshakes AS SELECT * FROM all_handshakes SEMI JOIN chosen USING (part, doc)"
    )
    return False


def _view(table: str, columns: dict[str, str], files: Sequence[Path]) -> str:
    name = f"all_{table}" if table in ("measurements", "handshakes") else table
    if not files:
        fields = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
        return f"CREATE VIEW {name} AS SELECT {fields}, NULL::VARCHAR AS part WHERE false"
    return f"CREATE VIEW {name} AS {_selected(columns, files)}"


def all_of(table: str, parts: Sequence[Path], columns: Collection[str] = ()) -> str:
    """A query for all rows of a table of some parts; for some of its columns, as each costs a moment."""
    from kzmitm.ooni.archive.rows import COLUMNS  # noqa: PLC0415

    files = [file for part in parts for file in sorted(part.glob(f"{table}-*.parquet"))]
    kinds = {name: kind for name, kind in COLUMNS[table].items() if not columns or name in columns}
    if not files:
        fields = ", ".join(f"NULL::{kind} AS {column}" for column, kind in kinds.items())
        return f"SELECT {fields}, NULL::VARCHAR AS part WHERE false"
    return _selected(kinds, files)


def _selected(columns: dict[str, str], files: Sequence[Path]) -> str:
    fields = ", ".join(_field(column, kind) for column, kind in columns.items())
    paths = ", ".join(map(quoted, files))
    return (
        f"SELECT {fields}, parse_dirpath(filename) AS part"  # noqa: S608
        f" FROM read_parquet([{paths}], filename = true, hive_partitioning = false)"
    )


_NOTHING: Final = {
    "VARCHAR": "''", "BOOLEAN": "false", "UTINYINT": "0", "USMALLINT": "0", "UINTEGER": "0",
}  # fmt: skip
"""What stands where nothing does: whoever made a part that was merged may have left anything out."""


def _field(column: str, kind: str) -> str:
    if column == "in_control" or kind not in _NOTHING:
        return f"{column}::{kind} AS {column}"
    return f"coalesce({column}::{kind}, {_NOTHING[kind]}) AS {column}"


def _where(choice: Choice) -> str:
    """The condition of a choice: dates, numbers and a quoted country."""
    conditions = []
    if choice.since is not None:
        conditions.append(f"time >= TIMESTAMP '{choice.since.isoformat()}'")
    if choice.until is not None:
        conditions.append(f"time < TIMESTAMP '{choice.until.isoformat()}'")
    if choice.cc is not None:
        conditions.append(f"cc = {quoted(choice.cc)}")
    if choice.asns:
        conditions.append(f"asn IN ({', '.join(map(str, map(int, choice.asns)))})")
    return " AND ".join(conditions)


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
