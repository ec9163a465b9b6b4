"""From targets to judged measurements: a few workers, a bounded outlet, nothing kept per target."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from datetime import datetime
from random import Random

from kzmitm.model.target import Target
from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.netio.descriptors import make_room
from kzmitm.scan.draft import Draft
from kzmitm.scan.judged import Judged, LocalWitness, Pacer, ScanJudge, ScanObserver, SilentObserver
from kzmitm.scan.options import ScanOptions
from kzmitm.scan.pace import Pace
from kzmitm.scan.shared import Network, Run
from kzmitm.verdict.names import base_name

BACKLOG = 16
"""Judged measurements that may wait for a slow consumer, beyond one per worker."""

MAX_FAULTS = 16
"""Faults of ours after which a scan is not worth going on with."""

logger = logging.getLogger(__name__)

_POSITIVE = frozenset({Confidence.CONFIRMED, Confidence.LIKELY})


async def scan(  # noqa: PLR0913 - the world, the judge and the manner, each by name
    targets: Iterable[Target] | AsyncIterator[Target],
    *,
    network: Network,
    judge: ScanJudge,
    options: ScanOptions,
    rng: Random,
    now: Callable[[], datetime],
    observer: ScanObserver | None = None,
    stop: asyncio.Event | None = None,
    witness: LocalWitness | None = None,
    pace: Pacer | None = None,
) -> AsyncGenerator[Judged, None]:
    """Measure and judge every target, in the order in which they are done.

    `now` reads the wall clock (aware UTC). `witness` is asked about chains that the judge's store does not
    trust, and what it says is part of the measurement. `pace` decides when connections are made, by the
    options if it is None. Targets are taken one by one as workers come free,
    and held back while the consumer is slow. When `stop` is set, what is under way is broken off at once,
    what was observed of it is judged and given out, and the iteration ends. Close it (`contextlib.aclosing`)
    if it is left early. Raises UsageError if the system does not allow so many connections, what the target
    iterator raises, and at the very end the first exception of ours: a fault that one target brings to
    light must not cost the others.
    """
    make_room(options.concurrency)
    run = Run(
        network=network,
        judge=judge,
        options=options,
        rng=rng,
        observer=observer or SilentObserver(),
        now=now,
        pace=pace or Pace(options, rng),
        witness=witness,
    )
    outlet = _Outlet(options.concurrency + BACKLOG)
    source = _Source(targets)
    workers = [asyncio.create_task(_work(run, source, outlet)) for _ in range(options.concurrency)]
    helpers = [*workers]
    if stop is not None:
        helpers.append(asyncio.create_task(_break_off(stop, run, workers)))
    stopping = _StopRule(options.stop_after)
    try:
        for _ in workers:
            while (item := await outlet.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                if stopping.is_met_with(item) and not run.is_stopping:
                    run.is_stopping = True
                    run.note("stopped_early")
                yield item
        if run.faults:
            raise run.faults[0]
    finally:
        for task in helpers:
            task.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)


class _Source:
    """The targets, one at a time to whoever asks."""

    def __init__(self, targets: Iterable[Target] | AsyncIterator[Target]) -> None:
        self._sync: Iterator[Target] | None = None
        self._async: AsyncIterator[Target] | None = None
        if isinstance(targets, AsyncIterator):
            self._async = targets
        else:
            self._sync = iter(targets)
        self._turn = asyncio.Lock()

    async def take(self) -> Target | None:
        """The next target, None at the end."""
        if self._async is None:
            return next(self._sync, None) if self._sync is not None else None
        async with self._turn:
            return await anext(self._async, None)


class _Outlet:
    """A queue whose producers wait while it is full, but can always get rid of what must not be lost."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[Judged | Exception | None] = deque()
        self._consumer: asyncio.Future[None] | None = None
        self._producers: deque[asyncio.Future[None]] = deque()

    async def put(self, item: Judged) -> None:
        """Give an item as soon as there is room; a cancellation meanwhile does not lose it."""
        while len(self._items) >= self._capacity:
            room = asyncio.get_running_loop().create_future()
            self._producers.append(room)
            try:
                await room
            except asyncio.CancelledError:
                self.force(item)
                raise
        self.force(item)

    def force(self, item: Judged | Exception | None) -> None:
        """Give an item at once; None says that a worker has ended."""
        self._items.append(item)
        if self._consumer is not None and not self._consumer.done():
            self._consumer.set_result(None)

    async def get(self) -> Judged | Exception | None:
        """The next item, as soon as there is one."""
        while not self._items:
            self._consumer = asyncio.get_running_loop().create_future()
            await self._consumer
        while self._producers:
            room = self._producers.popleft()
            if not room.done():
                room.set_result(None)
                break
        return self._items.popleft()


async def _work(run: Run, source: _Source, outlet: _Outlet) -> None:
    try:
        while not run.is_stopping:
            target = await source.take()
            if target is None:
                break
            run.observer.on_start(target)
            await _measure(Draft(target, run), run, outlet)
    except Exception as exc:  # noqa: BLE001 - raised again in the consumer
        outlet.force(exc)
    finally:
        outlet.force(None)


async def _measure(draft: Draft, run: Run, outlet: _Outlet) -> None:
    try:
        judged = await draft.complete()
    except asyncio.CancelledError:
        if run.is_stopping and draft.has_observations:
            outlet.force(draft.judged())
        raise
    except Exception as exc:
        logger.debug("%s could not be measured", draft, exc_info=True)
        run.faults.append(exc)
        if len(run.faults) > MAX_FAULTS:
            raise
        return
    run.observer.on_judged(judged)
    await outlet.put(judged)


async def _break_off(stop: asyncio.Event, run: Run, workers: list[asyncio.Task[None]]) -> None:
    await stop.wait()
    run.is_stopping = True
    for worker in workers:
        worker.cancel()


class _StopRule:
    """Enough independent findings: interception of names of different owners."""

    def __init__(self, stop_after: int | None) -> None:
        self._stop_after = stop_after
        self._found: set[str] = set()

    def is_met_with(self, judged: Judged) -> bool:
        if self._stop_after is None:
            return False
        verdict = judged.verdict
        if verdict.outcome is Outcome.INTERCEPTION and verdict.confidence in _POSITIVE:
            self._found.add(base_name(judged.measurement.target.hostname))
        return len(self._found) >= self._stop_after
