"""DuckDB without its wrappers in Python: none is used, and they cost 0.1 s and 12 MB of every start."""

try:
    import _duckdb as duckdb
except ImportError:  # a version that is not made of two, or is not there at all: its own words are the best
    import duckdb  # type: ignore[no-redef]

from pathlib import Path

__all__ = ["duckdb", "quoted"]


def quoted(path: Path | str) -> str:
    """A text as SQL writes it."""
    return "'" + str(path).replace("'", "''") + "'"
