"""A trace of the way to one address: who answers what, at which distance.

The schedule, from the harmless to the telling: can it be reached at all, how far is it, how far does what
else is sent there go, and then a hello with the harmless name and one with the watched name at each
distance, one after the other on the same port. What looks like somebody on the way is then asked again on
ports that stay the same, since parallel ways (ECMP) and lost packets may look like it, too. What any of it
means, is not decided here.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Protocol

from kzmitm.model.target import Endpoint
from kzmitm.model.trace import (
    FULL_TTL,
    REPLY_FLOOR,
    SYN_ANSWERS,
    Answer,
    Step,
    TraceMethod,
    TraceObservation,
    Walk,
    WalkKind,
)
from kzmitm.model.trace_table import BESIDE_KINDS, TraceTable, reached
from kzmitm.netio.expiring import Patience

UDP_PORT = 33434
"""Where traceroute(8) sends its first datagram; nobody serves it."""
CONTROL_PORT = 80
"""Open at most sites, and answered with a reset at nearly all others."""

MAX_TTL = 30
"""As traceroute(8) has it."""
WAVE = 8
"""Distances asked at once."""
MAX_SILENT = 6
"""Distances in a row without any answer, after which a walk goes no farther."""
MAX_NEARER = 3
"""Distances beyond the nearest opening that hellos are tried at, where parallel ways differ in length."""

PACKETS_PER_S = 100
"""Questions begun per second and address. A browser that opens a page sends more."""
MAX_QUESTIONS = 240
"""Of one trace to one address: a path of thirty hops with everything repeated stays below it."""
MAX_DURATION_S = 20.0

RETELL_S = 1.05
"""Pause after which a router may be expected to speak again: Linux lets one ICMP message a second pass to
one address once a few have been sent (icmp_ratelimit, icmp(7))."""
PROOF_FLOWS = 3
"""Ports on which a difference between two names is shown again."""
CONTROL_FLOWS = 10
"""Ports on which the harmless name is tried where the watched one was answered (`kzmitm.verdict.locate`)."""
MOST_PROOFS = 3
"""Times that a difference is shown again, if it turns out to be nearer: an answer there had been lost."""
LENGTH_FLOWS = 6
"""Ports on which a difference in length is shown again: with two parallel ways of different length, one
taken at random each time, the chance of as many such differences is below one in four thousand."""

LEAST_WAIT_S = 0.35
LEAST_ANSWER_S = 0.8
"""Time for TCP to repeat a hello twice (after 0.2 and 0.4 s), beside the round trips."""
MOST_ANSWER_S = 2.5
LEAST_SECOND_S = 0.25
FIRST_WAIT_S = 1.3
"""Long enough for one SYN to be repeated, after one second (RFC 6298, 2.1)."""
FIRST_ANSWER_S = 1.6


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
class Tracer:
    """One trace; `observation` may be asked at any time."""

    prober: Prober
    request: TraceRequest
    clock: Callable[[], float]
    _steps: dict[WalkKind, list[Step]] = field(default_factory=lambda: {kind: [] for kind in WalkKind})
    _rtt_s: float = 0.1
    _answer_s: float = 0.0
    _is_complete: bool = False
    _throttle: _Throttle = field(default_factory=lambda: _Throttle(monotonic() + MAX_DURATION_S))
    _t0: float = 0.0
    _t: float = 0.0

    @property
    def table(self) -> TraceTable:
        return TraceTable(self._steps, self.request.endpoint.ip)

    def observation(self) -> TraceObservation:
        """What was seen so far."""
        request = self.request
        ports = {WalkKind.UDP: UDP_PORT, WalkKind.SYN_CONTROL: request.control_port}
        watched = dict.fromkeys((WalkKind.HELLO_WATCHED, WalkKind.HELLO_FLOOR), request.watched)
        names = {WalkKind.HELLO_CONTROL: request.control, **watched}
        return TraceObservation(
            endpoint=request.endpoint,
            method=self.prober.method,
            walks=tuple(
                Walk(
                    kind=kind,
                    port=ports.get(kind, request.endpoint.port),
                    name=names.get(kind),
                    steps=tuple(sorted(steps, key=lambda step: (step.t0, step.ttl))),
                )
                for kind, steps in self._steps.items()
                if steps
            ),
            is_on_link=request.is_on_link,
            is_complete=self._is_complete,
            t0=self._t0,
            t=self._t,
        )

    async def run(self) -> TraceObservation:
        """The whole trace; a cancellation leaves what was seen to `observation`."""
        self._t0 = self._t = self.clock()
        try:
            await self._all()
            self._is_complete = True
        except* LimitError:
            pass
        return self.observation()

    async def _all(self) -> None:
        await _together(
            self._ask(WalkKind.SYN, FULL_TTL, wait_s=FIRST_WAIT_S),
            self._ask(WalkKind.SYN_CONTROL, FULL_TTL, wait_s=FIRST_WAIT_S),
        )
        self._learn_rtt()
        walks = (self._walk(kind) for kind in (WalkKind.SYN, *BESIDE_KINDS))
        await _together(self._reach(WalkKind.HELLO_CONTROL), *walks)
        # A name that is swallowed keeps us waiting longest, so its distances are asked meanwhile.
        await _together(self._reach(WalkKind.HELLO_WATCHED), self._hellos(), self._prove_length())
        await _together(self._prove_answer(), self._prove_swallowing(), self._prove_block())

    # -- how far

    def _learn_rtt(self) -> None:
        times = [
            step.t - step.t0
            for kind in (WalkKind.SYN, WalkKind.SYN_CONTROL)
            for step in self._steps[kind]
            if step.answer in (Answer.OPEN, Answer.REFUSED)
        ]
        self._rtt_s = min(times, default=0.3)

    @property
    def _wait_s(self) -> float:
        return LEAST_WAIT_S + 2 * self._rtt_s

    @property
    def _patience(self) -> Patience:
        answer_s = max(LEAST_ANSWER_S + 4 * self._rtt_s, 2 * self._answer_s)
        second_s = max(LEAST_SECOND_S, 1.5 * self._answer_s)
        return Patience(FIRST_WAIT_S, min(answer_s, MOST_ANSWER_S), min(second_s, MOST_ANSWER_S))

    async def _reach(self, kind: WalkKind) -> None:
        """A name at full TTL: whether it is answered at all, and how long that takes."""
        if all(step.answer is not Answer.OPEN for step in self._steps[WalkKind.SYN]):
            return
        patience = Patience(FIRST_WAIT_S, max(FIRST_ANSWER_S, 6 * self._rtt_s))
        step = await self._ask(kind, FULL_TTL, patience=patience)
        if step.answer is Answer.SILENCE and kind is WalkKind.HELLO_CONTROL:
            step = await self._ask(kind, FULL_TTL, patience=patience)  # all else is compared with it
        if step.answer not in (Answer.SILENCE, Answer.UNSENT):
            self._answer_s = max(self._answer_s, step.t - step.t0)

    async def _walk(self, kind: WalkKind) -> None:
        """Waves outward until the target answers or nobody does; the silent distances are asked twice."""
        silent: list[int] = []
        nearest = 1
        while nearest <= MAX_TTL and not self._is_over(kind, nearest):
            wave = range(nearest, min(nearest + WAVE, MAX_TTL + 1))
            await _together(*(self._ask(kind, ttl, flow=self.prober.flow) for ttl in (*silent, *wave)))
            silent = self._silent(kind, wave)
            nearest = wave.stop
        end = self.table.nearest(kind, reached(kind))
        await _together(*(self._ask(kind, ttl) for ttl in silent if end is None or ttl <= end))
        if kind is WalkKind.SYN and end is not None and end - 1 in silent:
            # An answer there may have been lost twice, and this is the distance of the target.
            await _together(self._ask(kind, end - 1), self._ask(kind, end - 1))

    def _is_over(self, kind: WalkKind, nearest: int) -> bool:
        """The target has answered; or it never does, and nobody else does any more."""
        table = self.table
        if table.nearest(kind, reached(kind)) is not None:
            return True
        if table.answers_fully(kind):
            return False  # so it does at some distance, however silent the routers are
        heard = max(map(table.farthest_expiry, (WalkKind.SYN, *BESIDE_KINDS)))
        return nearest > max(heard, table.opening() or 0) + MAX_SILENT

    def _silent(self, kind: WalkKind, wave: Iterable[int]) -> list[int]:
        end = self.table.nearest(kind, reached(kind)) or MAX_TTL
        return [
            ttl
            for ttl in wave
            if ttl < end and all(s.answer is Answer.SILENCE for s in self.table.at(kind, ttl))
        ]

    # -- by name

    @property
    def _last_hello(self) -> int:
        """The farthest distance at which a hello is told from one at full TTL; 0 if none is."""
        table = self.table
        opening = table.opening() or 0
        return min(max(opening, table.farthest_expiry(WalkKind.SYN) + 1), opening + MAX_NEARER)

    async def _hellos(self) -> None:
        """At each distance the harmless name and then the watched one, on the same port."""
        if self.table.opening() is not None and self.table.answers_fully(WalkKind.HELLO_CONTROL):
            await _together(*(self._pair(ttl) for ttl in range(1, self._last_hello + 1)))

    async def _pair(self, ttl: int) -> None:
        step = await self._ask(WalkKind.HELLO_CONTROL, ttl)
        await self._ask(WalkKind.HELLO_WATCHED, ttl, flow=step.flow)

    # -- asking again what looks like somebody on the way

    async def _prove_length(self) -> None:
        """The port is answered nearer than others: the same at once on many ports."""
        table = self.table
        for _ in range(MOST_PROOFS):
            ttl = table.opening() or table.refusal()
            if ttl is None or not table.goes_beyond(ttl):
                return
            works = self._length_questions(ttl)
            if not works:
                break
            await _together(*works)
            await self._addresses(ttl)

    def _length_questions(self, ttl: int) -> list[Coroutine[Any, Any, Step]]:
        """What is not yet shown on LENGTH_FLOWS ports."""
        table = self.table
        here = {step.flow for step in table.at(WalkKind.SYN, ttl) if step.answer in SYN_ANSWERS}
        works = [self._ask(WalkKind.SYN, ttl) for _ in range(LENGTH_FLOWS - len(here))]
        for kind in BESIDE_KINDS:
            far = table.expiry_from(kind, ttl)
            if far is None and len({step.flow for step in table.at(kind, ttl)}) <= LENGTH_FLOWS:
                works += [self._ask(kind, ttl) for _ in range(LENGTH_FLOWS)]
            elif far is not None:
                told = {s.flow for s in table.walked(kind) if s.ttl >= ttl and table.is_expiry(s)}
                works += [self._ask(kind, far) for _ in range(LENGTH_FLOWS - len(told))]
        nearer = table.at(WalkKind.SYN, ttl - 1)
        if ttl > 1 and not any(map(table.is_expiry, nearer)) and len(nearer) < LENGTH_FLOWS:
            works += [self._ask(WalkKind.SYN, ttl - 1) for _ in range(PROOF_FLOWS)]
        return works

    async def _prove_answer(self) -> None:
        """The watched name alone is answered: the same on ports that stay what they are."""
        proven = None
        for _ in range(MOST_PROOFS):
            ttl = self.table.selective_answer()
            if ttl is None or ttl == proven:
                break
            missing = CONTROL_FLOWS - PROOF_FLOWS - len(self.table.at(WalkKind.HELLO_CONTROL, ttl))
            controls = (self._ask(WalkKind.HELLO_CONTROL, ttl) for _ in range(missing))
            await _together(*(self._same_way(ttl) for _ in range(PROOF_FLOWS)), *controls)
            await self._addresses(ttl)
            proven = ttl
        if proven is not None and self._is_range_doubtful(proven):
            # Who makes a reset of our packet, with what is left of its TTL, seems farther than he is.
            patience = replace(self._patience, floor_ttl=REPLY_FLOOR)
            asked = (self._ask(WalkKind.HELLO_FLOOR, proven, patience=patience) for _ in range(PROOF_FLOWS))
            await _together(*asked)

    def _is_range_doubtful(self, ttl: int) -> bool:
        """The watched name is answered by something less than a handshake, with a TTL that nobody saw."""
        steps = self.table.at(WalkKind.HELLO_WATCHED, ttl)
        return all(step.answer is not Answer.HANDSHAKE and step.reply_ttl is None for step in steps)

    async def _same_way(self, ttl: int) -> None:
        """On one port: the harmless name is not answered, the watched one is, and not a hop nearer."""
        step = await self._ask(WalkKind.HELLO_CONTROL, ttl)
        if ttl > 1:
            await self._ask(WalkKind.HELLO_WATCHED, ttl - 1, flow=step.flow)
        await self._ask(WalkKind.HELLO_WATCHED, ttl, flow=step.flow)

    async def _prove_swallowing(self) -> None:
        """Nothing comes for the watched name: where its last sign of life was, while the other one lives."""
        table = self.table
        if not table.is_swallowed():
            return
        last = table.farthest_expiry(WalkKind.HELLO_WATCHED)
        ttl = table.sign_of_life([WalkKind.HELLO_CONTROL], last) or last + 1
        if table.is_answered(WalkKind.HELLO_CONTROL, ttl):
            # No router has a say in it, so it is as at full TTL.
            await self._ask(WalkKind.HELLO_WATCHED, FULL_TTL)
            return
        controls = await _gathered(self._ask(WalkKind.HELLO_CONTROL, ttl) for _ in range(PROOF_FLOWS))
        await self._addresses(ttl)
        await asyncio.sleep(RETELL_S)
        await _together(
            self._ask(WalkKind.HELLO_WATCHED, FULL_TTL),
            self._ask(WalkKind.HELLO_CONTROL, FULL_TTL),
            *(self._ask(WalkKind.HELLO_WATCHED, ttl, flow=step.flow) for step in controls),
        )
        heard = sum(table.is_heard(WalkKind.HELLO_CONTROL, step) for step in controls)
        if 0 < heard < PROOF_FLOWS and ttl < self._last_hello:
            await self._prove_slowly(ttl, PROOF_FLOWS - heard)

    async def _prove_slowly(self, ttl: int, count: int) -> None:
        """A router that rations what it says: each name gets its turn."""
        for _ in range(count):
            await asyncio.sleep(RETELL_S)
            step = await self._ask(WalkKind.HELLO_CONTROL, ttl)
            if not self.table.is_heard(WalkKind.HELLO_CONTROL, step):
                return
            await asyncio.sleep(RETELL_S)
            await self._ask(WalkKind.HELLO_WATCHED, ttl, flow=step.flow)

    async def _prove_block(self) -> None:
        """No connection opens: where the last sign of life of a SYN was, while others go on."""
        table = self.table
        if table.opening() is not None or table.refusal() is not None:
            return
        last = table.farthest_expiry(WalkKind.SYN)
        ttl = table.sign_of_life(BESIDE_KINDS, last) or last + 1
        kinds = (WalkKind.SYN, *BESIDE_KINDS)
        await asyncio.sleep(RETELL_S)
        await _together(*(self._ask(kind, ttl) for _ in range(PROOF_FLOWS) for kind in kinds))
        await self._ask(WalkKind.SYN, FULL_TTL, wait_s=FIRST_WAIT_S)

    async def _addresses(self, ttl: int) -> None:
        """Who the routers before, at and behind a distance are, once more."""
        table = self.table
        near = [each for each in (ttl - 1, ttl, ttl + 1) if table.expiry_from(WalkKind.SYN, each) == each]
        await _together(*(self._ask(WalkKind.SYN, each) for each in near))

    async def _ask(
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
        wait_s = self._wait_s if wait_s is None else wait_s
        match kind:
            case WalkKind.UDP:
                step = await prober.udp(UDP_PORT, ttl, flow, wait_s)
            case WalkKind.SYN:
                step = await prober.syn(request.endpoint.port, ttl, flow, wait_s)
            case WalkKind.SYN_CONTROL:
                step = await prober.syn(request.control_port, ttl, flow, wait_s)
            case WalkKind.HELLO_CONTROL:
                step = await prober.hello(request.control, ttl, flow, patience or self._patience)
            case WalkKind.HELLO_WATCHED | WalkKind.HELLO_FLOOR:
                step = await prober.hello(request.watched, ttl, flow, patience or self._patience)
        self._steps[kind].append(step)
        self._t = max(self._t, step.t)
        return step


async def _together(*works: Coroutine[Any, Any, object]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)


async def _gathered(works: Iterable[Coroutine[Any, Any, Step]]) -> list[Step]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
    return [task.result() for task in tasks]
