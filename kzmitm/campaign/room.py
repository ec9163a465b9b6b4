"""What must be kept is kept: where the disk is full, that is told, and waited for until there is room."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from kzmitm.campaign.plan import Share
from kzmitm.campaign.world import ROOM_S, Watcher

T = TypeVar("T")

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class StoppedError(Exception):
    """The run is to stop, and there was no room until then; nothing was written."""


async def kept(
    action: Callable[[], T],
    *,
    share: Share | None,
    watcher: Watcher,
    stopping: asyncio.Event,
    pause: Callable[[float], Awaitable[None]],
) -> T:
    """What an action gives, tried as often as the disk is full; raises StoppedError, and its other errors."""
    is_told = False
    while True:
        try:
            given = action()
        except OSError as exc:
            if exc.errno not in NO_ROOM:
                raise
            if not is_told:
                watcher.on_note(share, "disk_full", exc.strerror or str(exc))
            is_told = True
            if stopping.is_set():
                raise StoppedError from None
            await pause(ROOM_S)
        else:
            if is_told:
                watcher.on_note(share, "disk_free")
            return given
