"""The judge of one run: facts, context and verdicts behind one door, in bounded memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kzmitm.model.certificate import Certificate
from kzmitm.model.measurement import ControlEntry, Measurement
from kzmitm.model.verdict import Outcome, Verdict
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.registry import Registry
from kzmitm.pki.store import TrustStore
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.engine import deciding, judge
from kzmitm.verdict.facts import Facts, derive
from kzmitm.verdict.followup import FollowUp, needs_follow_up, plan_follow_ups
from kzmitm.verdict.handshake import HandshakeFacts, State

MAX_KEPT = 256
"""Suspicious targets whose facts are kept for judging again at the end: about 10 KB each with follow-ups.
Later ones were judged with a context that holds the earlier ones already."""

MAX_INTERMEDIATES = 512
"""Public intermediates remembered from trusted chains; a few hundred sign nearly all of the Web."""

_SETTLED = frozenset({Outcome.CLEAN, Outcome.UNREACHABLE})


@dataclass(frozen=True, slots=True)
class Settled:
    """A verdict that the whole run changed; `facts.measurement` says whose."""

    facts: Facts
    verdict: Verdict
    before: Verdict


class Judge:
    """Judges the measurements of one run.

    `verdict` counts its target into the context, so call it once per target, with all its follow-ups;
    `facts` counts nothing. `settle` at the end judges again what was suspicious, now that all is known.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        store: TrustStore,
        control: Mapping[tuple[str, int], ControlEntry] | None = None,
        cache: CertificateCache | None = None,
        intermediates: Sequence[Certificate] = (),
    ) -> None:
        self.registry = registry
        self.store = store
        self.control = control if control is not None else {}
        self.cache = cache if cache is not None else CertificateCache()
        self.intermediates = tuple(intermediates)
        self.context = RunContext()
        self._seen: dict[str, Certificate] = {}
        self._kept: list[tuple[Facts, Verdict]] = []
        self._last: Facts | None = None

    def facts(self, measurement: Measurement, now: datetime) -> Facts:
        """The facts of a measurement at `now` (aware UTC); the last ones are remembered."""
        last = self._last
        if last is not None and last.measurement is measurement and last.now == now:
            return last
        facts = derive(
            measurement,
            registry=self.registry,
            store=self.store,
            control=self.control,
            cache=self.cache,
            now=now,
            intermediates=self.intermediates,
        )
        self._last = facts
        return facts

    def _learn(self, facts: Facts) -> None:
        """Keep the public intermediates of trusted chains: other servers forget to send them."""
        focus = facts.focus
        if focus is None or focus.report is None or focus.state is not State.TRUSTED:
            return
        for certificate in focus.report.validated_path[1:-1]:
            if certificate.sha256 not in self._seen and len(self._seen) < MAX_INTERMEDIATES:
                self._seen[certificate.sha256] = certificate
                self.intermediates += (certificate,)

    def verdict(self, measurement: Measurement, now: datetime) -> Verdict:
        """The verdict of a measurement at `now`, in the context of all that were judged before."""
        return self.verdict_of(self.facts(measurement, now))

    def verdict_of(self, facts: Facts) -> Verdict:
        """The verdict of facts that were derived already; counts them into the context."""
        self._learn(facts)
        self.context.add(facts)
        verdict = judge(facts, self.context)
        if verdict.outcome not in _SETTLED and len(self._kept) < MAX_KEPT:
            self._kept.append((facts, verdict))
        return verdict

    def deciding(self, facts: Facts) -> HandshakeFacts | None:
        """The handshake that the verdict of these facts is about, in the run as it is known by now."""
        return deciding(facts, self.context)

    def needs_follow_up(self, facts: Facts) -> bool:
        """True if more handshakes would tell more."""
        return needs_follow_up(facts)

    def follow_ups(
        self, facts: Facts, *, benign_sni: Sequence[str], nonsense_sni: str
    ) -> tuple[FollowUp, ...]:
        """The handshakes that would tell more, in the order to make them."""
        return plan_follow_ups(facts, benign_sni=benign_sni, nonsense_sni=nonsense_sni)

    def settle(self) -> tuple[Settled, ...]:
        """Judge the suspicious targets again with the whole run as context; those that changed."""
        changed = []
        self._last = None
        for i, (early, before) in enumerate(self._kept):
            facts = self.facts(early.measurement, early.now) if self._seen else early
            after = judge(facts, self.context)
            if after != before:
                changed.append(Settled(facts, after, before))
                self._kept[i] = (facts, after)
        return tuple(changed)
