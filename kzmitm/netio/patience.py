"""How services of others are asked gently: pauses after failures, a pace for requests, a limit for octets.

Clock, sleep and jitter are arguments, so that a test of a night's waiting takes no time.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from kzmitm.errors import KzmitmError
from kzmitm.wording import Wording

ATTEMPTS = 6
"""Of one request: with the pauses below they span a minute, longer than a load balancer takes to recover."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
LONGEST_ASKED_S = 300.0
"""What a server may ask us to wait; beyond, it is asked again by the user's next run."""

_log = logging.getLogger(__name__)
_Value = TypeVar("_Value")


class ServiceError(KzmitmError):
    """A service could not be asked, or refused; may hold text of a stranger."""

    hint = Wording("try again later; what was fetched is kept")


class TransientError(ServiceError):
    """The same, and asking again may help; `asked_s` is how long the service asks us to wait."""

    def __init__(self, message: str, /, *, asked_s: float | None = None, **values: object) -> None:
        super().__init__(Wording(message, **values))
        self.asked_s = asked_s


@dataclass(frozen=True, slots=True)
class Timing:
    """What passes the time."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    """From 0 to 1: thousands of clients that were cut off together must not come back together."""


class Patience:
    """Asks again after failures that may pass; what one request is told to wait, all wait."""

    def __init__(
        self,
        timing: Timing,
        *,
        attempts: int = ATTEMPTS,
        first_s: float = FIRST_PAUSE_S,
        longest_s: float = LONGEST_PAUSE_S,
    ) -> None:
        self._timing = timing
        self._attempts = attempts
        self._first_s = first_s
        self._longest_s = longest_s
        self._not_before = 0.0

    async def persist(
        self, attempt: Callable[[], Awaitable[_Value]], *, has_gained: Callable[[], bool] = lambda: False
    ) -> _Value:
        """What `attempt` returns, tried again after each TransientError; raises ServiceError at last.

        An attempt that gained something (`has_gained`) before it failed does not count.
        """
        failures = 0
        while True:
            await self._wait()
            try:
                return await attempt()
            except TransientError as exc:
                failures = 1 if has_gained() else failures + 1
                if (exc.asked_s or 0.0) > LONGEST_ASKED_S:
                    raise ServiceError(
                        "{why}; it asks to wait {wait} s", why=exc, wait=f"{exc.asked_s:.0f}"
                    ) from exc
                if failures >= self._attempts:
                    raise ServiceError("{why} ({failures} attempts)", why=exc, failures=failures) from exc
                await self._pause(failures, exc.asked_s)

    async def _wait(self) -> None:
        left = self._not_before - self._timing.clock()
        if left > 0:
            await self._timing.sleep(left)

    async def _pause(self, failures: int, asked_s: float | None) -> None:
        longest = min(self._longest_s, self._first_s * 2 ** (failures - 1))
        pause = longest * (0.5 + self._timing.jitter() / 2)
        if asked_s is not None:
            pause += asked_s
            self._not_before = max(self._not_before, self._timing.clock() + asked_s)
        _log.debug("asked again in %.0f s", pause)
        await self._timing.sleep(pause)


def asked_pause(header: str | None, now: datetime) -> float | None:
    """The seconds of a Retry-After header (RFC 9110, 10.2.3), None if there is none that can be read."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, (moment - now).total_seconds())


class Pace:
    """Lets one request begin each `interval_s` seconds."""

    def __init__(self, interval_s: float, timing: Timing) -> None:
        self._interval_s = interval_s
        self._timing = timing
        self._next_at = timing.clock()

    async def wait(self) -> None:
        """Wait for the next turn."""
        now = self._timing.clock()
        turn = max(now, self._next_at)
        self._next_at = turn + self._interval_s
        if turn > now:
            await self._timing.sleep(turn - now)


class OctetLimit:
    """Lets `octets_per_s` octets through each second, over all connections; None is no limit."""

    def __init__(self, octets_per_s: float | None, timing: Timing) -> None:
        self._octets_per_s = octets_per_s
        self._timing = timing
        self._free_at = timing.clock()

    async def take(self, octets: int) -> None:
        """Wait until these octets fit: who takes much at once delays those that come next."""
        if self._octets_per_s is None:
            return
        now = self._timing.clock()
        turn = max(now, self._free_at)
        self._free_at = turn + octets / self._octets_per_s
        if turn > now:
            await self._timing.sleep(turn - now)
