"""Waiting for room on a disk: told once, tried until it works, and given up when all is to stop."""

import asyncio
import errno
import threading
from types import SimpleNamespace

import pytest

from kzmitm.campaign.plan import Share
from kzmitm.campaign.receipts import Receipts, read_receipts
from kzmitm.campaign.room import StoppedError, kept

SHARE = Share(1, "here")


class Notes:
    def __init__(self):
        self.codes = []

    def on_note(self, share, code, detail=""):
        assert share == SHARE
        self.codes.append((code, detail))


def keep(failures, *, stop_after=99):
    """What an action gave that failed so often, what was told, and how often it was waited for."""
    notes, stopping, pauses = Notes(), asyncio.Event(), []
    errors = iter(failures)

    def action():
        for error in errors:
            raise OSError(error, "no")
        return "kept"

    async def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == stop_after:
            stopping.set()

    work = kept(action, share=SHARE, watcher=notes, stopping=stopping, pause=pause)
    return asyncio.run(work), notes.codes, len(pauses)


def test_where_there_is_room_nothing_is_told():
    assert keep([]) == ("kept", [], 0)


def test_a_full_disk_is_told_once_and_waited_for():
    given, codes, pauses = keep([errno.ENOSPC, errno.ENOSPC, errno.EDQUOT])
    assert (given, pauses) == ("kept", 3)
    assert codes == [("disk_full", "no"), ("disk_free", "")]


def test_who_stops_does_not_wait_for_room():
    with pytest.raises(StoppedError):
        keep([errno.ENOSPC] * 10, stop_after=2)


def test_other_errors_are_no_matter_of_room():
    with pytest.raises(OSError, match="no"):
        keep([errno.EACCES])


def test_receipts_are_written_once_by_whoever_comes_first(tmp_path):
    """The run is stopped while a thread writes them: closing waits for it, and writes none again."""
    began, go_on = threading.Event(), threading.Event()
    receipts = Receipts(tmp_path)
    append = receipts._log.append

    def slow(record):
        began.set()
        assert go_on.wait(10)
        append(record)

    receipts._log.append = slow
    receipts.add(1, SimpleNamespace(key=SimpleNamespace(line="k"), signature=b"s"))
    with receipts:
        writer = threading.Thread(target=receipts.flush)
        writer.start()
        assert began.wait(10)
        threading.Timer(0.05, go_on.set).start()
    writer.join()
    assert list(read_receipts(tmp_path)) == [(1, "k", "s")]
