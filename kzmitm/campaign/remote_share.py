"""A share whose vantage is a worker far away: its jobs are put on a server, its results taken from there.

Only so many jobs are put ahead of their results. A job that the worker took and never gave a result for, as a
liar or a broken one does, is put again as often as the campaign tries a target, and has failed then.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

from kzmitm.campaign.intake import Accepted, Intake, Refusals, RefusedError
from kzmitm.campaign.plan import Job, Plan, Share
from kzmitm.campaign.receipts import Receipts
from kzmitm.campaign.remote_setup import TAKE_AT_ONCE, Remote, item_of, prepare
from kzmitm.campaign.room import kept
from kzmitm.campaign.share_run import result_of
from kzmitm.campaign.share_store import Result, ShareStore
from kzmitm.campaign.subjects import TAKER, Subjects
from kzmitm.campaign.world import ROOM_S, Watcher, World
from kzmitm.errors import UsageError
from kzmitm.netio.queue_access import QueueError
from kzmitm.scan.health import is_link_failure
from kzmitm.wording import Wording, reason_of

T = TypeVar("T")

if TYPE_CHECKING:  # nats-py is an extra
    from kzmitm.netio.nats_queue import Mailbox, Message

DONE_PURGED: Final = 256
"""Results after which those dealt with are deleted on the server."""
STREAK: Final = 32
"""Results of no use, one after another, after which the worker is listened to less and less often."""
MAX_PENALTY_S: Final = 1.0
DRAIN_S: Final = 30.0


@dataclass(slots=True)
class RemoteShare:
    """The jobs of a share that are left, by a worker, until all have a result or the run stops."""

    share: Share
    plan: Plan
    store: ShareStore
    world: World
    watcher: Watcher
    remote: Remote
    intake: Intake
    began: datetime
    on_key: Callable[[Accepted], Awaitable[None]]
    """Told of the first result of a key that was not pinned before."""
    refusals: Refusals = field(default_factory=Refusals)
    _open: set[int] = field(default_factory=set)
    """Numbers of the jobs that were put and have no result."""
    _again: deque[int] = field(default_factory=deque)
    _attempts: dict[int, int] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _is_taking: bool = False
    _was_idle: bool = False
    _is_deserted: bool = False
    _useless: int = 0
    _complaint: str = ""
    """What the server said last when it did not do something."""

    @property
    def names(self) -> Subjects:
        return Subjects(self.plan.campaign.name, self.share.vantage)

    async def go(self, stopping: asyncio.Event, *, paused: Callable[[], bool]) -> None:
        self.watcher.on_share(self.share, left=self.store.counts[2])
        work = asyncio.create_task(self._serve(paused))
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (work, stop):
                each.cancel()
            await asyncio.gather(work, stop, return_exceptions=True)
        if not work.cancelled():
            work.result()

    async def _serve(self, paused: Callable[[], bool]) -> None:
        await self._patiently(lambda: prepare(self.remote, self.plan, self.names))
        self.watcher.on_note(self.share, "offered")
        receipts = await kept(
            lambda: Receipts(self.store.folder),
            share=self.share,
            watcher=self.watcher,
            stopping=asyncio.Event(),  # whoever stops this, cancels it
            pause=self.world.sleep,
        )
        with receipts:
            taking = asyncio.create_task(self._take_results(receipts))
            putting = asyncio.create_task(self._put_jobs(paused))
            both = (taking, putting)
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in both:
                    each.cancel()
                ends = await asyncio.gather(*both, return_exceptions=True)
            for end in ends:
                if isinstance(end, Exception):
                    raise end
            await self._flush(receipts)

    async def _patiently(self, action: Callable[[], Awaitable[T]]) -> T:
        """What an action gives, tried until the server is there."""
        while True:
            try:
                return await action()
            except QueueError as exc:
                if str(exc) != self._complaint:
                    self._complaint = str(exc)
                    self.watcher.on_note(self.share, "server_refuses", self._complaint)
                await self._pause()

    async def _pause(self) -> None:
        """Wait for the link; raises UsageError if it is gone for good."""
        if self.remote.queue.is_closed:
            raise UsageError("the server has closed the link", hint="do the credentials still hold?")
        await self.world.sleep(self.remote.again_s)

    # -- results

    async def _take_results(self, receipts: Receipts) -> None:
        queue, names = self.remote.queue, self.names
        box: Mailbox = await self._patiently(lambda: queue.mailbox(names.result_stream, TAKER))
        since = 0
        while True:
            try:
                messages = await box.take(TAKE_AT_ONCE, self.remote.wait_s)
            except QueueError:
                await self._pause()
                continue
            self._is_taking = True
            await self._keep(messages, receipts)
            self._is_taking = False
            since += len(messages)
            if since >= DONE_PURGED or (since and not messages):
                # Nothing may have come because there is no room for it.
                since = 0
                with suppress(QueueError):
                    await queue.forget_done(names.result_stream, TAKER)
            if messages:
                self._changed.set()
            await self._be_wary()

    async def _keep(self, messages: "list[Message]", receipts: Receipts) -> None:
        """Judge and store results, and only then tell the server that they are dealt with."""
        for message in messages:
            await self._take(message.octets, receipts)
            await asyncio.sleep(0)  # others have their turn between two large ones
        await self._flush(receipts)
        for message in messages:
            await message.done()

    async def _be_wary(self) -> None:
        """Listen less often to who sends nothing but what is of no use: the others are to be served."""
        over = self._useless - STREAK
        if over > 0:
            await self.world.sleep(min(MAX_PENALTY_S, 0.01 * over))

    async def _take(self, octets: bytes, receipts: Receipts) -> None:
        is_first = self.intake.pinned is None
        try:
            accepted = self.intake.take(
                octets, is_final=self.store.is_final, began=self.began, now=self.world.now()
            )
        except RefusedError as exc:
            self._useless += 1
            if self.refusals.add(exc):
                self.watcher.on_note(
                    self.share, "refused", Wording("{why} ({key})", why=exc, key=exc.key or Wording("no key"))
                )
            return
        if accepted is None:
            self._useless += 1  # comes of at-least-once, too, but not in such numbers
            return
        self._useless = 0
        if is_first:
            await self.on_key(accepted)
        self._accept(accepted, receipts)

    def _accept(self, accepted: Accepted, receipts: Receipts) -> None:
        job, judged = accepted.job, accepted.judged
        if is_link_failure(judged.measurement):
            if job.number in self._open:
                self._failed(job)
            return
        self._open.discard(job.number)
        # When it was measured is the worker's word, as far as that can be.
        result = replace(result_of(job, judged), at=judged.facts.now.timestamp())
        if self.store.add(result, accepted.result.line):
            receipts.add(job.number, accepted.result)
            self.watcher.on_result(job, judged)

    def _failed(self, job: Job) -> None:
        """Put it again, as long as there are attempts."""
        self._open.discard(job.number)
        tried = self._attempts[job.number] = self._attempts.get(job.number, 0) + 1
        if tried < self.plan.campaign.limits.attempts:
            self._again.append(job.number)
        elif self.store.add(Result(job.number, "failed"), b""):
            self.watcher.on_result(job, None)

    async def _flush(self, receipts: Receipts) -> None:
        """Have all on the disk; where it is full, say so and wait."""
        told = False
        while self.store.waiting:
            try:
                await asyncio.to_thread(receipts.flush)
                await asyncio.to_thread(self.store.flush)
            except OSError as exc:
                if not told:
                    self.watcher.on_note(self.share, "disk_full", reason_of(exc))
                told = True
                await self.world.sleep(ROOM_S)
        if told:
            self.watcher.on_note(self.share, "disk_free")

    # -- jobs

    async def _drained(self) -> None:
        """Wait for the results that came while nobody ran, then take back the jobs that were put then.

        A worker that has one of these in hand measures it twice; without this, one that was lost would wait.
        """
        queue, names = self.remote.queue, self.names
        until = monotonic() + DRAIN_S  # who sends without end shall not keep us from the work
        while monotonic() < until:
            backlog = await self._patiently(lambda: queue.backlog(names.result_stream, TAKER))
            if backlog.is_empty and not self._is_taking:
                break
            await self._until_changed(self.remote.again_s)
        await self._patiently(lambda: queue.forget(names.work_stream, names.work))

    async def _put_jobs(self, paused: Callable[[], bool]) -> None:
        await self._drained()
        order = self._unfinished()
        while self.store.counts[2]:
            while not paused() and len(self._open) < self.remote.ahead:
                number = self._again.popleft() if self._again else next(order, None)
                if number is None:
                    break
                await self._put(self.plan.job(self.share, number))
            if not await self._until_changed(max(self.remote.again_s, self.remote.ack_wait_s / 4)):
                with suppress(QueueError):
                    await self._look_for_lost()

    def _unfinished(self) -> Iterator[int]:
        return (number for number in self.plan.order(self.share) if not self.store.is_final(number))

    async def _put(self, job: Job) -> None:
        attempt = self._attempts.get(job.number, 0) + 1
        item = item_of(self.plan, job, attempt=attempt, benign=self.world.options.benign_sni)
        octets = item.encoded()
        run = f"{self.began.timestamp():.0f}-{id(self):x}"  # one put by an earlier run must not hide this one
        message_id = f"{job.id}.{attempt}.{run}"
        self._open.add(job.number)
        await self._patiently(lambda: self.remote.queue.put(self.names.work, octets, message_id))

    async def _until_changed(self, seconds: float) -> bool:
        """Wait for results; False if none came."""
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
                return True
        return False

    async def _look_for_lost(self) -> None:
        """Find jobs that nobody has any more, and whether anybody works at all."""
        queue, names = self.remote.queue, self.names
        work = await queue.backlog(names.work_stream, names.vantage)
        self._tell_presence(is_deserted=not work.asking and not work.under_way)
        results = await queue.backlog(names.result_stream, TAKER)
        is_idle = work.is_empty and results.is_empty and not self._is_taking and bool(self._open)
        if not (is_idle and self._was_idle):
            self._was_idle = is_idle  # what was put just now may not be counted yet: look twice
            return
        self._was_idle = False
        await queue.forget(names.work_stream, names.work)
        for number in sorted(self._open):
            self._failed(self.plan.job(self.share, number))  # written with the results that are taken next

    def _tell_presence(self, *, is_deserted: bool) -> None:
        if is_deserted != self._is_deserted:
            self.watcher.on_note(self.share, "worker_absent" if is_deserted else "worker_present")
        self._is_deserted = is_deserted
