"""Traces of the ways to a target's addresses, and the measurement that is judged with them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kzmitm.errors import UsageError
from kzmitm.model.failure import Failure
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import DNSObservation, Role, TCPObservation, TLSObservation
from kzmitm.model.target import Endpoint, Target
from kzmitm.model.trace import FULL_TTL, Answer, Step, TraceObservation, WalkKind
from kzmitm.netio.clock import Stopwatch
from kzmitm.netio.routing import route_to
from kzmitm.netio.vantage import VantageLink
from kzmitm.probe.trace import CONTROL_PORT, Prober, Tracer, TraceRequest
from kzmitm.probe.trace_sockets import SocketProber
from kzmitm.probe.trace_way import check_route


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceManner:
    """How ways are traced: the harmless name, the other port, the hello, with packets of our own or not."""

    control_sni: str
    control_port: int = CONTROL_PORT
    profile: str = "small"
    raw: bool = False


class Ways:
    """The traces of one target, one to each address, at the same time."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        watched: str,
        *,
        link: VantageLink,
        stopwatch: Stopwatch,
        manner: TraceManner,
    ) -> None:
        """Raises UsageError where a route leads into a tunnel, or packets of our own are not allowed."""
        self._tracers: list[Tracer] = []
        try:
            for endpoint in endpoints:
                self._add(endpoint, watched, link, stopwatch, manner)
        except BaseException:
            self._close()
            raise

    def _add(
        self, endpoint: Endpoint, watched: str, link: VantageLink, stopwatch: Stopwatch, manner: TraceManner
    ) -> None:
        route = route_to(endpoint.ip, link)
        if route is not None:
            check_route(route)
        request = TraceRequest(
            endpoint=endpoint,
            watched=watched,
            control=manner.control_sni,
            control_port=manner.control_port,
            is_on_link=route is not None and route.is_on_link,
        )
        prober = _prober(link, endpoint, stopwatch, manner)
        self._tracers.append(Tracer(prober, request, stopwatch.elapsed))

    def _close(self) -> None:
        for tracer in self._tracers:
            tracer.prober.close()

    async def run(self) -> None:
        """All of them to their end; what a cancellation leaves is in `observations`."""
        try:
            async with asyncio.TaskGroup() as group:
                for tracer in self._tracers:
                    group.create_task(tracer.run())
        finally:
            self._close()

    def observations(self) -> tuple[TraceObservation, ...]:
        """What was seen, of addresses of which anything was."""
        found = (tracer.observation() for tracer in self._tracers)
        return tuple(trace for trace in found if trace.walks)


def intercepted(measurement: Measurement) -> tuple[Endpoint, ...]:
    """Where the target's own name was answered with certificates, one address of each family."""
    first: dict[bool, Endpoint] = {}
    for observation in measurement.tls:
        if observation.role is Role.FIRST and observation.presented_chain:
            first.setdefault(":" in observation.endpoint.ip, observation.endpoint)
    return tuple(first.values())


def _prober(link: VantageLink, endpoint: Endpoint, stopwatch: Stopwatch, manner: TraceManner) -> Prober:
    if manner.raw:
        if link.vantage.kind != "direct":
            raise UsageError("--raw sends by this computer's own routes", hint="leave out --via")
        from kzmitm.probe.trace_raw import RawProber  # noqa: PLC0415 (most traces need none)

        return RawProber(link, endpoint, stopwatch, profile=manner.profile)
    return SocketProber(link, endpoint, stopwatch, profile=manner.profile)


def measurement_of(
    target: Target,
    traces: Sequence[TraceObservation],
    *,
    link: VantageLink,
    stopwatch: Stopwatch,
    dns: tuple[DNSObservation, ...],
    software_version: str,
) -> Measurement:
    """What an ordinary scan would have seen in the hellos of these traces that went all the way."""
    tcp: list[TCPObservation] = []
    tls: list[TLSObservation] = []
    for trace in traces:
        _add(trace, tcp, tls)
    return Measurement(
        target=target,
        vantage=link.vantage,
        started_at=stopwatch.started_at,
        dns=dns,
        tcp=tuple(tcp),
        tls=tuple(tls),
        runtime_s=stopwatch.elapsed(),
        software_version=software_version,
        trace=tuple(traces),
    )


_ROLES = {WalkKind.HELLO_WATCHED: Role.FIRST, WalkKind.HELLO_CONTROL: Role.BENIGN_SNI}


def _add(trace: TraceObservation, tcp: list[TCPObservation], tls: list[TLSObservation]) -> None:
    for kind, role in _ROLES.items():
        step = _furthest(trace.steps(kind))
        if step is None:
            continue
        number = len(tcp) + 1
        failure = step.failure if step.answer is Answer.UNSENT else None
        tcp.append(_connect(trace, step, failure, number))
        if step.tls is not None:
            tls.append(replace(step.tls, role=role, transaction_id=number))
    if not trace.steps(WalkKind.HELLO_WATCHED):
        for step in trace.steps(WalkKind.SYN)[:1]:
            failure = None if step.answer is Answer.OPEN else step.failure or Failure.GENERIC_TIMEOUT
            tcp.append(_connect(trace, step, failure, len(tcp) + 1))


def _connect(trace: TraceObservation, step: Step, failure: str | None, number: int) -> TCPObservation:
    return TCPObservation(
        endpoint=trace.endpoint, failure=failure, t0=step.t0, t=step.t, transaction_id=number
    )


def _furthest(steps: Sequence[Step]) -> Step | None:
    """The hello that went all the way, by preference one that was answered."""
    full = [step for step in steps if step.ttl == FULL_TTL]
    return next((step for step in full if step.tls is not None and step.tls.failure is None), None) or next(
        iter(full), None
    )
