"""The measurements of a campaign as the archive's Parquet files, for `kzmitm ooni analyze` and `query`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kzmitm.campaign.state import CampaignFolder

ARCHIVE: Final = "archive"
"""Of a campaign's folder: what `kzmitm ooni analyze --out` takes."""


def extract_rounds(folder: CampaignFolder) -> None:
    """Read what finished rounds have measured and no part holds yet; raises OSError.

    A segment is a part of its own, which appears whole or not at all, and stays when the segment is deleted.
    """
    from kzmitm.ooni.archive.parts import EXTRACT  # noqa: PLC0415 (its libraries are an extra)
    from kzmitm.ooni.archive.planning import Source, plan  # noqa: PLC0415
    from kzmitm.ooni.archive.running import run_here  # noqa: PLC0415

    tasks = []
    for path in _segments(folder):
        shown = path.relative_to(folder.folder).as_posix()
        tasks += plan([Source(str(path), shown, path.stat().st_size)])
    for _summary in run_here(tasks, str(folder.folder / ARCHIVE / EXTRACT)):
        pass


def _segments(folder: CampaignFolder) -> Iterator[Path]:
    for number in sorted(folder.rounds_finished):
        for share in folder.plan.shares(number):
            yield from sorted(folder.place(share).glob("[0-9]*.jsonl.zst"))
