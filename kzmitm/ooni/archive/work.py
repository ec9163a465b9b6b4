"""One task of the first pass: files in, a part of the extract out."""

import sys
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from kzmitm.ooni.archive.extraction import Extractor, cut
from kzmitm.ooni.archive.parts import Part, read_summary
from kzmitm.ooni.archive.planning import Source, Task
from kzmitm.ooni.archive.reading import DamagedFileError, documents
from kzmitm.wording import reason_of

STDIN = "-"
MAX_BAD = 100_000
"""Documents in a row that are no measurements, after which the rest of a file is not looked at.

Each takes ten microseconds, and a packed file of some megabytes may hold a thousand million of them.
"""


def extract(task: Task, folder: str, scratch: str | None = None) -> dict[str, Any]:
    """Read the files of a task into `folder`/<id of the task>; returns the part's summary.

    Done once: a part that is there is not made again. A file that cannot be read is a problem of the part.
    What is unfinished lies in `scratch`, a folder of the same file system, or in `folder`.
    """
    place = Path(folder) / task.id
    if place.is_dir():
        return read_summary(place)
    with Part(Path(folder), task.id, scratch) as part:
        extractor = Extractor(part)
        for source in task.sources:
            _read(source, extractor, part)
        return part.commit(
            sources=[{"name": each.shown, "octets": each.size, "mark": each.mark} for each in task.sources]
        )


def _read(source: Source, extractor: Extractor, part: Part) -> None:
    try:
        if source.path == STDIN:
            _read_file(sys.stdin.buffer, source.shown, extractor, part)
        else:
            with Path(source.path).open("rb", buffering=0) as file:
                _read_file(file, source.shown, extractor, part)
    except (OSError, DamagedFileError) as exc:
        part.problem(source.shown, 0, reason_of(exc))


def _read_file(file: BinaryIO, name: str, extractor: Extractor, part: Part) -> None:
    bad = 0
    for member, number, document in documents(file):
        if bad == MAX_BAD:
            raise DamagedFileError(
                "{count} documents in a row are no measurements; the rest was passed over", count=bad
            )
        part.octets += len(document) + 1
        shown = cut(f"{name}:{member}" if member else name)
        why = extractor.add(document, source=shown, number=number)
        bad = 0 if why is None else bad + 1
        if why is not None:
            part.problem(shown, number, why)


def stdin_task() -> Task:
    """The task of reading stdin; each is another one, as nobody knows what will come."""
    return Task(f"stdin-{uuid4().hex[:18]}", (Source(STDIN, "stdin", 0),))
