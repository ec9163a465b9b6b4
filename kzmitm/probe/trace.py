"""A trace of the way to one address: who answers what, at which distance.

The schedule, from the harmless to the telling: can it be reached at all, how far is it, how far does what
else is sent there go, and then a hello with the harmless name and one with the watched name at each
distance, one after the other on the same port. What looks like somebody on the way is then asked again on
ports that stay the same, since parallel ways (ECMP) and lost packets may look like it, too. What any of it
means, is not decided here.
"""

from collections.abc import Callable

from kzmitm.model.trace import FULL_TTL, TraceObservation, Walk, WalkKind
from kzmitm.model.trace_table import BESIDE_KINDS
from kzmitm.probe.trace_asker import (
    CONTROL_PORT,
    FIRST_WAIT_S,
    MAX_DURATION_S,
    MAX_QUESTIONS,
    UDP_PORT,
    Asker,
    LimitError,
    Prober,
    TraceRequest,
    together,
)
from kzmitm.probe.trace_proofs import Proofs
from kzmitm.probe.trace_walks import Walks

__all__ = ["CONTROL_PORT", "MAX_DURATION_S", "MAX_QUESTIONS", "Prober", "TraceRequest", "Tracer"]


class Tracer:
    """One trace; `observation` may be asked at any time."""

    def __init__(self, prober: Prober, request: TraceRequest, clock: Callable[[], float]) -> None:
        """`clock` gives seconds since the start of the measurement."""
        self.prober = prober
        self.request = request
        self._clock = clock
        self._asker = Asker(prober, request, clock)
        self._is_complete = False
        self._t0 = 0.0

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
                for kind, steps in self._asker.steps.items()
                if steps
            ),
            is_on_link=request.is_on_link,
            is_complete=self._is_complete,
            t0=self._t0,
            t=max((step.t for steps in self._asker.steps.values() for step in steps), default=self._t0),
        )

    async def run(self) -> TraceObservation:
        """The whole trace; a cancellation leaves what was seen to `observation`."""
        self._t0 = self._clock()
        try:
            await self._all()
            self._is_complete = True
        except* LimitError:
            pass
        return self.observation()

    async def _all(self) -> None:
        asker = self._asker
        walks, proofs = Walks(asker), Proofs(asker)
        await together(
            asker.ask(WalkKind.SYN, FULL_TTL, wait_s=FIRST_WAIT_S),
            asker.ask(WalkKind.SYN_CONTROL, FULL_TTL, wait_s=FIRST_WAIT_S),
        )
        asker.learn_rtt()
        kinds = (WalkKind.SYN, *BESIDE_KINDS)
        # How long an answer takes must be known before it is missed at some distance: who forges a
        # certificate makes a key first, and routers are quicker than that.
        await together(walks.reach(), *map(walks.walk, kinds))
        await together(walks.hellos(), proofs.length())
        await together(proofs.answer(), proofs.swallowing(), proofs.block())
