"""Asks servers for names that are not theirs, the control name first, and only those that are fit for it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kzmitm.model.matrix import AnswerKind, Reading
from kzmitm.model.observation import Role, TLSObservation
from kzmitm.model.reflection import Fitness, NameOutcome, NameResult, Reflector, ReflectorResult
from kzmitm.model.target import Endpoint, Target
from kzmitm.probe.tls import Offer
from kzmitm.scan.reach import Manner, Reach
from kzmitm.verdict.handshake import Judging, State, assess
from kzmitm.verdict.matrix_reading import read_answer
from kzmitm.verdict.reflection import CUTS, fitness_of, is_answered, outcome_of

CONCURRENCY = 4
"""Servers at once: each is asked one name at a time, with a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectOptions:
    """What every server is asked: `names` after the `control`."""

    names: tuple[str, ...]
    control: str
    concurrency: int = CONCURRENCY


class Reflection:
    """The servers on their way; `results` has what was measured so far, in the order of the list."""

    def __init__(self, reflectors: Sequence[Reflector], options: ReflectOptions, manner: Manner) -> None:
        self._options = options
        self._manner = manner
        self._results: dict[int, ReflectorResult] = {
            index: ReflectorResult(reflector=each, fitness=Fitness.NOT_ASKED, is_complete=False)
            for index, each in enumerate(reflectors)
        }

    @property
    def results(self) -> tuple[ReflectorResult, ...]:
        """One for each server; those that were not asked say so."""
        return tuple(self._results.values())

    async def ask_all(self, on_done: Callable[[ReflectorResult], None]) -> None:
        """Ask every server; `on_done` is told of each at its end. When cancelled, `results` has the rest."""
        waiting = iter(list(self._results))

        async def work() -> None:
            for index in waiting:
                await self._ask(index)
                on_done(self._results[index])

        async with asyncio.TaskGroup() as group:
            for _worker in range(self._options.concurrency):
                group.create_task(work())

    async def _ask(self, index: int) -> None:
        """One server; what is known of it is kept after every answer."""
        server = _Server(self._results[index].reflector, self._options, self._manner)

        def keep(result: ReflectorResult) -> None:
            self._results[index] = result

        await server.ask(keep)


class _Server:
    """One server that is asked."""

    def __init__(self, reflector: Reflector, options: ReflectOptions, manner: Manner) -> None:
        self._reflector = reflector
        self._options = options
        self._manner = manner
        self._reach = Reach(manner)

    async def ask(self, keep: Callable[[ReflectorResult], None]) -> None:
        given = self._reflector
        target = Target(given.hostname, given.port, given.hostname, given.address)
        endpoint = next(iter(await self._reach.locate(target)), None)
        if endpoint is None:
            keep(ReflectorResult(reflector=given, fitness=Fitness.NOT_FOUND))
            return
        own, tls = await self._handshake(given.hostname, endpoint)
        is_trusted = tls is not None and self._is_trusted(tls)
        fitness = fitness_of(own, is_trusted=is_trusted)
        result = ReflectorResult(reflector=given, fitness=fitness, endpoint=endpoint)
        if fitness is not Fitness.FIT:
            keep(result)
            return
        control, _ = await self._handshake(self._options.control, endpoint)
        result = replace(result, control_kind=control.kind, is_complete=False)
        keep(result)
        for sni in self._options.names:
            one = await self._name(sni, endpoint, own, control)
            result = replace(result, names=(*result.names, one))
            keep(result)
            if one.outcome is NameOutcome.NOT_TOLD and not await self._is_alive(endpoint):
                keep(replace(result, fitness=Fitness.LOST))
                return
        keep(replace(result, is_complete=True))

    async def _name(self, sni: str, endpoint: Endpoint, own: Reading, control: Reading) -> NameResult:
        """Ask for one name; a forgery once more, and after a cut the control name once more."""
        reading, tls = await self._handshake(sni, endpoint)
        outcome = outcome_of(reading, own=own, control=control)
        asked = 1
        if outcome is NameOutcome.FORGED:
            again, tls_again = await self._handshake(sni, endpoint)
            asked = 2
            if tls_again is not None and again.kind is AnswerKind.CERTIFICATE:
                tls = tls_again
        elif reading.kind in CUTS and outcome is NameOutcome.BLOCKED:
            after, _ = await self._handshake(self._options.control, endpoint)
            if not is_answered(after):
                outcome = NameOutcome.NOT_TOLD
        return NameResult(
            sni=sni,
            outcome=outcome,
            kind=reading.kind,
            failure=reading.failure,
            asked=asked,
            chain=tls.presented_chain if tls is not None and outcome is NameOutcome.FORGED else (),
            authority=self._authority(tls) if tls is not None and outcome is NameOutcome.FORGED else None,
        )

    async def _is_alive(self, endpoint: Endpoint) -> bool:
        """The server still answers to its own name."""
        reading, _ = await self._handshake(self._reflector.hostname, endpoint)
        return is_answered(reading)

    async def _handshake(self, sni: str, endpoint: Endpoint) -> tuple[Reading, TLSObservation | None]:
        probed = await self._reach.shake(Offer(sni), endpoint, role=Role.FIRST)
        return read_answer(probed.tcp, probed.tls, self._judging(), hostname=sni), probed.tls

    def _judging(self) -> Judging:
        judge = self._manner.judge
        return Judging(judge.registry, judge.store, judge.cache, self._manner.now(), judge.intermediates)

    def _is_trusted(self, tls: TLSObservation) -> bool:
        return assess(tls, self._judging(), hostname=self._reflector.hostname).state is State.TRUSTED

    def _authority(self, tls: TLSObservation) -> str | None:
        found = assess(tls, self._judging(), hostname=tls.sni or self._reflector.hostname).attributions
        return found[0].authority.id if found else None
