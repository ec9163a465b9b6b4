"""How far: each kind of packet until the target answers, then both names at each of these distances."""

from collections.abc import Iterable

from kzmitm.model.trace import FULL_TTL, Answer, WalkKind
from kzmitm.model.trace_table import BESIDE_KINDS, TraceTable, reached
from kzmitm.netio.expiring_hello import Patience
from kzmitm.probe.trace_asker import FIRST_WAIT_S, Asker, together

MAX_TTL = 30
"""As traceroute(8) has it."""
WAVE = 8
"""Distances asked at once."""
MAX_SILENT = 6
"""Distances in a row without any answer, after which a walk goes no farther."""
MAX_NEARER = 3
"""Distances beyond the nearest opening that hellos are tried at, where parallel ways differ in length."""

FIRST_ANSWER_S = 1.25


class Walks:
    """The walks of one trace."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._ask = asker.ask

    async def reach(self) -> None:
        """Both names at full TTL, one after the other: whether they are answered, and how long that takes."""
        for kind in (WalkKind.HELLO_CONTROL, WalkKind.HELLO_WATCHED):
            await self._reach(kind)

    async def _reach(self, kind: WalkKind) -> None:
        """A name at full TTL: whether it is answered at all, and how long that takes."""
        if all(step.answer is not Answer.OPEN for step in self._asker.steps[WalkKind.SYN]):
            return
        patience = Patience(FIRST_WAIT_S, max(FIRST_ANSWER_S, 6 * self._asker.rtt_s))
        step = await self._ask(kind, FULL_TTL, patience=patience)
        if step.answer is Answer.SILENCE and kind is WalkKind.HELLO_CONTROL:
            step = await self._ask(kind, FULL_TTL, patience=patience)  # all else is compared with it
        if step.answer not in (Answer.SILENCE, Answer.UNSENT):
            self._asker.answer_s = max(self._asker.answer_s, step.t - step.t0)

    async def walk(self, kind: WalkKind) -> None:
        """Waves outward until the target answers or nobody does; the silent distances are asked twice."""
        silent: list[int] = []
        nearest = 1
        while nearest <= MAX_TTL and not self._is_over(kind, nearest):
            wave = range(nearest, min(nearest + WAVE, MAX_TTL + 1))
            await together(*(self._ask(kind, ttl, flow=self._asker.prober.flow) for ttl in (*silent, *wave)))
            silent = self._silent(kind, wave)
            nearest = wave.stop
        end = self._asker.table.nearest(kind, reached(kind))
        await together(*(self._ask(kind, ttl) for ttl in silent if end is None or ttl <= end))
        if kind is WalkKind.SYN and end is not None and end - 1 in silent:
            # An answer there may have been lost twice, and this is the distance of the target.
            await together(self._ask(kind, end - 1), self._ask(kind, end - 1))

    def _is_over(self, kind: WalkKind, nearest: int) -> bool:
        """The target has answered; or it never does, and nobody else does any more."""
        table = self._asker.table
        if table.nearest(kind, reached(kind)) is not None:
            return True
        if table.answers_fully(kind):
            return False  # so it does at some distance, however silent the routers are
        heard = max(map(table.farthest_expiry, (WalkKind.SYN, *BESIDE_KINDS)))
        return nearest > max(heard, table.opening() or 0) + MAX_SILENT

    def _silent(self, kind: WalkKind, wave: Iterable[int]) -> list[int]:
        end = self._asker.table.nearest(kind, reached(kind)) or MAX_TTL
        return [
            ttl
            for ttl in wave
            if ttl < end and all(s.answer is Answer.SILENCE for s in self._asker.table.at(kind, ttl))
        ]

    async def hellos(self) -> None:
        """At each distance the harmless name and then the watched one, on the same port."""
        if self._asker.table.opening() is not None and self._asker.table.answers_fully(
            WalkKind.HELLO_CONTROL
        ):
            await together(*(self._pair(ttl) for ttl in range(1, last_hello(self._asker.table) + 1)))

    async def _pair(self, ttl: int) -> None:
        step = await self._ask(WalkKind.HELLO_CONTROL, ttl)
        await self._ask(WalkKind.HELLO_WATCHED, ttl, flow=step.flow)


def last_hello(table: TraceTable) -> int:
    """The farthest distance at which a hello is told from one at full TTL; 0 if none is."""
    opening = table.opening() or 0
    return min(max(opening, table.farthest_expiry(WalkKind.SYN) + 1), opening + MAX_NEARER)
