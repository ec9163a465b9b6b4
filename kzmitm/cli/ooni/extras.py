"""The libraries of the archive are an extra: say how to have them where they are not."""

from importlib.util import find_spec

from kzmitm.errors import UsageError

_NEEDED = ("duckdb", "isal", "msgspec", "zstandard")


def demand_archive() -> None:
    """Raises UsageError if a library that reads archives is missing."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            "reading archives needs {missing}",
            hint="pip install 'kzmitm[archive]'",
            missing=", ".join(missing),
        )
