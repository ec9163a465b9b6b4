"""The steps of a trace with packets of our own: who said what of them, and what was left of every TTL.

A hello is sent on a connection that the kernel has opened, as a packet that the kernel knows nothing of: so
the SYN-ACK, what answers the hello and what is said of it belong to one five-tuple, and each TTL is seen.
Once somebody has answered, the kernel is given the same octets to send, and finishes the handshake with them.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Role
from kzmitm.model.target import Endpoint
from kzmitm.model.trace import HELLO_ANSWERS, Answer, Step, TraceMethod
from kzmitm.netio.clock import Stopwatch
from kzmitm.netio.expiring import Hello, Patience, Way, open_connection, reset
from kzmitm.netio.raw_packets import RawPackets, reserved_port
from kzmitm.netio.vantage import VantageLink
from kzmitm.probe.tls import Offer, new_driver
from kzmitm.wire.quoted import ACK, FIN, RST, SYN, UDP, Message, Segment

OWN_PACKET_S = 0.2
"""Until a packet that the kernel has sent is seen here."""
FINISHING = Patience(connect_s=0.0, answer_s=2.0)
"""The server sends again what the kernel refused before, after 0.2 s and more."""


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
        self._turn = asyncio.Lock()

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
        """A hello on a connection of its own; those on one port wait for each other."""
        if not flow:
            return await self._hello(name, ttl, flow, patience)
        async with self._turn:
            return await self._hello(name, ttl, flow, patience)

    async def _hello(self, name: str, ttl: int, flow: int, patience: Patience) -> Step:
        t0 = self._stopwatch.elapsed()
        with self._port(flow) as own:
            seen = _Opening(self._way.endpoint, own)
            stop = self._packets.listen(_ignore, seen.on_segment)
            try:
                connection = await open_connection(self._way, own, patience.connect_s)
                await _wait(seen.is_whole, OWN_PACKET_S if connection.sock is not None else 0)
            finally:
                stop()
            if connection.sock is None:
                return self._unsent(ttl, own, connection.failure, t0)
            try:
                return await self._speak(name, ttl, connection.sock, seen, patience, t0)
            finally:
                reset(connection.sock)

    def _unsent(self, ttl: int, flow: int, failure: str | None, t0: float) -> Step:
        t = self._stopwatch.elapsed()
        return Step(ttl=ttl, flow=flow, answer=Answer.UNSENT, failure=failure, t0=t0, t=t)

    async def _speak(
        self, name: str, ttl: int, sock: socket.socket, seen: "_Opening", patience: Patience, t0: float
    ) -> Step:
        if seen.template is None:
            return self._unsent(ttl, seen.flow, Failure.GENERIC_TIMEOUT, t0)
        driver = new_driver(Offer(name, self._profile))
        segments = driver.start()
        heard = _Heard()
        with self._listening(heard, seen.is_quoted, seen.is_answer) as came:
            self._packets.send_on(seen.template, b"".join(segments), ttl)
            await _wait(came, patience.answer_s)
            if heard.segment is None and heard.message is not None:
                came.clear()
                await _wait(came, patience.second_s)
        step = replace(self._told(heard, ttl, seen.flow, t0), opened_ttl=seen.reply_ttl)
        if heard.segment is None and step.answer is not Answer.SILENCE:
            return step
        if heard.segment is None:
            driver.fail(Failure.GENERIC_TIMEOUT, self._stopwatch.elapsed())
        else:
            # The kernel knows of no hello yet. To the other side these are the same octets once more.
            reply = await Hello(self._way, sock, driver, self._stopwatch.elapsed).say(
                segments, seen.flow, FINISHING
            )
            step = replace(step, answer=_more_telling(step.answer, reply.answer), failure=reply.failure)
        t = self._stopwatch.elapsed()
        tls = driver.observation(endpoint=self._way.endpoint, role=Role.FIRST, t0=t0, t=t, transaction_id=0)
        return replace(step, tls=tls, t=t)

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
class _Opening:
    """What is seen of a connection while it opens: the TTL of the SYN-ACK, and our ACK as a template."""

    endpoint: Endpoint
    flow: int
    reply_ttl: int | None = None
    template: bytes | None = None
    is_whole: asyncio.Event = field(default_factory=asyncio.Event)

    def on_segment(self, segment: Segment, packet: bytes) -> None:
        ports = self.flow, self.endpoint.port
        if (segment.destination_port, segment.source_port) == ports and segment.flags & SYN:
            self.reply_ttl = segment.ttl
        elif (segment.source_port, segment.destination_port) == ports and segment.flags & _ALL == ACK:
            self.template = packet
        if self.reply_ttl is not None and self.template is not None:
            self.is_whole.set()

    def is_quoted(self, message: Message) -> bool:
        """It is about a packet of this connection."""
        quoted = message.quoted
        return (quoted.source_port, quoted.destination_port) == (self.flow, self.endpoint.port)

    def is_answer(self, segment: Segment) -> bool:
        """It brings data, or the end."""
        ports = segment.destination_port, segment.source_port
        return ports == (self.flow, self.endpoint.port) and (
            segment.length > 0 or bool(segment.flags & (RST | FIN))
        )


_ALL = SYN | ACK | RST | FIN


def _ignore(_message: Message) -> None:
    """Nothing is said of a packet that arrived."""


def _more_telling(seen: Answer, finished: Answer) -> Answer:
    """What was seen to come first ends it; of data, the whole of it tells what it was."""
    if seen in (Answer.RESET, Answer.CLOSED) or finished not in HELLO_ANSWERS:
        return seen
    return finished


async def _wait(came: asyncio.Event, wait_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await came.wait()
