"""Asks the cells of a matrix, one connection at a time, and stops where more would tell nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from kzmitm.model.matrix import (
    BASE,
    AskedName,
    Carrier,
    Cell,
    CellResult,
    Conclusion,
    HelloManner,
    Question,
    Reading,
)
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Role, TCPObservation, TLSObservation
from kzmitm.model.target import Endpoint, Target
from kzmitm.model.traits import AnswerTraits
from kzmitm.model.verdict import Outcome, Verdict
from kzmitm.netio.quic import has_quic
from kzmitm.probe.tls import Offer
from kzmitm.scan.reach import Manner, Reach
from kzmitm.verdict import matrix_plan as plan
from kzmitm.verdict.answer_traits import traits_of_measurement
from kzmitm.verdict.handshake import Judging
from kzmitm.verdict.matrix_conclusions import conclude
from kzmitm.verdict.matrix_reading import culprits, read_answer, with_states
from kzmitm.wire.jarm import HELLOS

MAX_REPEATS = 5
DEFAULT_REPEATS = 2
"""Enough to see that a cell is not always the same, which a third answer then confirms."""

_MANNER_ROLES = {
    Cell(AskedName.BENIGN): Role.BENIGN_SNI,
    Cell(AskedName.NONSENSE): Role.NONSENSE_SNI,
    Cell(AskedName.NONE): Role.NO_SNI,
    Cell(hello=HelloManner.BROWSER): Role.OTHER_HELLO,
    Cell(hello=HelloManner.TLS12): Role.OTHER_HELLO,
}
"""Cells of which the ordinary judge makes something, or which tell traits."""


class Ended(StrEnum):
    """Why the matrix has no more cells."""

    COMPLETE = "complete"
    NOTHING_FORGED = "nothing_forged"
    """The opening showed certificates that public authorities vouch for, and nothing else."""
    NO_ANSWER = "no_answer"
    LIMIT = "limit"
    """`matrix_plan.MAX_CONNECTIONS` were made."""
    STOPPED = "stopped"
    NOT_FOUND = "not_found"
    """The target has no address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked about; names that are None are left out."""

    target: Target
    other_watched: Target | None = None
    reflector: Target | None = None
    benign: str | None = None
    other_port: int | None = None
    repeats: int = DEFAULT_REPEATS
    is_thorough: bool = False
    """Go on where the opening shows nothing forged."""
    has_jarm: bool = False
    """Make the ten connections of a JARM where the target is intercepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All that came of it."""

    wanted: Wanted
    subject: plan.Subject | None
    measurement: Measurement
    verdict: Verdict
    results: tuple[CellResult, ...] = ()
    conclusions: tuple[Conclusion, ...] = ()
    traits: AnswerTraits | None = None
    connections: int = 0
    ended: Ended = Ended.COMPLETE
    has_forger: bool = False
    """Somebody forges certificates here: by the verdict, or by what the cells show together."""


@dataclass(slots=True)
class _Cell:
    question: Question
    readings: list[Reading] = field(default_factory=list)


class MatrixRun:
    """One matrix on its way; ask for `matrix` once, at the end or when it was stopped."""

    def __init__(self, wanted: Wanted, manner: Manner) -> None:
        self._wanted = wanted
        self._manner = manner
        self._reach = Reach(manner)
        self._subject: plan.Subject | None = None
        self._cells: dict[Cell, _Cell] = {}
        self._order: list[tuple[Cell, Reading]] = []
        self._tcp: list[TCPObservation] = []
        self._tls: list[TLSObservation] = []
        self._connections = 0
        self._jarm: str | None = None
        self.ended = Ended.STOPPED

    async def ask_all(self, on_answer: Callable[[CellResult], None]) -> None:
        """Ask every cell; `on_answer` is told of each answer. `ended` says how it came to its end."""
        subject = self._subject = await self._locate()
        if subject is None:
            self.ended = Ended.NOT_FOUND
            return
        await self._ask(plan.opening(subject), on_answer)
        if self._is_over():
            return
        if not self._wanted.is_thorough and not plan.is_worthwhile(self._results()):
            self.ended = Ended.NOTHING_FORGED
            return
        await self._ask(plan.rest(subject), on_answer)
        await self._ask(plan.controls(self._with_states(), subject), on_answer)
        if self._is_over():
            return
        if self._wanted.has_jarm and self._is_base_forged():
            self._connections += HELLOS
            self._jarm = await self._reach.jarm(subject.watched.hostname, subject.watched.endpoint)
        self.ended = Ended.COMPLETE

    def _is_base_forged(self) -> bool:
        return any(
            result.cell == BASE and any(reading.vouched is False for reading in result.readings)
            for result in self._results()
        )

    def matrix(self) -> Matrix:
        """What was found so far, judged and concluded from."""
        measurement, verdict = self._judge()
        states = self._with_states(verdict)
        conclusions = conclude(states)
        chain = self._tls[0].presented_chain if self._tls else ()
        leaf = self._manner.judge.cache.parse(chain[0]) if chain else None
        return Matrix(
            wanted=self._wanted,
            subject=self._subject,
            measurement=measurement,
            verdict=verdict,
            results=states,
            conclusions=conclusions,
            traits=traits_of_measurement(measurement, leaf, jarm=self._jarm),
            connections=self._connections,
            ended=self.ended,
            has_forger=bool(self._culprits(verdict)),
        )

    # -- asking

    async def _locate(self) -> plan.Subject | None:
        wanted = self._wanted
        found = await self._reach.locate(wanted.target)
        here = next((e for e in found if ":" not in e.ip), next(iter(found), None))
        if here is None:
            return None
        return plan.Subject(
            watched=plan.Site(hostname=wanted.target.hostname, endpoint=here),
            nonsense=self._reach.nonsense,
            benign=wanted.benign,
            ipv6=next((e for e in found if ":" in e.ip and e != here), None),
            other_watched=await self._site(wanted.other_watched, here),
            reflector=await self._site(wanted.reflector, here),
            other_port=wanted.other_port,
            has_quic=has_quic() and self._manner.network.link.is_direct,
        )

    async def _site(self, target: Target | None, near: Endpoint) -> plan.Site | None:
        """Where a site is, at an address that is not `near` if it has one."""
        if target is None:
            return None
        found = [e for e in await self._reach.locate(target) if (":" in e.ip) is (":" in near.ip)]
        endpoint = next((e for e in found if e != near), next(iter(found), None))
        return plan.Site(hostname=target.hostname, endpoint=endpoint) if endpoint else None

    async def _ask(self, questions: Iterable[Question], on_answer: Callable[[CellResult], None]) -> None:
        """Each question as often as wanted, in rounds; once more where two answers differ."""
        questions = [question for question in questions if question.cell not in self._cells]
        for repeat in range(self._wanted.repeats + 1):
            for question in questions:
                cell = self._cells.setdefault(question.cell, _Cell(question))
                if repeat == self._wanted.repeats and not plan.needs_third(cell.readings):
                    continue
                if self._is_over():
                    return
                reading = await self._answer(question)
                cell.readings.append(reading)
                self._order.append((question.cell, reading))
                on_answer(CellResult(question=question, readings=tuple(cell.readings)))

    def _is_over(self) -> bool:
        if plan.is_hopeless(self._order):
            self.ended = Ended.NO_ANSWER
        elif self._connections >= plan.MAX_CONNECTIONS:
            self.ended = Ended.LIMIT
        return self.ended in (Ended.NO_ANSWER, Ended.LIMIT)

    async def _answer(self, question: Question) -> Reading:
        self._connections += 1
        judging = self._judging()
        hostname = self._wanted.target.hostname
        if question.cell.carrier is Carrier.QUIC:
            tls = await self._reach.shake_over_quic(question.sni, question.endpoint)
            return read_answer(None, tls, judging, hostname=hostname)
        offer = Offer(question.sni, question.profile, question.split)
        probed = await self._reach.shake(offer, question.endpoint, role=self._role(question.cell))
        self._keep(question.cell, probed.tcp, probed.tls)
        return read_answer(probed.tcp, probed.tls, judging, hostname=hostname)

    def _role(self, cell: Cell) -> Role:
        if cell == BASE:
            return Role.REPEAT if BASE in self._cells and self._cells[BASE].readings else Role.FIRST
        return _MANNER_ROLES.get(cell, Role.OTHER_HELLO)

    def _keep(self, cell: Cell, tcp: TCPObservation, tls: TLSObservation | None) -> None:
        """For the ordinary judge: the base case first, and the contrasts that it knows, once each."""
        if cell != BASE and (cell not in _MANNER_ROLES or self._cells[cell].readings):
            return
        is_first = cell == BASE and not self._cells[BASE].readings
        self._tcp.insert(0 if is_first else len(self._tcp), tcp)
        if tls is not None:
            self._tls.insert(0 if is_first else len(self._tls), tls)

    # -- reading

    def _judging(self) -> Judging:
        judge = self._manner.judge
        return Judging(judge.registry, judge.store, judge.cache, self._manner.now(), judge.intermediates)

    def _judge(self) -> tuple[Measurement, Verdict]:
        judge = self._manner.judge
        target = self._wanted.target
        measurement = replace(self._reach.measurement(target), tcp=tuple(self._tcp), tls=tuple(self._tls))
        return measurement, judge.verdict_of(judge.facts(measurement, self._reach.watch.started_at))

    def _results(self) -> tuple[CellResult, ...]:
        return tuple(
            CellResult(question=cell.question, readings=tuple(cell.readings)) for cell in self._cells.values()
        )

    def _culprits(self, verdict: Verdict | None) -> frozenset[str]:
        is_interception = verdict is None or verdict.outcome is Outcome.INTERCEPTION
        return culprits(self._results(), is_interception=is_interception)

    def _with_states(self, verdict: Verdict | None = None) -> tuple[CellResult, ...]:
        return with_states(self._results(), self._culprits(verdict))
