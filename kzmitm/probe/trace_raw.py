"""The steps of a trace with packets of our own: who said what of them, and what was left of every TTL.

SYNs and datagrams are made here, so that many of one five-tuple are on their way at once. Hellos are the
kernel's, as it repeats what is lost and finishes a handshake; of their connections each packet is seen, the
SYN-ACK, what answers the hello, and what routers say of it.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Role
from kzmitm.model.target import Endpoint
from kzmitm.model.trace import HELLO_ANSWERS, Answer, Step, TraceMethod
from kzmitm.netio.clock import Stopwatch
from kzmitm.netio.expiring import Reply, Way
from kzmitm.netio.expiring_hello import Patience, ask_hello
from kzmitm.netio.raw_packets import RawPackets, reserved_port
from kzmitm.netio.vantage import VantageLink
from kzmitm.probe.tls import Offer, new_driver
from kzmitm.wire.quoted import FIN, RST, SYN, UDP, Message, Segment


@dataclass(slots=True)
class _Heard:
    """What came of one packet so far."""

    message: Message | None = None
    segment: Segment | None = None


class RawProber:
    """Steps to one address; close it at the end."""

    method = TraceMethod.RAW

    def __init__(
        self, link: VantageLink, endpoint: Endpoint, stopwatch: Stopwatch, *, profile: str = "small"
    ) -> None:
        """Raises UsageError without scapy or privilege."""
        self._way = Way(link, endpoint)
        self._stopwatch = stopwatch
        self._profile = profile
        self._packets = RawPackets(endpoint.ip)
        self._family = socket.AF_INET6 if ":" in endpoint.ip else socket.AF_INET
        self._stack = contextlib.ExitStack()
        self.flow: int = self._stack.enter_context(reserved_port(self._family))
        """The port of every walk: so all of their packets are of one flow."""

    def close(self) -> None:
        self._packets.close()
        self._stack.close()

    async def syn(self, port: int, ttl: int, flow: int, wait_s: float) -> Step:
        """A SYN; the number that is acknowledged tells which one an answer is for."""
        with self._port(flow) as own:
            t0 = self._stopwatch.elapsed()
            sent = 0

            def is_message(message: Message) -> bool:
                return message.quoted.sequence == sent and message.quoted.source_port == own

            def is_answer(segment: Segment) -> bool:
                ours = segment.source_port == port and segment.destination_port == own
                # An ACK alone says that an earlier SYN of this flow is still remembered there.
                ours = ours and bool(segment.flags & (SYN | RST))
                return ours and segment.acknowledged == (sent + 1) % (1 << 32)

            heard = _Heard()
            with self._listening(heard, is_message, is_answer) as came:
                sent = self._packets.send_syn(own, port, ttl)
                await _wait(came, wait_s)
            step = self._told(heard, ttl, own, t0)
            if step.answer is Answer.RESET:
                return replace(step, answer=Answer.REFUSED, failure=Failure.CONNECTION_REFUSED)
            return step

    async def udp(self, port: int, ttl: int, flow: int, wait_s: float) -> Step:
        with self._port(flow) as own:
            t0 = self._stopwatch.elapsed()
            heard = _Heard()
            sent = 0

            def is_message(message: Message) -> bool:
                quoted = message.quoted
                ports = quoted.source_port, quoted.destination_port
                return quoted.protocol == UDP and (*ports, quoted.sequence) == (own, port, sent)

            with self._listening(heard, is_message, lambda _: False) as came:
                sent = self._packets.send_udp(own, port, ttl)
                await _wait(came, wait_s)
            return self._told(heard, ttl, own, t0)

    async def hello(self, name: str, ttl: int, flow: int, patience: Patience) -> Step:
        """A hello that the kernel sends, on a connection of which every packet is seen."""
        with self._port(flow) as own:
            t0 = self._stopwatch.elapsed()
            driver = new_driver(Offer(name, self._profile))
            seen = _Seen(own, self._way.endpoint)
            stop = self._packets.listen(seen.on_message, seen.on_segment)
            try:
                reply = await ask_hello(self._way, driver, ttl, own, patience, self._stopwatch.elapsed)
            finally:
                stop()
        step = seen.step(reply, ttl, t0, self._stopwatch.elapsed())
        if reply.answer in (Answer.UNSENT, Answer.EXPIRED):
            return step
        tls = driver.observation(
            endpoint=self._way.endpoint, role=Role.FIRST, t0=t0, t=step.t, transaction_id=0
        )
        return replace(step, tls=tls)

    @contextlib.contextmanager
    def _port(self, flow: int) -> Iterator[int]:
        if flow:
            yield flow
        else:
            with reserved_port(self._family) as own:
                yield own

    @contextlib.contextmanager
    def _listening(
        self, heard: _Heard, is_message: Callable[[Message], bool], is_answer: Callable[[Segment], bool]
    ) -> Iterator[asyncio.Event]:
        came = asyncio.Event()

        def on_message(message: Message) -> None:
            if heard.message is None and is_message(message):
                heard.message = message
                came.set()

        def on_segment(segment: Segment, _packet: bytes) -> None:
            if segment.source == self._way.endpoint.ip and heard.segment is None and is_answer(segment):
                heard.segment = segment
                came.set()

        stop = self._packets.listen(on_message, on_segment)
        try:
            yield came
        finally:
            stop()

    def _told(self, heard: _Heard, ttl: int, flow: int, t0: float) -> Step:
        step = Step(
            ttl=ttl,
            flow=flow,
            answer=Answer.SILENCE,
            failure=Failure.GENERIC_TIMEOUT,
            t0=t0,
            t=self._stopwatch.elapsed(),
        )
        ip = self._way.endpoint.ip
        if heard.segment is not None:
            answer = _of_segment(heard.segment)
            return replace(step, answer=answer, address=ip, reply_ttl=heard.segment.ttl, failure=None)
        if heard.message is None:
            return step
        message = heard.message
        step = replace(step, address=message.source, reply_ttl=message.ttl, quoted_ttl=message.quoted.ttl)
        if message.is_closed_port and message.source == ip:
            return replace(step, answer=Answer.ARRIVED, failure=None)
        answer = Answer.EXPIRED if message.is_expiry else Answer.UNREACHABLE
        return replace(step, answer=answer, failure=Failure.HOST_UNREACHABLE)


def _of_segment(segment: Segment) -> Answer:
    if segment.flags & SYN:
        return Answer.OPEN
    if segment.flags & RST:
        return Answer.RESET
    return Answer.HANDSHAKE if segment.length else Answer.CLOSED


@dataclass(slots=True)
class _Seen:
    """What is seen of one connection: the SYN-ACK, the data, the end, what was said of its packets."""

    flow: int
    endpoint: Endpoint
    opened_ttl: int | None = None
    data_ttl: int | None = None
    end_ttl: int | None = None
    message: Message | None = None

    def on_message(self, message: Message) -> None:
        ports = message.quoted.source_port, message.quoted.destination_port
        if self.message is None and ports == (self.flow, self.endpoint.port) and message.is_expiry:
            self.message = message

    def on_segment(self, segment: Segment, _packet: bytes) -> None:
        ports = segment.source_port, segment.destination_port
        if segment.source != self.endpoint.ip or ports != (self.endpoint.port, self.flow):
            return
        if segment.flags & SYN:
            self.opened_ttl = segment.ttl
        elif segment.length:
            self.data_ttl = segment.ttl if self.data_ttl is None else self.data_ttl
        elif segment.flags & (RST | FIN):
            self.end_ttl = segment.ttl if self.end_ttl is None else self.end_ttl

    def step(self, reply: Reply, ttl: int, t0: float, t: float) -> Step:
        """What came of the hello, with what was seen."""
        step = Step(
            ttl=ttl,
            flow=self.flow,
            answer=reply.answer,
            address=reply.address,
            failure=reply.failure,
            opened_ttl=self.opened_ttl,
            t0=t0,
            t=t,
        )
        if reply.answer in (Answer.RESET, Answer.CLOSED):
            return replace(step, reply_ttl=self.end_ttl)
        if reply.answer in HELLO_ANSWERS:
            return replace(step, reply_ttl=self.data_ttl)
        if reply.answer is Answer.EXPIRED and self.message is not None:
            seen = self.message
            return replace(step, address=seen.source, reply_ttl=seen.ttl, quoted_ttl=seen.quoted.ttl)
        return step


async def _wait(came: asyncio.Event, wait_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await came.wait()
