"""The services of OONI as the command line asks them: which roots are believed, how patiently, until when."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from kzmitm.cli import clock
from kzmitm.cli.loop import run_until_stopped
from kzmitm.cli.sources import pinned_pem
from kzmitm.netio.ooni_api import OONIAPI
from kzmitm.netio.patience import OctetLimit, Pace, Patience, Timing
from kzmitm.netio.s3_archive import S3Archive
from kzmitm.netio.web import new_client

TIMING = Timing()

API_ATTEMPTS = 4
"""The API answers 500 for what it cannot find, too."""

_Item = TypeVar("_Item")


@asynccontextmanager
async def open_archive(
    endpoint: str, *, parallel: int, octets_per_s: float | None
) -> AsyncIterator[S3Archive]:
    """OONI's archive; raises UsageError for a proxy of the environment that cannot be used."""
    async with new_client(pinned_pem(), connections=parallel) as client:
        limit = OctetLimit(octets_per_s, TIMING)
        yield S3Archive(client, endpoint, Patience(TIMING), limit, clock.now)


@asynccontextmanager
async def open_api(base: str, *, interval_s: float) -> AsyncIterator[OONIAPI]:
    """OONI's API, of which a request begins each `interval_s` seconds at most; raises UsageError."""
    async with new_client(pinned_pem(), connections=1) as client:
        patience = Patience(TIMING, attempts=API_ATTEMPTS)
        yield OONIAPI(client, base, patience, Pace(interval_s, TIMING), clock.now)


def run_to_end(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
    """Do the work; False if the user stopped it, upon which it is cut off at once."""

    async def until_stopped() -> None:
        task, waiter = asyncio.create_task(work), asyncio.create_task(stop.wait())
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if not task.done():
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return run_until_stopped(until_stopped(), stop)


async def in_parallel(
    items: Iterable[_Item], work: Callable[[_Item], Awaitable[None]], *, parallel: int
) -> None:
    """Do the work for each item, `parallel` of them at a time; the first exception ends all."""
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    workers = [asyncio.create_task(worker()) for _ in range(parallel)]
    try:
        await asyncio.gather(*workers)
    finally:
        for each in workers:
            each.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
