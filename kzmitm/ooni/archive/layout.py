"""Where things lie in the folder of an analysis, and how a judgement comes there: whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

VERDICTS: Final = "verdicts"
TABLES: Final = "tables"
INDEX: Final = "index"
"""What judging again reads instead of the extract; it may be thrown away."""
JUDGED: Final = ".judged"
"""A judgement that is whole and not yet in its place: what lies in it counts, not what it replaces."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until nobody else judges into a folder, and keeps others waiting: the next finds what is there.

    Where a file system has no locks, nobody waits.
    """
    try:
        from fcntl import LOCK_EX, flock  # noqa: PLC0415 (Windows has none)
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def put_in_place(folder: Path, place: Path) -> None:
    """Makes the judgement that lies whole in `place` that of `folder`.

    From the renaming on it counts, whoever is killed: what is left to be moved is moved by the next.
    """
    settle(folder)
    place.rename(folder / JUDGED)
    settle(folder)


def settle(folder: Path) -> None:
    """Moves into its place what a judgement that was killed there left to be moved."""
    judged = folder / JUDGED
    if not judged.is_dir():
        return
    for name in (VERDICTS, TABLES):
        if (judged / name).is_dir():
            shutil.rmtree(folder / name, ignore_errors=True)
            (judged / name).rename(folder / name)
    shutil.rmtree(judged, ignore_errors=True)


def lies_in(folder: Path, name: str) -> Path:
    """Where the verdicts or the tables of an analysis are, even if whoever judged was killed moving them."""
    moving = folder / JUDGED / name
    return moving if moving.is_dir() else folder / name
