"""When the next connection may be made: random pauses, a rate for all, a gap per endpoint."""

import asyncio
from collections import OrderedDict
from contextlib import AbstractAsyncContextManager, nullcontext
from random import Random
from time import monotonic

from kzmitm.model.target import Endpoint
from kzmitm.scan.options import ScanOptions

REMEMBERED_ENDPOINTS = 4096
"""Endpoints whose last connection is remembered; older ones were long enough ago at any rate in use."""


FREE = nullcontext()
"""The turn of whoever need not wait."""


class _Turn:
    """Waits when it is entered; nothing is held until it is left."""

    __slots__ = ("_endpoint", "_pace")

    def __init__(self, pace: "Pace", endpoint: Endpoint) -> None:
        self._pace = pace
        self._endpoint = endpoint

    async def __aenter__(self) -> None:
        await self._pace.wait(self._endpoint)

    async def __aexit__(self, *_: object) -> None: ...


class Pace:
    """Shared by all workers of a scan."""

    def __init__(self, options: ScanOptions, rng: Random) -> None:
        self._pause_s = options.pause_s
        self._interval_s = 1 / options.rate_per_s if options.rate_per_s else 0.0
        self._gap_s = options.endpoint_gap_s
        self._rng = rng
        self._next_slot = 0.0
        self._last: OrderedDict[Endpoint, float] = OrderedDict()
        self._is_first = True
        self.is_free = not (self._pause_s[1] or self._interval_s or self._gap_s)
        """Nothing to wait for, ever."""

    def turn(self, endpoint: Endpoint) -> AbstractAsyncContextManager[None]:
        """Enter when a connection to `endpoint` may be made. The first of a scan does not pause."""
        return FREE if self.is_free else _Turn(self, endpoint)

    async def wait(self, endpoint: Endpoint) -> None:
        """Return when a connection to `endpoint` may be made."""
        now = monotonic()
        at = now
        if self._pause_s[1] and not self._is_first:
            at += self._rng.uniform(*self._pause_s)
        self._is_first = False
        if self._interval_s:
            at = max(at, self._next_slot)
            self._next_slot = at + self._interval_s
        if self._gap_s:
            at = max(at, self._last.pop(endpoint, 0.0) + self._gap_s)
            self._last[endpoint] = at
            if len(self._last) > REMEMBERED_ENDPOINTS:
                self._last.popitem(last=False)
        if at > now:
            await asyncio.sleep(at - now)
