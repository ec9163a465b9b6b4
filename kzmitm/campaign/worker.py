"""A worker: takes jobs of one vantage from a server, measures them, gives signed results back.

It does what the items say within its own limits, and never more: an item cannot make it faster, or send it
into the network that it stands in. Its verdicts stay here; the coordinator judges by itself.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from random import Random
from typing import TYPE_CHECKING, Final

from kzmitm.campaign.politeness import Politeness
from kzmitm.campaign.sections import LimitsPart
from kzmitm.campaign.subjects import Subjects
from kzmitm.campaign.work import WorkError, WorkItem, parse_item, result_of_work
from kzmitm.campaign.work_manner import BothPacers, Ceiling, limits_of, line_of_work, scan_options
from kzmitm.errors import UsageError
from kzmitm.evidence.signing.keys import SigningKey
from kzmitm.model.target import Target, is_ip
from kzmitm.netio.queue_access import MessageTooLargeError, QueueError, QueueFullError
from kzmitm.scan import Judged, Network, ScanJudge, scan
from kzmitm.wording import joined

if TYPE_CHECKING:  # nats-py is an extra
    from kzmitm.netio.nats_queue import Mailbox, Message, Queue

SIGN_OF_LIFE_S: Final = 8.0
"""Between two words to the server that a job is still under way."""
LONGEST_S: Final = 1800.0
"""After which nobody is told any more that a job is under way: something is wrong with it."""
IN_THE_POST: Final = 16
"""Results that may wait for the link; measuring waits beyond."""
REMEMBERED: Final = 4096
FAREWELL_S: Final = 0.3


@dataclass(slots=True, kw_only=True)
class Worker:
    """One worker of one vantage."""

    queue: "Queue"
    names: Subjects
    network: Network
    judge: Callable[[], ScanJudge]
    """Its own, which only decides what to look at once more."""
    key: SigningKey
    ceiling: Ceiling
    now: Callable[[], datetime]
    told: Callable[[str, str], None]
    """Hears a code and details: `given`, `refused`, `full`, `lost`, `too_long`."""
    network_of: Callable[[str], str] | None = None
    """The autonomous system of an address, `AS0` where it is not known; None if none is."""
    wait_s: float = 5.0
    again_s: float = 1.0
    given: int = 0
    _under_way: dict[int, tuple[WorkItem, "Message"]] = field(default_factory=dict)
    _at_hand: "deque[tuple[WorkItem, Message]]" = field(default_factory=deque)
    _done: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _posts: set[asyncio.Task[None]] = field(default_factory=set)
    _asked: int = 1
    """How many at once the last item asked for."""
    _words: dict[str, int] = field(default_factory=dict)
    """Signs of life given for a job."""
    _own: Politeness = field(init=False)

    def __post_init__(self) -> None:
        own = self.ceiling
        self._own = Politeness(
            LimitsPart(concurrency=own.concurrency, vantage_concurrency=own.concurrency, rate=own.rate)
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; raises UsageError once the server does not want us any more."""
        box = await self.queue.mailbox(self.names.work_stream, self.names.vantage)
        alive = asyncio.create_task(self._tell_of_life())
        try:
            while (first := await self._next(box, stopping)) is not None:
                await self._measure(first, box, stopping)
        finally:
            alive.cancel()
            await self._leave()

    # -- jobs

    async def _next(self, box: "Mailbox", stopping: asyncio.Event) -> "tuple[WorkItem, Message] | None":
        """The next job that we take, None once all is to stop."""
        while not stopping.is_set():
            if self._at_hand:
                return self._at_hand.popleft()
            taking = asyncio.ensure_future(self._take(box))
            stop = asyncio.ensure_future(stopping.wait())
            try:
                await asyncio.wait((taking, stop), return_when=asyncio.FIRST_COMPLETED)
            finally:
                stop.cancel()
                taking.cancel()
                await asyncio.gather(taking, stop, return_exceptions=True)
            if not taking.cancelled():
                taking.result()
        return None

    async def _take(self, box: "Mailbox") -> None:
        try:
            messages = await box.take(self._room(), self.wait_s)
        except QueueError as exc:
            if self.queue.is_closed:
                raise UsageError(
                    "the server has closed the link", hint="do the credentials still hold?"
                ) from exc
            self.told("lost", str(exc))
            await asyncio.sleep(self.again_s)
            return
        for message in messages:
            item = await self._checked(message)
            if item is not None:
                self._at_hand.append((item, message))

    def _room(self) -> int:
        """How many more we may have: who asks for more than the server gives out waits for them in vain."""
        in_hand = len(self._under_way) + len(self._at_hand)
        return max(1, min(self.ceiling.concurrency, self._asked) - in_hand)

    async def _checked(self, message: "Message") -> WorkItem | None:
        """The item in a message; what we do not do is given back for good."""
        try:
            item = parse_item(message.octets)
            self._check(item)
        except WorkError as exc:
            self.told("refused", str(exc))
            await message.never()
            return None
        self._asked = item.options.concurrency
        if self._token(item) in self._done:
            await message.done()  # its acknowledgement was lost, not its result
            return None
        return item

    def _check(self, item: WorkItem) -> None:
        """Raise WorkError for what is not for us to do."""
        if (item.campaign, item.vantage) != (self.names.campaign, self.names.vantage):
            raise WorkError("of another campaign or vantage")
        host = item.target.hostname
        if is_ip(host) and not self.ceiling.local_targets and not ip_address(host).is_global:
            raise WorkError(
                "{host} is an address of a network of one's own, which is none of theirs", host=host
            )

    @staticmethod
    def _token(item: WorkItem) -> str:
        return f"{item.plan}.{item.job}.{item.attempt}"

    # -- measuring

    async def _measure(
        self, first: "tuple[WorkItem, Message]", box: "Mailbox", stopping: asyncio.Event
    ) -> None:
        """Measure this job and those after it that are to be measured in the same manner."""
        options = first[0].options
        stream = scan(
            self._targets(first, box, stopping),
            network=self.network,
            judge=self.judge(),
            options=scan_options(options, self.ceiling),
            rng=Random(),  # noqa: S311 (nonsense names)
            now=self.now,
            stop=stopping,
            pace=BothPacers(
                self._own.pacer(), Politeness(limits_of(options), network_of=self.network_of).pacer()
            ),
        )
        async with aclosing(stream):
            async for judged in stream:
                item, message = self._under_way[id(judged.asked)]
                if stopping.is_set():
                    continue  # it may have been broken off; the server gives it to somebody again
                while len(self._posts) >= IN_THE_POST:
                    await asyncio.wait(self._posts, return_when=asyncio.FIRST_COMPLETED)
                post = asyncio.create_task(self._give(item, message, judged))
                self._posts.add(post)
                post.add_done_callback(self._posts.discard)

    async def _targets(
        self, first: "tuple[WorkItem, Message]", box: "Mailbox", stopping: asyncio.Event
    ) -> AsyncIterator[Target]:
        job: tuple[WorkItem, Message] | None = first
        while job is not None:
            item = job[0]
            if item.options != first[0].options:
                self._at_hand.appendleft(job)
                return
            self._under_way[id(item.target)] = job
            yield item.target
            job = await self._next(box, stopping)

    # -- results

    async def _give(self, item: WorkItem, message: "Message", judged: Judged) -> None:
        """Sign a result, have the server keep it, and only then say that the job is done."""
        result = result_of_work(item, line_of_work(item, judged, self.key), self.key)
        try:
            await self._put(result.encoded(), item.message_id(self.key.public))
        except (WorkError, MessageTooLargeError) as exc:
            self.told("too_long", joined(": ", (str(item.target), str(exc))))
            await message.never()
        else:
            await message.done()
            self._done[self._token(item)] = None
            if len(self._done) > REMEMBERED:
                self._done.popitem(last=False)
            self.given += 1
            self.told("given", str(item.target))
        del self._under_way[id(item.target)]
        self._words.pop(item.job, None)

    async def _put(self, octets: bytes, message_id: str) -> None:
        while True:
            try:
                await self.queue.put(self.names.result, octets, message_id)
            except MessageTooLargeError:
                raise
            except QueueError as exc:
                self.told("full" if isinstance(exc, QueueFullError) else "lost", str(exc))
                await asyncio.sleep(self.again_s)
            else:
                return

    async def _tell_of_life(self) -> None:
        while True:
            await asyncio.sleep(SIGN_OF_LIFE_S)
            for item, message in (*self._under_way.values(), *self._at_hand):
                words = self._words[item.job] = self._words.get(item.job, 0) + 1
                if words * SIGN_OF_LIFE_S < LONGEST_S:
                    await message.working()

    async def _leave(self) -> None:
        """Give what is in the post a moment, and the rest back for others at once."""
        if self._posts:
            await asyncio.wait(self._posts, timeout=FAREWELL_S)
        for post in self._posts:
            post.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                for _item, message in (*self._under_way.values(), *self._at_hand):
                    await message.again(0)
