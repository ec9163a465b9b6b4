"""Runs a campaign: rounds in their time, the shares of all vantages side by side, every job to one result."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from kzmitm.campaign.alarms import alarms, as_document
from kzmitm.campaign.plan import Job, JobKind, Plan, Share
from kzmitm.campaign.politeness import Politeness
from kzmitm.campaign.share_store import Result, ShareStore
from kzmitm.campaign.state import CampaignFolder
from kzmitm.model.failure import Failure
from kzmitm.model.target import Target
from kzmitm.ooni.emit import emit
from kzmitm.scan import Judged, Network, ScanJudge, ScanOptions, scan

BATCH = 64
"""Results that are written together: a loss of power costs no more than these, measured again."""
FLUSH_S = 1.0
WAIT_S = 15.0
"""Seconds until a vantage that is down, or a full disk, is tried again."""


class Watcher(Protocol):
    """Told what happens; must return quickly and never raise."""

    def on_share(self, share: Share, *, left: int) -> None: ...

    def on_result(self, job: Job, judged: Judged | None) -> None:
        """A job has its result; None for one that its vantage failed."""
        ...

    def on_note(self, share: Share | None, code: str, detail: str = "") -> None:
        """`vantage_down`, `vantage_up`, `vantage_unusable`, `disk_full`, `disk_free`, `paused`, `resumed`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a run is given: networks by vantage, judges, time. `sleep` and `now` are of the caller."""

    networks: Mapping[str, Network]
    judge: Callable[[], ScanJudge]
    """A new judge for each share: its hosts bear each other out, and no others."""
    options: ScanOptions
    now: Callable[[], datetime]
    prove: Callable[[str], Awaitable[str]] | None = None
    """Whether a vantage works and leaves TLS alone: "" or why not."""
    tell: Callable[[Mapping[str, object]], Awaitable[str]] | None = None
    """Tells of an alarm: "" or why that failed."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Runner:
    """One run of a campaign in this process."""

    def __init__(
        self, folder: CampaignFolder, world: World, watcher: Watcher, *, retry_failed: bool = False
    ) -> None:
        """`retry_failed` tries what a vantage failed once more, in finished rounds, too."""
        self._folder = folder
        self._retry_failed = retry_failed
        self._plan: Plan = folder.plan
        self._world = world
        self._watcher = watcher
        self._politeness = Politeness(self._plan.campaign.limits)
        self._unusable: dict[Share, str] = {}
        """Why vantages cannot be used at the moment."""
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Every round that is not finished, each in its time, until all are or `stopping` is set."""
        finished = self._folder.rounds_finished
        for number in range(1, self._plan.campaign.rounds.count + 1):
            if number in finished and not self._has_failed(number):
                continue
            await self._until(self._begins(number))
            if self.stopping.is_set():
                return
            await self._round(number)
            if self.stopping.is_set():
                return

    def _has_failed(self, number: int) -> bool:
        """The vantages failed something in this round that is to be tried again."""
        if not self._retry_failed:
            return False
        return any(self._folder.share_state(share).failed for share in self._plan.shares(number))

    def _begins(self, number: int) -> datetime | None:
        """When a round begins; None for at once."""
        rounds = self._plan.campaign.rounds
        start = rounds.start or self._first_start()
        if start is None:
            return None
        jitter = Random(f"jitter {self._plan.campaign.seed} {number}").uniform(0, rounds.jitter)  # noqa: S311
        return start + timedelta(seconds=(number - 1) * rounds.every + jitter)

    def _first_start(self) -> datetime | None:
        """When the first round of a campaign without a fixed start began."""
        for event in self._folder.events():
            if event.get("event") == "round_started":
                return datetime.fromisoformat(event["at"])
        return None

    async def _until(self, moment: datetime | None) -> None:
        while moment is not None and not self.stopping.is_set():
            left = (moment - self._world.now()).total_seconds()
            if left <= 0:
                return
            await self._pause(min(left, 60.0))  # a clock that jumps is noticed within a minute

    async def _pause(self, seconds: float) -> None:
        """Sleep, or less if the run is to stop."""
        sleeping = asyncio.ensure_future(self._world.sleep(seconds))
        stopping = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait((sleeping, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (sleeping, stopping):
                each.cancel()

    async def _round(self, number: int) -> None:
        self._folder.record({"event": "round_started", "round": number, "at": self._world.now().isoformat()})
        shares = self._plan.shares(number)
        async with asyncio.TaskGroup() as group:
            for share in shares:
                group.create_task(self._share(share))
        if not self.stopping.is_set():
            at = self._world.now().isoformat()
            self._folder.record({"event": "round_finished", "round": number, "at": at})
            await self._tell_alarms(number)

    async def _tell_alarms(self, number: int) -> None:
        """Tell of what stayed as it is up to this round and was not told; what failed is told again later."""
        if self._world.tell is None:
            return
        campaign = self._plan.campaign
        told = {each["id"] for each in self._folder.events() if each.get("event") == "alarm_told"}
        seen = [each for round_number in range(1, number + 1) for each in self._folder.seen(round_number)]
        for alarm in alarms(seen, after=campaign.hooks.after):
            if alarm.id in told:
                continue
            failure = await self._world.tell(as_document(alarm, campaign.name))
            if failure:
                self._watcher.on_note(None, "hook_failed", failure)
            self._folder.record(
                {"event": "hook_failed" if failure else "alarm_told", "id": alarm.id, "why": failure}
            )

    async def _share(self, share: Share) -> None:
        """One vantage's part of a round, over all its failures, until it is done."""
        store = self._folder.store(share)
        if self._retry_failed:
            store.forget_failed()
        try:
            while store.counts[2] and not self.stopping.is_set():
                if await self._is_usable(share):
                    run = ShareRun(share, self._plan, store, self._world, self._politeness, self._watcher)
                    await run.go(self.stopping, paused=lambda: self._folder.is_paused)
                    if not run.is_down:
                        continue
                await self._pause(WAIT_S)
            self._flush(store)
            store.write_manifest({"round": share.round, "vantage": share.vantage})
        finally:
            store.close()

    async def _is_usable(self, share: Share) -> bool:
        if self._world.prove is None:
            return True
        why = await self._world.prove(share.vantage)
        if why and why != self._unusable.get(share):  # told once, however long it stays so
            self._watcher.on_note(share, "vantage_unusable", why)
            self._folder.record(
                {"event": "vantage_unusable", "round": share.round, "vantage": share.vantage, "why": why}
            )
        if why:
            self._unusable[share] = why
        elif self._unusable.pop(share, ""):
            self._watcher.on_note(share, "vantage_up")
        return not why

    @staticmethod
    def _flush(store: ShareStore) -> None:
        with suppress(OSError):
            store.flush()


@dataclass(slots=True)
class ShareRun:
    """The jobs of a share that are left, measured until they are done, the vantage is down or all stops."""

    share: Share
    plan: Plan
    store: ShareStore
    world: World
    politeness: Politeness
    watcher: Watcher
    is_down: bool = False
    _under_way: dict[int, Job] = field(default_factory=dict)
    _again: deque[Job] = field(default_factory=deque)
    _attempts: dict[int, int] = field(default_factory=dict)
    _failures: int = 0
    """Of the vantage itself, one after another."""
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

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
        helpers = [asyncio.create_task(self._stop_with(stopping)), asyncio.create_task(self._tick())]
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

    async def _tick(self) -> None:
        while True:
            await self.world.sleep(FLUSH_S)
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
        if is_fault_of_vantage(judged):
            self._failed(job)
        elif not self._stop.is_set() or judged.verdict.outcome != "inconclusive":
            # What a stop broke off is measured again by the next run, and not kept as undecided.
            self._failures = 0
            if self.store.add(result_of(job, judged), line_of(job, judged)):
                self.watcher.on_result(job, judged)
        if self.store.waiting >= BATCH:
            await self._flush()

    def _failed(self, job: Job) -> None:
        """Try again later, as long as there are attempts; or the vantage is down."""
        self._failures += 1
        tried = self._attempts[job.number] = self._attempts.get(job.number, 0) + 1
        if self._failures >= self.plan.campaign.stop.vantage_failures:
            if not self.is_down:
                self.is_down = True
                self.watcher.on_note(self.share, "vantage_down")
                self._stop.set()
            return
        if tried < self.plan.campaign.limits.attempts:
            self._again.append(job)
        elif self.store.add(Result(job.number, "failed"), b""):
            self.watcher.on_result(job, None)

    async def _flush(self) -> None:
        """Have all on the disk; where it is full, say so and wait, as nothing measured may be lost."""
        told = False
        while self.store.waiting:
            try:
                self.store.flush()
            except OSError as exc:
                if not told:
                    self.watcher.on_note(self.share, "disk_full", exc.strerror or str(exc))
                told = True
                if self._stop.is_set():
                    return
                await self.world.sleep(WAIT_S)
        if told:
            self.watcher.on_note(self.share, "disk_free")


def is_fault_of_vantage(judged: Judged) -> bool:
    """The way to the target failed, so nothing was learnt of the target."""
    measurement = judged.measurement
    if measurement.tls:
        return all(each.failure == Failure.PROXY_FAILED for each in measurement.tls)
    return bool(measurement.tcp) and all(each.failure == Failure.PROXY_FAILED for each in measurement.tcp)


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
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
