"""Tables of SQLite databases that strangers may have made, read from a copy."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from kzmitm.roots.system import MAX_STORE, System, UnreadableError
from kzmitm.wording import Wording, joined, one_line

MAX_ROWS = 50_000
"""Objects of one database; a profile used for years has some hundreds."""
MAX_VALUE = 1 << 20
"""Octets of one value. Certificates in use have up to 50 KB."""
MAX_SECONDS = 5.0
"""For one database; one of 20,000 certificates takes 0.4 s."""
MAX_LOST_ROWS = 2_000
"""Rows looked for one by one behind a broken place."""
_JOURNAL_OF_SEVERAL = bytes.fromhex("d9d505f920a163d7")
_READ_ONLY = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}
Row = Sequence[bytes | None]
T = TypeVar("T")


def read_copy(system: System, path: str, read: Callable[[Path], tuple[T, str]]) -> tuple[T | None, str]:
    """What `read` makes of a copy of a database, and what went wrong; raises FileNotFoundError."""
    why = ""
    for endings in (("-wal", "-journal"), ()):
        try:
            with system.copied(path, *(path + ending for ending in endings)) as copy:
                found, problem = read(copy)
        except FileNotFoundError:
            raise
        except (UnreadableError, OSError) as exc:  # of a full disk, too
            why = str(exc)
        else:
            return found, joined(
                "; ",
                (each for each in (why and Wording("its last changes: {why}", why=why), problem) if each),
            )
    return None, why


@dataclass(slots=True)
class Table:
    """What could be read of a table, and why not all of it."""

    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def problem(self) -> str:
        more = (
            [Wording("{count} more like that", count=len(self.problems) - 3)]
            if len(self.problems) > 3
            else []
        )
        return joined("; ", (one_line(each, 200) for each in (*self.problems[:3], *more)))


def read_table(path: Path, name: str, columns: Sequence[str]) -> Table:
    """The values of some columns of a copied database; None for what is absent or no octets (BLOB).

    The database may be made to harm: nothing that it brings is run (views, triggers, generated columns,
    modules of virtual tables), and neither its journal nor its size makes us write, wait or grow.
    """
    table = Table()
    octets, until = 0, time.monotonic() + MAX_SECONDS
    try:
        mode, settings = _prepare(path, table.problems)
        address = f"{path.resolve().as_uri()}?{mode}"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_STORE)
            connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_VALUE)
            connection.set_progress_handler(lambda: time.monotonic() > until, 1_000)
            for setting in settings:
                connection.execute(f"PRAGMA {setting}")
            query = _query(connection, name, columns)
            for row in _walk(connection, query, table.problems):
                table.rows.append(_take(row, table.problems))
                octets += sum(len(value) for value in table.rows[-1] if value)
                if len(table.rows) >= MAX_ROWS or octets > MAX_STORE or time.monotonic() > until:
                    table.problems.append(
                        Wording("only its first {count} entries were read", count=len(table.rows))
                    )
                    break
    except UnicodeError:  # of a message of SQLite, which quotes the file
        table.problems.append(Wording("it is damaged"))
    except (sqlite3.Error, OSError, OverflowError, MemoryError) as exc:
        table.problems.append(str(exc) or type(exc).__name__)
    return table


def _prepare(path: Path, problems: list[str]) -> tuple[str, list[str]]:
    """How to open a copied database, and the settings to begin with."""
    settings = ["trusted_schema=OFF", "cell_size_check=ON", "query_only=ON", "cache_size=-8192"]
    journal, log = Path(f"{path}-journal"), Path(f"{path}-wal")
    if journal.exists() and journal.read_bytes().endswith(_JOURNAL_OF_SEVERAL):
        # SQLite would look up, and delete, the file that such a journal names, wherever it is.
        journal.unlink()
        problems.append(Wording("its last change, one of several files, was not taken into account"))
    if journal.exists() or log.exists():
        return "mode=rw", settings
    # Without that one, SQLite refuses all of a file that ends early.
    return "mode=ro&immutable=1", ["writable_schema=ON", *settings] if _is_cut(path, problems) else settings


def _is_cut(path: Path, problems: list[str]) -> bool:
    """Whether a file ends before its last page (sqlite.org/fileformat.html, 1.3); a part of one goes."""
    with path.open("rb") as file:
        header = file.read(100)
    size, length = int.from_bytes(header[16:18], "big"), path.stat().st_size
    page = 0x10000 if size == 1 else size
    whole = page * int.from_bytes(header[28:32], "big")
    if not header.startswith(b"SQLite format 3\0") or not page or length >= whole:
        return False
    problems.append(Wording("it ends after {length} of {whole} octets", length=length, whole=whole))
    os.truncate(path, length - length % page)
    return True


def _query(connection: sqlite3.Connection, name: str, columns: Sequence[str]) -> str:
    """What to select; raises sqlite3.Error if that is anything else than a plain table."""
    modules = connection.execute("SELECT count(*) FROM sqlite_master WHERE instr(lower(sql), 'virtual')")
    if modules.fetchone() != (0,):
        raise sqlite3.DatabaseError(Wording("it holds a virtual table, which is not read"))
    kept = connection.execute("SELECT rootpage FROM sqlite_master WHERE type = 'table' AND name = ?", (name,))
    if not any(isinstance(page, int) and page > 0 for (page,) in kept):
        raise sqlite3.DatabaseError(Wording("it holds no table {name}", name=name))
    # Without generated columns, which run what the file says.
    there = {column for _, column, *_ in connection.execute(f"PRAGMA table_info({name})")}
    if "rowid" in map(str.lower, there):
        raise sqlite3.DatabaseError(Wording("a column of it is called rowid"))
    connection.set_authorizer(
        lambda action, first, second, _, inside: (
            sqlite3.SQLITE_OK
            if action in _READ_ONLY
            and inside is None
            and (action != sqlite3.SQLITE_READ or first == name)
            and (action != sqlite3.SQLITE_FUNCTION or second in ("length", "typeof"))
            else sqlite3.SQLITE_DENY
        )
    )
    # A value that is too long comes as its length. Lengths and types of BLOBs are told without reading them.
    wanted = (
        f"CASE WHEN typeof({each}) = 'blob' THEN CASE WHEN length({each}) <= {MAX_VALUE} THEN "
        f"{each} ELSE length({each}) END END"
        if each in there
        else "NULL"
        for each in columns
    )
    return f"SELECT rowid, {', '.join(wanted)} FROM {name}"  # noqa: S608 (names of our own)


def _walk(connection: sqlite3.Connection, query: str, problems: list[str]) -> Iterator[tuple[object, ...]]:
    """Every row that can be read: in their order, and one by one behind the first broken place."""
    last = 0
    try:
        for row in connection.execute(f"{query} ORDER BY rowid"):
            last = row[0]
            yield row
    except sqlite3.DatabaseError as exc:
        problems.append(str(exc))
    else:
        return
    for number in range(last + 1, last + 1 + MAX_LOST_ROWS):
        try:
            yield from connection.execute(f"{query} WHERE rowid = ?", (number,))
        except sqlite3.OperationalError:
            return  # time is up, or no such table at all
        except sqlite3.DatabaseError:
            continue


def _take(row: Sequence[object], problems: list[str]) -> Row:
    if too_long := [value for value in row[1:] if isinstance(value, int)]:
        problems.append(
            Wording(
                "a value of {too_long} octets in entry {row} was not read", too_long=max(too_long), row=row[0]
            )
        )
    return [value if isinstance(value, bytes) else None for value in row[1:]]
