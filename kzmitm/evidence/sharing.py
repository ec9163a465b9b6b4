"""A bundle for a wider circle: the same one with files left out. Its signature stays valid."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kzmitm.errors import UsageError
from kzmitm.evidence import layout
from kzmitm.evidence.archive.zip_writer import archive_chunks
from kzmitm.evidence.attachments import sources_of
from kzmitm.evidence.container import Container
from kzmitm.evidence.files import replace_file
from kzmitm.evidence.layout import Level
from kzmitm.wording import Wording

_TIMED = (".tsr", ".ots")
"""Attached files that tell when somebody held the bundle in hand."""


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file of a bundle, and whether it goes along."""

    path: str
    size: int
    level: Level | None
    is_kept: bool
    meaning: str


def shared_files(container: Container, level: Level, *, timestamps: bool) -> tuple[SharedFile, ...]:
    """Every file of a bundle, and whether the circle of `level` gets it.

    A timestamp tells the hour, so it goes to the public only if `timestamps`.
    """
    return tuple(_shared(container, name, level, timestamps=timestamps) for name in container.names)


def write_shared(container: Container, files: tuple[SharedFile, ...], out: Path) -> None:
    """Write the bundle of the files that are kept; raises UsageError if `out` exists, OSError."""
    if out.exists():
        raise UsageError("{out} exists already", hint="name another file with --out", out=out)
    kept = [file.path for file in files if file.is_kept]
    replace_file(out, archive_chunks(container.root, sources_of(container, kept)))


def _shared(container: Container, name: str, level: Level, *, timestamps: bool) -> SharedFile:
    circle = layout.level_of(name)
    if circle is None:
        kept = level is not Level.PUBLIC or timestamps or not name.endswith(_TIMED)
    else:
        kept = circle in _within(level)
    return SharedFile(name, container.size(name), circle, kept, meaning_of(name))


def _within(level: Level) -> tuple[Level, ...]:
    return layout.LEVELS[: layout.LEVELS.index(level) + 1]


def meaning_of(name: str) -> str:
    """What a file is, in English; "" for one of a later version."""
    return next(_meanings(name), "")


def _meanings(name: str) -> Iterator[str]:
    for file in layout.FILES:
        if name == file.path or (file.path.endswith("/") and name.startswith(file.path)):
            yield file.meaning
    if name in layout.TAG_FILES:
        yield Wording("what is in the bundle, and the signature over it")
    if layout.ATTESTATION.fullmatch(name):
        yield Wording("a partner's signature") if name.endswith(".sig") else Wording("a timestamp")
