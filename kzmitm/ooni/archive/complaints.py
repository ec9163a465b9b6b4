"""What DuckDB complains of, as exceptions that say whose fault it is."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from kzmitm.errors import UsageError

MAX_COMPLAINT = 300
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def full_disk(error: Exception) -> OSError | None:
    """The error of a disk that takes no more, as the system says it; None if it is another one."""
    if isinstance(error, OSError):
        return error if error.errno in _FULL else None
    told = str(error)
    number = next((each for each in _FULL if os.strerror(each) in told), None)
    return OSError(number, os.strerror(number)) if number is not None else None


@contextmanager
def told_plainly() -> Iterator[None]:
    """Raises OSError for a full disk, KeyboardInterrupt for Ctrl-C, UsageError for what cannot be read."""
    try:
        yield
    except Exception as exc:
        if _is_of_database(exc):
            raise full_disk(exc) or UsageError(one_line(exc), hint="was a file altered?") from None
        if isinstance(exc, RuntimeError) and str(exc) == "Query interrupted":
            raise KeyboardInterrupt from None
        raise


def _is_of_database(error: Exception) -> bool:
    """Of DuckDB's, which need not have been loaded."""
    database = sys.modules.get("_duckdb") or sys.modules.get("duckdb")
    return database is not None and isinstance(error, database.Error)


def one_line(error: Exception) -> str:
    """The first line of what is wrong; the others show the SQL."""
    return str(error).strip().partition("\n")[0][:MAX_COMPLAINT]
