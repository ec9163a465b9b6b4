"""The whole second pass as one function, and its result as one document."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kzmitm.ooni.archive.findings import judge_again
from kzmitm.ooni.archive.judging import Grounds
from kzmitm.ooni.archive.parts import EXTRACT
from kzmitm.ooni.archive.summary import SCHEMA, VERSION, summary, what_was_read
from kzmitm.ooni.archive.tables import Choice

__all__ = ["Choice", "Grounds", "judge_folder"]


def judge_folder(
    folder: Path, grounds: Grounds, choice: Choice, *, extracts: Sequence[Path] = (), threads: int = 1
) -> dict[str, Any]:
    """Judges what was read into `folder`, writes verdicts and tables there, and sums them up.

    `extracts` are read instead of the folder's own where they are given.
    """
    judge_again(folder, grounds, choice, extracts=extracts, threads=threads)
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "chosen": {
            "since": choice.since and choice.since.isoformat(),
            "until": choice.until and choice.until.isoformat(),
            "cc": choice.cc,
            "asns": list(choice.asns),
        },
        "registry": {"version": grounds.registry.version},
        "store": {"name": grounds.store.name, "sha256": grounds.store.sha256},
        "read": what_was_read(extracts or (folder / EXTRACT,)),
        **summary(folder),
    }
