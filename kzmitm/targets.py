"""Reading target lists: one target per line, streamed, and checked as a whole before anything is sent."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kzmitm.errors import UsageError
from kzmitm.model.target import Target, parse_target
from kzmitm.wording import Wording, reason_of

MAX_LINE = 4096
"""Octets of a line; a URL with the longest host name is far below it."""

MAX_REMEMBERED = 1 << 16
"""Targets remembered to leave out doubles, as 64-bit hashes: below 8 MB. Doubles further apart stay."""

_ARGUMENT_HINT = Wording("Give a host name, HOST:PORT or an https:// address.")
_HINT = Wording("Write one host name, HOST:PORT or https:// address per line; # starts a comment.")


@dataclass(frozen=True, slots=True)
class TargetList:
    """A checked list. Iterate it as often as needed; it reads its file anew and keeps nothing."""

    path: Path
    name: str
    """How messages call it."""
    count: int

    def __iter__(self) -> Iterator[Target]:
        with self.path.open("rb") as file:
            yield from _distinct(_read(file, self.name))

    def __len__(self) -> int:
        return self.count


def read_targets(path: Path, *, name: str | None = None) -> TargetList:
    """The targets of a file, all of them checked. Raises UsageError that names file and line.

    Blank lines, `#` comments (whole lines, or after white space), a byte order mark, any line ends and
    doubles are allowed. A list without a single target is an error.
    """
    name = name or str(path)
    try:
        with path.open("rb") as file:
            count = sum(1 for _ in _distinct(_read(file, name)))
    except OSError as exc:
        raise UsageError("cannot read {name}: {why}", name=name, why=reason_of(exc)) from None
    if not count:
        raise UsageError("{name} holds no targets", hint=_HINT, name=name)
    return TargetList(path, name, count)


@contextmanager
def spooled_targets(stream: BinaryIO, *, name: str = Wording("standard input")) -> Iterator[TargetList]:
    """The targets of a stream that can be read only once: kept in a temporary file meanwhile."""
    with tempfile.TemporaryDirectory(prefix="kzmitm-") as folder:
        path = Path(folder, "targets")
        with path.open("wb") as file:
            shutil.copyfileobj(stream, file)
        yield read_targets(path, name=name)


def parse_targets(texts: Iterable[str]) -> tuple[Target, ...]:
    """The targets of a command line, doubles left out; raises UsageError that names the argument."""
    targets = []
    for text in texts:
        try:
            targets.append(parse_target(text))
        except ValueError as exc:
            raise UsageError("{why}", hint=_ARGUMENT_HINT, why=exc) from None
    return tuple(dict.fromkeys(targets))


def _read(file: BinaryIO, name: str) -> Iterator[Target]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise UsageError(
                "{name}:{number}: line longer than {max_line} octets",
                hint=_HINT,
                name=name,
                number=number,
                max_line=MAX_LINE,
            )
        try:
            text = _strip(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            if text:
                yield parse_target(text)
        except UnicodeDecodeError:
            raise UsageError("{name}:{number}: not UTF-8", hint=_HINT, name=name, number=number) from None
        except ValueError as exc:
            raise UsageError(
                "{name}:{number}: {why}", hint=_HINT, name=name, number=number, why=exc
            ) from None


def _strip(line: bytes) -> str:
    """The target text of a line: without comment and white space; "" for none."""
    text = line.decode("utf-8").strip()
    if "#" not in text:
        return text
    words = text.split()
    kept = next((i for i, word in enumerate(words) if word.startswith("#")), len(words))
    return " ".join(words[:kept])


def _distinct(targets: Iterable[Target]) -> Iterator[Target]:
    seen: set[int] = set()
    for target in targets:
        key = hash(target)
        if key in seen:
            continue
        if len(seen) < MAX_REMEMBERED:
            seen.add(key)
        yield target
