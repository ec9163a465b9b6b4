"""Asking again what looks like somebody on the way: on other ports, and on ports that stay the same.

What counts as shown, `kzmitm.verdict.locate` says.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from kzmitm.model.trace import FULL_TTL, REPLY_FLOOR, SYN_ANSWERS, Answer, Step, WalkKind
from kzmitm.model.trace_table import BESIDE_KINDS
from kzmitm.probe.trace_asker import FIRST_WAIT_S, Asker, gathered, together
from kzmitm.probe.trace_walks import last_hello

RETELL_S = 1.05
"""Pause after which a router may be expected to speak again: Linux lets one ICMP message a second pass to
one address once a few have been sent (icmp_ratelimit, icmp(7))."""
PROOF_FLOWS = 3
"""Ports on which a difference between two names is shown again."""
CONTROL_FLOWS = 10
"""Ports on which the harmless name is tried where the watched one was answered (`kzmitm.verdict.locate`)."""
MOST_PROOFS = 3
"""Times that a difference is shown again, if it turns out to be nearer: an answer there had been lost."""
BEYOND_FLOWS = 10
LENGTH_FLOWS = 6
"""Ports on which a difference in length is shown again: with two parallel ways of different length, one
taken at random each time, the chance of as many such differences is below one in four thousand."""


class Proofs:
    """The second half of one trace."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._ask = asker.ask

    async def length(self) -> None:
        """The port is answered nearer than others: the same at once on many ports."""
        table = self._asker.table
        for _ in range(MOST_PROOFS):
            ttl = table.opening() or table.refusal()
            if ttl is None or not table.goes_beyond(ttl):
                return
            works = self._length_questions(ttl)
            if not works:
                break
            await together(*works)
            await self._addresses(ttl)

    def _length_questions(self, ttl: int) -> list[Coroutine[Any, Any, Step]]:
        """What is not yet shown on LENGTH_FLOWS ports."""
        table = self._asker.table
        here = {step.flow for step in table.at(WalkKind.SYN, ttl) if step.answer in SYN_ANSWERS}
        works = [self._ask(WalkKind.SYN, ttl) for _ in range(LENGTH_FLOWS - len(here))]
        for kind in BESIDE_KINDS:
            far = table.expiry_from(kind, ttl)
            if far is None:
                asked = {step.flow for step in table.at(kind, ttl)}
                works += [self._ask(kind, ttl) for _ in range(BEYOND_FLOWS - len(asked))]
            else:
                told = {s.flow for s in table.walked(kind) if s.ttl >= ttl and table.is_expiry(s)}
                works += [self._ask(kind, far) for _ in range(LENGTH_FLOWS - len(told))]
        nearer = table.at(WalkKind.SYN, ttl - 1)
        if ttl > 1 and not any(map(table.is_expiry, nearer)) and len(nearer) < LENGTH_FLOWS:
            works += [self._ask(WalkKind.SYN, ttl - 1) for _ in range(PROOF_FLOWS)]
        return works

    async def answer(self) -> None:
        """The watched name alone is answered: the same on ports that stay what they are."""
        proven = None
        for _ in range(MOST_PROOFS):
            ttl = self._asker.table.selective_answer()
            if ttl is None or ttl == proven:
                break
            missing = CONTROL_FLOWS - PROOF_FLOWS - len(self._asker.table.at(WalkKind.HELLO_CONTROL, ttl))
            controls = (self._ask(WalkKind.HELLO_CONTROL, ttl) for _ in range(missing))
            await together(*(self._same_way(ttl) for _ in range(PROOF_FLOWS)), *controls)
            await self._addresses(ttl)
            proven = ttl
        if proven is not None and self._is_range_doubtful(proven):
            # Who makes a reset of our packet, with what is left of its TTL, seems farther than he is.
            patience = replace(self._asker.patience, floor_ttl=REPLY_FLOOR)
            asked = (self._ask(WalkKind.HELLO_FLOOR, proven, patience=patience) for _ in range(PROOF_FLOWS))
            await together(*asked)

    def _is_range_doubtful(self, ttl: int) -> bool:
        """The watched name is answered by something less than a handshake, with a TTL that nobody saw."""
        steps = self._asker.table.at(WalkKind.HELLO_WATCHED, ttl)
        return all(step.answer is not Answer.HANDSHAKE and step.reply_ttl is None for step in steps)

    async def _same_way(self, ttl: int) -> None:
        """On one port: the harmless name is not answered, the watched one is, and not a hop nearer."""
        step = await self._ask(WalkKind.HELLO_CONTROL, ttl)
        if ttl > 1:
            await self._ask(WalkKind.HELLO_WATCHED, ttl - 1, flow=step.flow)
        await self._ask(WalkKind.HELLO_WATCHED, ttl, flow=step.flow)

    async def swallowing(self) -> None:
        """Nothing comes for the watched name: where its last sign of life was, while the other one lives."""
        table = self._asker.table
        if not table.is_swallowed():
            return
        last = table.farthest_expiry(WalkKind.HELLO_WATCHED)
        ttl = table.sign_of_life([WalkKind.HELLO_CONTROL], last) or last + 1
        if table.is_answered(WalkKind.HELLO_CONTROL, ttl):
            # No router has a say in it, so it is as at full TTL.
            await self._ask(WalkKind.HELLO_WATCHED, FULL_TTL)
            return
        controls = await gathered(self._ask(WalkKind.HELLO_CONTROL, ttl) for _ in range(PROOF_FLOWS))
        await self._addresses(ttl)
        await asyncio.sleep(RETELL_S)
        await together(
            self._ask(WalkKind.HELLO_WATCHED, FULL_TTL),
            self._ask(WalkKind.HELLO_CONTROL, FULL_TTL),
            *(self._ask(WalkKind.HELLO_WATCHED, ttl, flow=step.flow) for step in controls),
        )
        heard = sum(table.is_heard(WalkKind.HELLO_CONTROL, step) for step in controls)
        if 0 < heard < PROOF_FLOWS and ttl < last_hello(table):
            await self._slowly(ttl, PROOF_FLOWS - heard)

    async def _slowly(self, ttl: int, count: int) -> None:
        """A router that rations what it says: each name gets its turn."""
        for _ in range(count):
            await asyncio.sleep(RETELL_S)
            step = await self._ask(WalkKind.HELLO_CONTROL, ttl)
            if not self._asker.table.is_heard(WalkKind.HELLO_CONTROL, step):
                return
            await asyncio.sleep(RETELL_S)
            await self._ask(WalkKind.HELLO_WATCHED, ttl, flow=step.flow)

    async def block(self) -> None:
        """No connection opens: where the last sign of life of a SYN was, while others go on."""
        table = self._asker.table
        if table.opening() is not None or table.refusal() is not None:
            return
        last = table.farthest_expiry(WalkKind.SYN)
        ttl = table.sign_of_life(BESIDE_KINDS, last) or last + 1
        kinds = (WalkKind.SYN, *BESIDE_KINDS)
        await asyncio.sleep(RETELL_S)
        more = (self._ask(WalkKind.SYN, ttl) for _ in range(LENGTH_FLOWS - PROOF_FLOWS))
        await together(*(self._ask(kind, ttl) for _ in range(PROOF_FLOWS) for kind in kinds), *more)
        await self._ask(WalkKind.SYN, FULL_TTL, wait_s=FIRST_WAIT_S)

    async def _addresses(self, ttl: int) -> None:
        """Who the routers before, at and behind a distance are, once more."""
        table = self._asker.table
        near = [each for each in (ttl - 1, ttl, ttl + 1) if table.expiry_from(WalkKind.SYN, each) == each]
        await together(*(self._ask(WalkKind.SYN, each) for each in near))
