"""Whether what was worked out still stands: keys made of everything that it depends on."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Final

import msgspec

from kzmitm.ooni.archive.choice import Choice
from kzmitm.ooni.archive.parts import parts_of
from kzmitm.ooni.archive.records import HASHES

_SIZE: Final = 32
_PACKAGE: Final = Path(__file__).resolve().parents[2]
_JUDGING: Final = ("model", "wire", "pki", "verdict", "ooni")
_INDEXING: Final = ("model", "ooni")
"""Packages that an index depends on: whole ones, as a list of modules would be out of date some day."""


def digest(*told: Any) -> str:
    """One hash of values as JSON has them."""
    return sha256(msgspec.json.encode(told)).hexdigest()


def extract_key(extracts: Sequence[Path], choice: Choice) -> str:
    """Of the parts, as far as can be told without reading them, the choice, and what indexes them."""
    files = [
        (number, part.name, file.name, about.st_size, about.st_mtime_ns)
        for number, extract in enumerate(extracts)
        for part in parts_of(extract)
        for file in sorted(part.iterdir())
        for about in (file.stat(),)
    ]
    return digest(files, choice, _sources(_INDEXING))


def judging_code() -> str:
    """Of all our code that judges."""
    return _sources(_JUDGING)


def _sources(packages: Iterable[str]) -> str:
    whole = sha256()
    for name in packages:
        for file in sorted((_PACKAGE / name).rglob("*.*")):
            if file.suffix in (".py", ".sql"):
                whole.update(sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def files_in(folder: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of change of what lies in a folder: whether anybody touched it."""
    if not folder.is_dir():
        return []
    return sorted((each.name, each.stat().st_size, each.stat().st_mtime_ns) for each in folder.iterdir())


def met_in(index: Path, wanted: Iterable[str]) -> Iterator[str]:
    """Of these certificates (SHA-256 in hexadecimal) those that probes verified, in order."""
    path = index / HASHES
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:

        def at(place: int) -> bytes:
            return content[_SIZE * place : _SIZE * place + _SIZE]

        places = range(len(content) // _SIZE)
        for each in sorted(wanted):
            octets = bytes.fromhex(each)
            place = bisect_left(places, octets, key=at)
            if place < len(places) and at(place) == octets:
                yield each
