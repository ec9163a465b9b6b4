"""What is to be read, cut into tasks: the same files give the same tasks on every machine."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from kzmitm.errors import UsageError
from kzmitm.wording import Wording

SUFFIXES = (".jsonl", ".json", ".ndjson", ".gz", ".zst", ".tar", ".tgz", ".post", ".lz4")
"""Files of a folder that are read (of .lz4 it is said what to do); one that is named, whatever its name."""
NOT_MEASUREMENTS = frozenset({"manifest.json", "part.json", "own.jsonl"})
"""Files that lie beside measurements and tell of them: of our campaigns and extracts."""
MIN_TASK, MAX_TASK = 4 << 20, 128 << 20
"""Octets of files in one task: a second of work at least, so that starting one costs nothing."""
PIECES = 32
"""Tasks that an archive of medium size is cut into: enough for the cores of one machine to end together."""
MARKED = 512
"""Octets at either end of a file that tell it from others of its name and size: gzip has a checksum there."""


def identity(shown: str, size: int, mark: str) -> str:
    """What tells a file from all others, as far as can be told without reading it."""
    return f"{shown}\t{size}\t{mark}"


@dataclass(frozen=True, slots=True)
class Source:
    """A file and what it is called in rows: its path below the folder that was given, in UTF-8."""

    path: str
    shown: str
    size: int
    mark: str = ""
    """Of how it begins and ends."""

    @property
    def identity(self) -> str:
        """The same for the same file wherever it lies, whoever reads it and together with whatever."""
        return identity(self.shown, self.size, self.mark)


@dataclass(frozen=True, slots=True)
class Task:
    """Files that one worker reads into one part. `id` is made of what they are, not of where they lie."""

    id: str
    sources: tuple[Source, ...]

    @property
    def size(self) -> int:
        return sum(source.size for source in self.sources)


def sources_in(paths: Sequence[Path]) -> list[Source]:
    """The files to be read, in order and each once; raises UsageError for a path that is not there."""
    found: dict[str, Source] = {}
    for path in paths:
        for source in _sources(path):
            found.setdefault(str(Path(source.path).resolve()), source)
    return list(found.values())


def _sources(path: Path) -> Iterator[Source]:
    if path.is_file():
        yield _source(path, path.name)
    elif path.is_dir():
        for each in sorted(_below(path)):
            yield _source(each, each.relative_to(path).as_posix())
    elif path.exists():
        raise UsageError(
            "{path}: neither a file nor a folder", hint="what comes through a pipe is read as -", path=path
        )
    else:
        raise UsageError("{path}: no such file or folder", path=path)


def _below(path: Path) -> Iterator[Path]:
    """The files of a folder that are to be read, and folders in it that cannot; links to folders are none."""
    unreadable: list[str] = []
    for place, folders, names in os.walk(path, onerror=lambda exc: unreadable.append(str(exc.filename))):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            named = name.lower().endswith(SUFFIXES) and name not in NOT_MEASUREMENTS
            if named and not name.startswith(".") and _may_be_file(found := Path(place, name)):
                yield found
    yield from map(Path, unreadable)


def _may_be_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder whose names may be read, and nothing else
        return True


def _source(path: Path, name: str) -> Source:
    size = 0
    try:
        size = path.stat().st_size
        with path.open("rb", buffering=0) as file:
            ends = file.read(MARKED)
            file.seek(max(size - MARKED, 0))
            ends += file.read(MARKED)
    except OSError:
        return Source(str(path), _text(name), size)  # its task tells what is wrong with it
    return Source(str(path), _text(name), size, sha256(ends).hexdigest()[:16])


def _text(name: str) -> str:
    """Without what is no character: names of files may be any octets."""
    return name.encode("utf-8", "replace").decode()


def plan(sources: Iterable[Source]) -> list[Task]:
    """The tasks: neighbours together up to a size; a larger file is a task of its own."""
    groups: list[list[Source]] = [[]]
    ordered = sorted(sources, key=lambda each: (each.shown, each.size, each.mark, each.path))
    most = min(max(sum(each.size for each in ordered) // PIECES, MIN_TASK), MAX_TASK)
    size = 0
    for source in ordered:
        if groups[-1] and size + source.size > most:
            groups.append([])
            size = 0
        groups[-1].append(source)
        size += source.size
    seen: Counter[str] = Counter()
    return [_task(group, seen) for group in groups if group]


def unread(tasks: Sequence[Task], parts: Collection[str], read: Collection[str]) -> list[Task]:
    """The tasks without what other parts hold: an archive that has grown is cut otherwise than before.

    `parts` are the ids of parts that are there, `read` the identities of all files in them. Files that cannot
    be told apart are left together.
    """
    alike = Counter(source.identity for task in tasks for source in task.sources)
    seen = Counter(_names(task.sources) for task in tasks)
    found = []
    for task in tasks:
        left = [each for each in task.sources if each.identity not in read or alike[each.identity] > 1]
        if task.id in parts or len(left) == len(task.sources):
            found.append(task)
        elif left:
            found.append(_task(left, seen))
    return found


def _task(group: Sequence[Source], seen: Counter[str]) -> Task:
    """Two groups of files that cannot be told apart are two tasks."""
    names = _names(group)
    copy = f"\n{seen[names]}" if seen[names] else ""
    seen[names] += 1
    return Task(sha256((names + copy).encode()).hexdigest()[:24], tuple(group))


def _names(group: Sequence[Source]) -> str:
    return "\n".join(source.identity for source in group)


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` equal shares of the tasks, `index` from 1, for machines that share a folder."""

    index: int
    count: int

    def holds(self, task: Task) -> bool:
        """True if the task is of this share; every task is of exactly one."""
        return int(task.id[:8], 16) % self.count == self.index - 1


def parse_shard(text: str) -> Shard:
    """Read `i/n` with 1 <= i <= n; raises ValueError."""
    index, slash, count = text.partition("/")
    if not (slash and index.isascii() and index.isdigit() and count.isascii() and count.isdigit()):
        raise ValueError(Wording("a share is written I/N, as 1/4"))
    shard = Shard(int(index), int(count))
    if not 1 <= shard.index <= shard.count <= 10_000:
        raise ValueError(Wording("a share is written I/N with I from 1 to N, as 1/4"))
    return shard
