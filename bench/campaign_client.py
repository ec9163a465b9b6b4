"""The bench's campaign: the command, or the same with a part of its work left out, for what that costs.

    python bench/campaign_client.py all|unwritten|unkept WORDS...

`unwritten` gives the disk nothing (no compression, no log, no fsync); `unkept` does not even make the lines.
"""

import sys

from kzmitm.campaign import share_run
from kzmitm.campaign.share_store import ShareStore
from kzmitm.cli.main import main


def without_writing() -> None:
    def flush(store: ShareStore) -> None:
        store._batch.clear()  # noqa: SLF001 - what the bench leaves out

    ShareStore.flush = flush  # type: ignore[method-assign]


def without_lines() -> None:
    without_writing()
    share_run.line_of = lambda _job, _judged: b"{}"


WITHOUT = {"all": lambda: None, "unwritten": without_writing, "unkept": without_lines}

if __name__ == "__main__":
    WITHOUT[sys.argv[1]]()
    status = main(sys.argv[2:])
    sys.exit(status if sys.argv[1] == "all" else 0)  # a folder without results is no good end
