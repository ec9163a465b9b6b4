"""One scan as the user sees it: measured, judged, shown and kept as it goes, settled at the end."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from random import SystemRandom

from kzmitm.cli import clock
from kzmitm.cli.judging import chain_of, failures_of, judged_target, products_behind
from kzmitm.cli.outcomes import Tally
from kzmitm.cli.progress import RunProgress
from kzmitm.cli.results import Results
from kzmitm.cli.scan_setup import JudgeAt, Setup
from kzmitm.cli.targets import Selection
from kzmitm.cli.ways import close_ways
from kzmitm.evidence.control import add as add_control
from kzmitm.evidence.control import entry_of, is_worth_recording, write_control
from kzmitm.model.certificate import Certificate
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Role
from kzmitm.model.target import Target
from kzmitm.model.traits import TraitMatch
from kzmitm.model.verdict import Outcome, Verdict
from kzmitm.report.text import JudgedTarget, explanation_sentence, target_line
from kzmitm.scan import Judged, Network, SilentObserver, scan
from kzmitm.verdict.context import SILENCES
from kzmitm.verdict.followup import FollowUp
from kzmitm.verdict.judge import MAX_KEPT

AT_ONCE = frozenset({Outcome.CLEAN, Outcome.UNREACHABLE})
"""Outcomes that the rest of the run cannot change: their lines need not wait for its end."""


@dataclass(slots=True)
class _Held:
    """A target whose verdict may yet change."""

    measurement: Measurement
    judged: JudgedTarget


@dataclass(frozen=True, slots=True)
class Told:
    """Where the verdicts go: what is kept, what is shown, and whether targets have lines."""

    results: Results
    progress: RunProgress
    quiet: bool


class ScanRun:
    """The state of a scan between its first and its last target."""

    def __init__(
        self, setup: Setup, network: Network, targets: Selection, told: Told, stop: asyncio.Event
    ) -> None:
        self.tally = Tally()
        self.notes: list[str] = []
        self._setup = setup
        self._network = network
        self._targets = targets
        self._told = told
        self._stop = stop
        self._held: dict[int, _Held] = {}
        """By identity: the judge keeps these measurements until it has settled them."""
        self._control = dict(setup.control)
        self.not_shown: OSError | None = None
        """Why stdout takes no more lines."""
        self._has_control = bool(setup.judge.control) or setup.control_link is not None
        self.compared = 0
        """Targets of which the control knew anything."""
        self.is_cut_off: bool | None = None
        """No resolver answered and no site; None if no resolver was asked."""
        self.control_failure: OSError | None = None
        """Why the control was not written."""

    async def measure(self) -> None:
        """Measure and judge every target until the end, or until `stop` is set."""
        setup = self._setup
        judge = setup.judge if setup.judging_time is None else JudgeAt(setup.judge, setup.judging_time)
        observer = _Notes(self.notes)
        try:
            stream = scan(
                self._targets,
                network=self._network,
                judge=judge,
                options=setup.options,
                rng=SystemRandom(),
                observer=observer,
                now=clock.now,
                stop=self._stop,
                witness=setup.witness,
            )
            async with aclosing(stream):
                async for judged in stream:
                    self._take(judged)
        finally:
            if self._network.resolver is not None:
                await self._network.resolver.aclose()
            await close_ways(self._network.link, self._network.control_link)

    def settle(self, *, complete: bool) -> None:
        """Judge again what the whole run explains, show what had to wait, close the result."""
        for settled in self._setup.judge.settle():
            held = self._held[id(settled.facts.measurement)]
            about = self._setup.judge.deciding(settled.facts)
            chain = chain_of(about)
            held.judged = judged_target(held.measurement, settled.verdict, about)
            self._told.results.amend(
                held.measurement,
                settled.verdict,
                certificates=chain,
                explanation=explanation_sentence(held.judged),
                products=self._products(held.measurement, settled.verdict, chain),
            )
        for held in self._held.values():
            self._record(held.measurement, held.judged.verdict)
        self._told.results.finish(finished_at=clock.now(), complete=complete)
        if self._setup.control_path is not None:
            try:
                write_control(self._setup.control_path, self._control)
            except OSError as exc:
                self.control_failure = exc
        for held in self._held.values():
            self._tell(held.judged)

    def _take(self, judged: Judged) -> None:
        measurement, verdict = judged.measurement, judged.verdict
        about = self._setup.judge.deciding(judged.facts)
        chain = chain_of(about)
        told = judged_target(measurement, verdict, about)
        self._told.results.add(
            measurement,
            verdict,
            failures=failures_of(judged.facts),
            certificates=chain,
            explanation=explanation_sentence(told),
            products=self._products(measurement, verdict, chain),
        )
        if self._told.results.failure is not None:
            self._stop.set()  # as good as Ctrl-C: what cannot be kept is not worth the risk of asking for
        self.compared += self._has_control and self._is_compared(measurement)
        self._watch_for_silence(measurement)
        self._told.progress.advance(verdict.outcome)
        if verdict.outcome not in AT_ONCE and len(self._held) < MAX_KEPT:
            self._held[id(measurement)] = _Held(measurement, told)
            return
        self._tell(told)
        self._record(measurement, verdict)

    def _watch_for_silence(self, measurement: Measurement) -> None:
        seen = [o.failure for o in measurement.dns] + [o.failure for o in measurement.tcp]
        if any(failure not in SILENCES for failure in seen) or measurement.vantage.kind != "direct":
            self.is_cut_off = False
        elif measurement.dns and self.is_cut_off is None:
            self.is_cut_off = True

    def _products(
        self, measurement: Measurement, verdict: Verdict, chain: Sequence[Certificate]
    ) -> tuple[TraitMatch, ...]:
        return products_behind(measurement, verdict, chain, self._setup.judge.registry)

    def _is_compared(self, measurement: Measurement) -> bool:
        target = measurement.target
        return (target.hostname, target.port) in self._setup.judge.control or any(
            o.role is Role.CONTROL and o.presented_chain for o in measurement.tls
        )

    def _tell(self, judged: JudgedTarget) -> None:
        self.tally.add(judged)
        if self._told.quiet or self.not_shown is not None:
            return
        try:
            self._told.progress.show(target_line(judged))
        except OSError as exc:  # `| head`, or a full disk: as good as Ctrl-C, and all is to be saved
            self.not_shown = exc
            self._stop.set()

    def _record(self, measurement: Measurement, verdict: Verdict) -> None:
        if self._setup.control_path is not None and is_worth_recording(verdict.outcome):
            add_control(self._control, entry_of(measurement))


class _Notes(SilentObserver):
    """Collects what is to be said of the run itself."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    def on_note(self, code: str) -> None:
        self._notes.append(code)

    def on_start(self, target: Target) -> None: ...

    def on_follow_up(self, target: Target, follow_up: FollowUp) -> None: ...
