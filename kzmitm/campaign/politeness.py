"""When a connection may be made: never more or sooner than a campaign's limits say, over all vantages."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from ipaddress import ip_network
from time import monotonic

from kzmitm.campaign.sections import LimitsPart
from kzmitm.model.target import Endpoint, is_ip
from kzmitm.scan import Pacer

UNKNOWN = "AS0"
"""The network of an address of which it is not known."""
MAX_IDLE = 65_536
"""Endpoints remembered only for their pause; the oldest are forgotten once that is over."""


@dataclass(slots=True)
class _Place:
    """An endpoint or network: connections under way, who waits, and when the next may begin."""

    gap: float
    under_way: int = 0
    entering: object = None
    """Who is on the way in, and whose connection has not begun yet; only where there is a pause."""
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    not_before: float = 0.0

    def is_full(self, most: int) -> bool:
        # A pause counts from the beginning of a connection, so nobody follows before that is known.
        return self.under_way >= most or self.entering is not None

    def begin(self, now: float) -> None:
        """The connection of who is entering begins."""
        if self.gap:
            self.entering = None
            self.not_before = now + self.gap
            self.wake()

    def wake(self) -> None:
        """Let who waits longest look again."""
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


class Politeness:
    """The limits of one campaign; `pacer` gives each vantage its own view of them."""

    def __init__(
        self,
        limits: LimitsPart,
        clock: Callable[[], float] = monotonic,
        network_of: Callable[[str], str] | None = None,
    ) -> None:
        """`network_of` tells the AS number of an address, AS0 where it does not know."""
        self._limits = limits
        self._clock = clock
        self._network_of = network_of
        self._endpoints: dict[Endpoint, _Place] = {}
        self._blocks: dict[str, _Place] = {}
        self._networks: dict[str, _Place] = {}
        self._all = asyncio.Semaphore(limits.concurrency)
        self._rate = Rate(limits.rate, clock)

    def pacer(self, *, concurrency: int | None = None, rate: float | None = None) -> Pacer:
        """What the scan of one vantage asks; its own limits hold besides."""
        limits = self._limits
        return _Pacer(
            self,
            asyncio.Semaphore(min(concurrency or limits.vantage_concurrency, limits.concurrency)),
            Rate(rate or limits.vantage_rate, self._clock),
        )

    @asynccontextmanager
    async def turn(self, endpoint: Endpoint, own: asyncio.Semaphore, rate: "Rate") -> AsyncIterator[None]:
        """Enter when all limits allow it. What is waited for longest comes first, so nothing is held idle."""
        limits = self._limits
        async with (
            self._in(self._endpoints, endpoint, limits.endpoint_concurrency, limits.endpoint_gap) as place,
            self._in(self._blocks, block_of(endpoint.ip), limits.network_concurrency, 0.0),
            self._in_network(endpoint.ip) as network,
            own,
            self._all,
        ):
            await rate.turn(self._rate)
            now = self._clock()
            place.begin(now)
            if network is not None:
                network.begin(now)
            yield

    def _in_network(self, ip: str) -> AbstractAsyncContextManager[_Place | None]:
        """The autonomous system of an address, where it is known and limited."""
        most, rate = self._limits.as_concurrency, self._limits.as_rate
        if self._network_of is None or (most is None and rate is None) or not is_ip(ip):
            return nullcontext()
        name = self._network_of(ip)
        if name == UNKNOWN:
            return nullcontext()
        return self._in(self._networks, name, most or self._limits.concurrency, 1 / rate if rate else 0.0)

    @asynccontextmanager
    async def _in(self, places: dict, key: object, most: int, gap: float) -> AsyncIterator[_Place]:  # type: ignore[type-arg]
        place: _Place = places.setdefault(key, _Place(gap))
        while place.is_full(most):
            await self._wait(place)
            place = places.setdefault(key, place)  # it may have been forgotten, and begun anew by another
        place.under_way += 1
        who = object()
        if gap:
            place.entering = who
        try:
            delay = place.not_before - self._clock()
            if delay > 0:
                await asyncio.sleep(delay)
            yield place
        finally:
            place.under_way -= 1
            if place.entering is who:
                place.entering = None
            place.wake()
            self._forget(places, key, place)

    @staticmethod
    async def _wait(place: _Place) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place.waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                place.wake()  # what it was woken for is somebody else's now
            raise

    def _forget(self, places: dict, key: object, place: _Place) -> None:  # type: ignore[type-arg]
        """Keep no place that limits nothing any more."""
        if place.under_way or place.waiting:
            return
        now = self._clock()
        if place.not_before <= now:
            places.pop(key, None)
        if len(places) > MAX_IDLE:
            over = [k for k, v in places.items() if not v.under_way and not v.waiting and v.not_before <= now]
            for each in over:
                del places[each]


@dataclass(frozen=True, slots=True)
class _Pacer:
    politeness: Politeness
    own: asyncio.Semaphore
    rate: "Rate"

    def turn(self, endpoint: Endpoint) -> AbstractAsyncContextManager[None]:
        return self.politeness.turn(endpoint, self.own, self.rate)


class Rate:
    """Turns evenly spaced, so that no second has more than the rate."""

    def __init__(self, per_second: float | None, clock: Callable[[], float] = monotonic) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._next = 0.0
        self._first = asyncio.Lock()

    async def turn(self, then: "Rate | None" = None) -> None:
        """Return when the next may begin, here and by the rate `then`."""
        if then is None:
            await self._wait()
        elif not self._interval:
            await then.turn()
        else:
            # One after another: who waits for the other rate would come too close to the one behind.
            async with self._first:
                delay = self._next - self._clock()
                if delay > 0:
                    await asyncio.sleep(delay)
                await then.turn()
                self._next = self._clock() + self._interval

    async def _wait(self) -> None:
        if not self._interval:
            return
        now = self._clock()
        at = max(now, self._next)
        self._next = at + self._interval
        if at > now:
            await asyncio.sleep(at - now)


def block_of(ip: str) -> str:
    """The neighbourhood of an address (/24, /48), or the name that a proxy will resolve."""
    if not is_ip(ip):
        return ip
    if ":" not in ip:
        return ip.rpartition(".")[0] + ".0/24"
    return str(ip_network(f"{ip}/48", strict=False))
