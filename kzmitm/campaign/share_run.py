"""One share of a round: its jobs measured through its vantage, each result kept once."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from random import Random
from time import monotonic

from kzmitm.campaign.line_json import line_json
from kzmitm.campaign.plan import Job, JobKind, Plan, Share
from kzmitm.campaign.politeness import Politeness
from kzmitm.campaign.share_store import Result, ShareStore
from kzmitm.campaign.world import ROOM_S, Watcher, World
from kzmitm.model.target import Target
from kzmitm.model.verdict import Outcome
from kzmitm.ooni.emit import emit
from kzmitm.scan import Judged, scan
from kzmitm.scan.health import LinkHealth, is_link_failure
from kzmitm.wording import reason_of

BATCH = 64
"""Results that are written together, where the disk is quick enough."""
MOST_WAITING = 1024
"""Results not on the disk, beyond which measuring waits: what a loss of power costs at most."""
FLUSH_S = 1.0
LOOK_S = 0.5
"""Between two looks whether the user has paused the campaign: a look costs as much as some of the work."""


@dataclass(slots=True)
class ShareRun:
    """The jobs of a share that are left, measured until they are done, the vantage is down or all stops."""

    share: Share
    plan: Plan
    store: ShareStore
    world: World
    politeness: Politeness
    watcher: Watcher
    _under_way: dict[int, Job] = field(default_factory=dict)
    _again: deque[Job] = field(default_factory=deque)
    _attempts: dict[int, int] = field(default_factory=dict)
    _health: LinkHealth = field(init=False)
    _look_at: float = 0.0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _batch: asyncio.Event = field(default_factory=asyncio.Event)
    _is_full: bool = False
    """The disk has no room, and that was told."""

    def __post_init__(self) -> None:
        self._health = LinkHealth(down_after=self.plan.campaign.stop.vantage_failures)

    @property
    def is_down(self) -> bool:
        """The vantage failed so often in a row that its share waits."""
        return self._health.is_down

    async def go(self, stopping: asyncio.Event, *, paused: Callable[[], bool]) -> None:
        part = next(each for each in self.plan.campaign.vantages if each.name == self.share.vantage)
        self.watcher.on_share(self.share, left=self.store.counts[2])
        stream = scan(
            self._targets(paused),
            network=self.world.networks[self.share.vantage],
            judge=self.world.judge(),
            options=self.world.options,
            rng=Random(),  # noqa: S311 (nonsense names)
            now=self.world.now,
            stop=self._stop,
            pace=self.politeness.pacer(concurrency=part.concurrency, rate=part.rate),
        )
        helpers = [asyncio.create_task(self._stop_with(stopping)), asyncio.create_task(self._write())]
        try:
            async with aclosing(stream):
                async for judged in stream:
                    await self._take(judged)
        finally:
            for each in helpers:
                each.cancel()
            await self._flush()

    async def _stop_with(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._stop.set()
        self._idle.set()

    async def _write(self) -> None:
        """Have on the disk what waits, whenever there is a batch of it, or some time has passed."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._batch.wait(), FLUSH_S)
            self._batch.clear()
            await self._flush()

    async def _targets(self, paused: Callable[[], bool]) -> AsyncIterator[Target]:
        """The targets of the jobs that have no result, in the plan's order; then those to be tried again."""
        for number in self.plan.order(self.share):
            if self.is_down or self._stop.is_set():
                return
            if not self.store.is_final(number):
                await self._while_paused(paused)
                yield self._begin(self.plan.job(self.share, number))
        while (self._again or self._under_way) and not (self.is_down or self._stop.is_set()):
            if self._again:
                yield self._begin(self._again.popleft())
            else:
                self._idle.clear()
                await self._idle.wait()

    async def _while_paused(self, paused: Callable[[], bool]) -> None:
        if monotonic() < self._look_at:
            return
        self._look_at = monotonic() + LOOK_S
        if not paused():
            return
        self.watcher.on_note(self.share, "paused")
        while paused() and not self._stop.is_set():
            await self.world.sleep(1.0)
        self.watcher.on_note(self.share, "resumed")

    def _begin(self, job: Job) -> Target:
        self._under_way[id(job.target)] = job
        return job.target

    async def _take(self, judged: Judged) -> None:
        job = self._under_way.pop(id(judged.asked))
        self._idle.set()
        was_down = self.is_down
        self._health.note(judged.measurement)
        if is_link_failure(judged.measurement):
            self._failed(job, was_down=was_down)
        elif self._counts(judged) and self.store.add(result_of(job, judged), line_of(job, judged)):
            self.watcher.on_result(job, judged)
        if self.store.waiting >= BATCH:
            self._batch.set()
        if self.store.waiting >= MOST_WAITING:
            await self._flush()

    def _counts(self, judged: Judged) -> bool:
        """What a stop broke off is measured again by the next run, and not kept as undecided."""
        return not self._stop.is_set() or judged.verdict.outcome is not Outcome.INCONCLUSIVE

    def _failed(self, job: Job, *, was_down: bool) -> None:
        """Try again later, as long as there are attempts; or the vantage is down."""
        tried = self._attempts[job.number] = self._attempts.get(job.number, 0) + 1
        if self.is_down:
            if not was_down:
                self.watcher.on_note(self.share, "vantage_down")
                self._stop.set()
            return
        if tried < self.plan.campaign.limits.attempts:
            self._again.append(job)
        elif self.store.add(Result(job.number, "failed"), b""):
            self.watcher.on_result(job, None)

    async def _flush(self) -> None:
        """Have all on the disk; where it is full, say so and wait, as nothing measured may be lost."""
        while self.store.waiting:
            try:
                await asyncio.to_thread(self.store.flush)  # a slow disk holds nobody up
            except OSError as exc:
                if not self._is_full:
                    self.watcher.on_note(self.share, "disk_full", reason_of(exc))
                self._is_full = True
                if self._stop.is_set():
                    return
                await self.world.sleep(ROOM_S)
        if self._is_full:
            self._is_full = False
            self.watcher.on_note(self.share, "disk_free")


def result_of(job: Job, judged: Judged) -> Result:
    """What the log tells of a judged job."""
    verdict, focus = judged.verdict, judged.facts.focus
    return Result(
        job.number,
        "done",
        outcome=verdict.outcome,
        confidence=verdict.confidence or "",
        authority=verdict.authority.id if verdict.authority is not None else "",
        certificate=(focus.leaf_sha256 or "") if focus is not None else "",
        at=judged.measurement.started_at.timestamp(),
    )


def line_of(job: Job, judged: Judged) -> bytes:
    """The measurement as a line of OONI's format, with what the campaign calls it."""
    annotations = {
        "campaign_job": job.id,
        "campaign_round": str(job.share.round),
        "campaign_vantage": job.share.vantage,
    }
    if job.kind is JobKind.CONTROL:
        annotations["campaign_control"] = "true"
    measurement = judged.measurement
    document = emit(
        measurement,
        test_start_time=measurement.started_at,
        failures=judged.facts.failures,
        annotations=annotations,
    )
    return line_json(document)
