"""The questions of a trace: each is asked at a rate, and its answer kept where all see it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

from kzmitm.model.target import Endpoint
from kzmitm.model.trace import Answer, Step, TraceMethod, WalkKind
from kzmitm.model.trace_table import TraceTable
from kzmitm.netio.expiring_hello import Patience

UDP_PORT = 33434
"""Where traceroute(8) sends its first datagram; nobody serves it."""
CONTROL_PORT = 80
"""Open at most sites, and answered with a reset at nearly all others."""

PACKETS_PER_S = 100
"""Questions begun per second and address. A browser that opens a page sends more."""
MAX_QUESTIONS = 300
"""Of one trace to one address: a path of thirty hops with everything repeated stays below it."""
MAX_DURATION_S = 20.0

UNKNOWN_RTT_S = 0.1
"""Of a target that does not answer. Routers are nearer; two round trips are waited for, and more."""
LEAST_WAIT_S = 0.35
LEAST_ANSWER_S = 0.8
"""Time for TCP to repeat a hello twice (after 0.2 and 0.4 s), beside the round trips."""
MOST_ANSWER_S = 2.5
LEAST_SECOND_S = 0.25
FIRST_WAIT_S = 1.3
"""Long enough for one SYN to be repeated, after one second (RFC 6298, 2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRequest:
    """What is traced: an address, the watched name, the harmless one, the other port."""

    endpoint: Endpoint
    watched: str
    control: str
    control_port: int = CONTROL_PORT
    is_on_link: bool = False


class Prober(Protocol):
    """Makes steps; whatever happens on the network is in them."""

    method: TraceMethod
    flow: int
    """The port of the walks, where many packets of one five-tuple can be told apart; else 0."""

    async def syn(self, port: int, ttl: int, flow: int, wait_s: float) -> Step: ...
    async def udp(self, port: int, ttl: int, flow: int, wait_s: float) -> Step: ...
    async def hello(self, name: str, ttl: int, flow: int, patience: Patience) -> Step: ...
    def close(self) -> None: ...


class LimitError(Exception):
    """A limit of the trace is reached; what was seen by then is kept."""


@dataclass(slots=True)
class _Throttle:
    """Lets questions begin at a rate, and not too many of them."""

    until: float
    left: int = MAX_QUESTIONS
    next_at: float = 0.0

    async def turn(self) -> None:
        now = monotonic()
        if self.left <= 0 or now > self.until:
            raise LimitError
        self.left -= 1
        at = max(now, self.next_at)
        self.next_at = at + 1 / PACKETS_PER_S
        if at > now:
            await asyncio.sleep(at - now)


@dataclass(slots=True)
class Asker:
    """Asks the questions of one trace and keeps what came of them."""

    prober: Prober
    request: TraceRequest
    clock: Callable[[], float]
    steps: dict[WalkKind, list[Step]] = field(default_factory=lambda: {kind: [] for kind in WalkKind})
    rtt_s: float = 0.1
    answer_s: float = 0.0
    """How long an answer to a hello at full TTL took, with the connection; 0 if there was none."""
    _throttle: _Throttle = field(default_factory=lambda: _Throttle(monotonic() + MAX_DURATION_S))

    @property
    def table(self) -> TraceTable:
        return TraceTable(self.steps, self.request.endpoint.ip)

    def learn_rtt(self) -> None:
        """How far the target is in time, by what was asked at full TTL."""
        times = [
            step.t - step.t0
            for kind in (WalkKind.SYN, WalkKind.SYN_CONTROL)
            for step in self.steps[kind]
            if step.answer in (Answer.OPEN, Answer.REFUSED)
        ]
        self.rtt_s = min(times, default=UNKNOWN_RTT_S)

    @property
    def wait_s(self) -> float:
        """How long an answer to a SYN or a datagram is waited for."""
        return LEAST_WAIT_S + 2 * self.rtt_s

    @property
    def patience(self) -> Patience:
        """How one to a hello is."""
        answer_s = max(LEAST_ANSWER_S + 4 * self.rtt_s, 2 * self.answer_s)
        second_s = max(LEAST_SECOND_S, 1.5 * self.answer_s)
        return Patience(FIRST_WAIT_S, min(answer_s, MOST_ANSWER_S), min(second_s, MOST_ANSWER_S))

    async def ask(
        self,
        kind: WalkKind,
        ttl: int,
        *,
        flow: int = 0,
        wait_s: float | None = None,
        patience: Patience | None = None,
    ) -> Step:
        await self._throttle.turn()
        request, prober = self.request, self.prober
        wait_s = self.wait_s if wait_s is None else wait_s
        match kind:
            case WalkKind.UDP:
                step = await prober.udp(UDP_PORT, ttl, flow, wait_s)
            case WalkKind.SYN:
                step = await prober.syn(request.endpoint.port, ttl, flow, wait_s)
            case WalkKind.SYN_CONTROL:
                step = await prober.syn(request.control_port, ttl, flow, wait_s)
            case WalkKind.HELLO_CONTROL:
                step = await prober.hello(request.control, ttl, flow, patience or self.patience)
            case WalkKind.HELLO_WATCHED | WalkKind.HELLO_FLOOR:
                step = await prober.hello(request.watched, ttl, flow, patience or self.patience)
        self.steps[kind].append(step)
        return step


async def together(*works: Coroutine[Any, Any, object]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)


async def gathered(works: Iterable[Coroutine[Any, Any, Step]]) -> list[Step]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
    return [task.result() for task in tasks]
