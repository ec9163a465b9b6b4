"""On which line of a TOML file a key stands, for messages: the standard library's reader does not tell."""

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]
"""Keys and, for arrays of tables, numbers from 0."""

_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def places(text: str) -> Mapping[Path, int]:
    """Lines (from 1) of tables and keys. Good enough for messages: a key in a multi-line text counts, too."""
    found: dict[Path, int] = {}
    arrays: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header is not None:
            table = tuple(_parts(header[2]))
            if header[1] == "[[":
                index = arrays[table] = arrays.get(table, -1) + 1
                found.setdefault(table, number)
                table = (*table, index)
            found.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key is not None:
            found.setdefault((*table, *_parts(key[1])), number)
    return found


def line_of(path: Path, found: Mapping[Path, int]) -> int:
    """The line of a key, else of the nearest table around it, else 1."""
    while path:
        if path in found:
            return found[path]
        path = path[:-1]
    return 1


def _parts(text: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(text)]
