"""Ask an analysis in SQL: its verdicts, its tables, and nothing else."""

import argparse
import base64
import math
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from kzmitm.cli.exits import Exit
from kzmitm.cli.ooni.extras import demand_archive
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.sources import STDIN, read_file
from kzmitm.cli.terminal import print_json
from kzmitm.errors import UsageError
from kzmitm.report.safe import harmless

MAX_SQL = 1 << 20
"""Octets of a query."""
READING = frozenset({"SELECT", "CREATE", "INSERT", "UPDATE", "DELETE", "DROP"})
"""Statements that touch no file; tables and views that they make are gone with the command."""

EPILOG = """tables:
  handshakes, measurements    a row each, with the verdict
  interceptions               handshakes that were intercepted, with certificate and authority
  authorities certificates days domains networks labels blocked_and_intercepted
                              what `ooni analyze` sums up
  SHOW TABLES and DESCRIBE handshakes list the rest; docs/archive.md says what columns mean

for example:
  kzmitm ooni query --from findings 'SELECT domain, intercepted, blocked FROM domains LIMIT 10'
"""


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("sql", metavar="SQL", type=filled, help="a query in DuckDB's SQL; - reads it from stdin")
    add("--from", dest="folder", metavar="DIR", type=filled_path, required=True,
        help="what `ooni analyze --out` left")  # fmt: skip
    add("--json", action="store_true", help="one document (kzmitm.query/1.0) on stdout")
    parser.epilog = EPILOG


def run(args: argparse.Namespace) -> int:
    demand_archive()
    # The libraries are an extra.
    from kzmitm.ooni.archive.complaints import told_plainly  # noqa: PLC0415
    from kzmitm.ooni.archive.findings import VERDICTS, open_findings  # noqa: PLC0415

    if not (args.folder / VERDICTS).is_dir():
        raise UsageError(
            "{folder}: no analysis is there", hint="kzmitm ooni analyze PATH --out DIR", folder=args.folder
        )
    sql = _sql(args.sql)
    with told_plainly(), open_findings(args.folder) as connection, _mistakes_told():
        _demand_reading(connection, sql)
        cursor = _executed(connection, sql)
        names = [column[0] for column in cursor.description or ()]
        if args.json:
            print_json(_document(names, cursor.fetchall()))
        else:
            _print(names, _batches(cursor))
    return Exit.OK


def _sql(told: str) -> str:
    """The query in the words, or on stdin; raises UsageError for octets that are no text."""
    octets = read_file(STDIN, option="SQL", max_octets=MAX_SQL) if told == STDIN else os.fsencode(told)
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("the query is not UTF-8") from None


@contextmanager
def _mistakes_told() -> Iterator[None]:
    """Raises UsageError for a query that is wrong or too large; what else is wrong may be a file's fault."""
    import duckdb  # noqa: PLC0415 (an extra)

    from kzmitm.ooni.archive.complaints import one_line  # noqa: PLC0415

    try:
        yield
    except (
        duckdb.ParserException,
        duckdb.SyntaxException,
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.DataError,
        duckdb.PermissionException,
        duckdb.OutOfMemoryException,
    ) as exc:
        raise UsageError(one_line(exc)) from None


def _demand_reading(connection: Any, sql: str) -> None:
    """Raises UsageError for what would write into the analysis: files of its folder can be reached."""
    kinds = {statement.type.name for statement in connection.extract_statements(sql)}
    if not kinds:
        raise UsageError("no query", hint="as 'SELECT * FROM authorities'")
    if not kinds <= READING:
        raise UsageError("{kinds} is no query; findings are only read", kinds=min(kinds - READING))


def _executed(connection: Any, sql: str) -> Any:
    """The cursor of a query; Ctrl-C ends it at once, and not between two steps of DuckDB's."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(connection.execute, sql)
        try:
            return future.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise


def _batches(cursor: Any) -> Iterator[Sequence[Any]]:
    while rows := cursor.fetchmany(1000):
        yield from rows


def _document(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    return {
        "schema": "kzmitm.query/1.0",
        "version": "1.0",
        "columns": list(names),
        "rows": [[_value(value) for value in row] for row in rows],
    }


def _value(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no number for it
    if isinstance(value, list | tuple):
        return [_value(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _value(each) for key, each in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _print(names: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    """Columns for a terminal; off one, values between tabs, as other tools take them."""
    if not sys.stdout.isatty():
        sys.stdout.write("\t".join(map(harmless, names)) + "\n")
        for row in rows:
            sys.stdout.write("\t".join(_shown(value) for value in row) + "\n")
        return
    from rich.table import Column, Table  # noqa: PLC0415 (only for terminals)
    from rich.text import Text  # noqa: PLC0415

    from kzmitm.cli.terminal import console  # noqa: PLC0415

    table = Table(*[Column(Text(harmless(name))) for name in names], box=None, pad_edge=False)
    for row in rows:
        table.add_row(*[Text(_shown(value)) for value in row])
    console(sys.stdout).print(table, soft_wrap=False)


def _shown(value: Any) -> str:
    return "" if value is None else harmless(str(_value(value)), 2000)
