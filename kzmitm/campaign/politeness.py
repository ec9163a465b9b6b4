"""When a connection may be made: never more or sooner than a campaign's limits say, over all vantages."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from time import monotonic

from kzmitm.campaign.sections import LimitsPart
from kzmitm.model.target import Endpoint, is_ip
from kzmitm.scan import Pacer

MAX_IDLE = 65_536
"""Endpoints remembered only for their pause; the oldest are forgotten once that is over."""


@dataclass(slots=True)
class _Place:
    """An endpoint or block of addresses: connections under way, who waits, and when the next may begin."""

    under_way: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    not_before: float = 0.0


class Politeness:
    """The limits of one campaign; `pacer` gives each vantage its own view of them."""

    def __init__(self, limits: LimitsPart, clock: Callable[[], float] = monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._endpoints: dict[Endpoint, _Place] = {}
        self._blocks: dict[str, _Place] = {}
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
            self._in(self._endpoints, endpoint, limits.endpoint_concurrency, limits.endpoint_gap),
            self._in(self._blocks, block_of(endpoint.ip), limits.network_concurrency, 0.0),
            own,
            self._all,
        ):
            await rate.turn()
            await self._rate.turn()
            yield

    @asynccontextmanager
    async def _in(self, places: dict, key: object, most: int, gap: float) -> AsyncIterator[None]:  # type: ignore[type-arg]
        place: _Place = places.setdefault(key, _Place())
        while place.under_way >= most:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            place.waiting.append(waiter)
            await waiter
            place = places.setdefault(key, place)  # it may have been forgotten, and begun anew by another
        place.under_way += 1
        try:
            if gap:
                delay = place.not_before - self._clock()
                place.not_before = max(place.not_before, self._clock()) + gap
                if delay > 0:
                    await asyncio.sleep(delay)
            yield
        finally:
            place.under_way -= 1
            while place.waiting:
                waiter = place.waiting.popleft()
                if not waiter.done():
                    waiter.set_result(None)
                    break
            self._forget(places, key, place)

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

    async def turn(self) -> None:
        """Return when the next may begin."""
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
