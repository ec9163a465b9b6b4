"""The state of one connection, moved on by readiness and by one timer."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

from kzmitm.model.failure import Failure
from kzmitm.model.observation import NetworkEvent
from kzmitm.model.target import Endpoint
from kzmitm.netio import opened
from kzmitm.netio.clock import Stopwatch
from kzmitm.netio.failures import classify, classify_errno
from kzmitm.netio.readiness import Readiness, readiness
from kzmitm.netio.vantage import Blame
from kzmitm.wire.driver import Conversation

MAX_RECEIVED = 4 << 20
"""Octets accepted on one connection, far above what the driver itself takes for a chain; the backstop."""

MAX_EVENTS = 64
"""Network events kept per connection, as OONI's engine does."""

_IN_PROGRESS = frozenset({115, 36, 10035, 10036}) | {0}
"""EINPROGRESS of Linux and of macOS, WSAEWOULDBLOCK and WSAEINPROGRESS; 0 if it was connected at once."""

_INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})
"""Families of TCP; links that wrap a connection in another hand out half of a pair of AF_UNIX."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one connection may take, in seconds: to connect, to shake hands, to stay silent."""

    connect_s: float = 10.0
    handshake_s: float = 15.0
    idle_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """How a connection went, in seconds of the measurement's clock.

    `connect_failure` is None if the connect was answered; what came of the handshake, the driver knows.
    """

    connect_failure: str | None
    t0: float
    t_connected: float
    t: float
    events: tuple[NetworkEvent, ...]


class Flight:
    """A connection on its way through `connect` or `adopt`, `ended`, `exchange` and `close`."""

    __slots__ = (
        "_blame",
        "_buffer",
        "_connect_failure",
        "_driver",
        "_due",
        "_events",
        "_idle_s",
        "_last",
        "_limits",
        "_loop",
        "_outbox",
        "_readiness",
        "_received",
        "_sock",
        "_t",
        "_t0",
        "_t_connected",
        "_timer",
        "_zero",
        "ended",
    )

    def __init__(self, driver: Conversation, stopwatch: Stopwatch, limits: Limits, blame: Blame) -> None:
        self._blame = blame
        self._loop = asyncio.get_running_loop()
        self._readiness: Readiness = readiness()
        self._buffer = self._readiness.buffer
        self._driver = driver
        self._limits = limits
        self._zero = stopwatch.zero
        self._sock: socket.socket | None = None
        self._outbox: deque[bytes] = deque()
        self._events: list[NetworkEvent] = []
        self._received = 0
        self._connect_failure: str | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._last = now = monotonic()
        self._t = self._t0 = now - self._zero
        self._t_connected: float | None = None
        self._due = now + limits.connect_s
        self._idle_s = limits.connect_s
        self._timer: asyncio.TimerHandle | None = None

    def exchange(self) -> Exchange:
        connected = self._t if self._t_connected is None else self._t_connected
        return Exchange(self._connect_failure, self._t0, connected, self._t, tuple(self._events))

    def _start_timer(self) -> None:
        """Look at the limits when the shortest may have passed: one timer serves connect, silence and all."""
        limits = self._limits
        shortest = min(limits.connect_s, limits.handshake_s, limits.idle_s)
        self._timer = self._loop.call_later(shortest, self._on_timer)

    # -- connecting

    def connect(self, endpoint: Endpoint, new_socket: Callable[[int], socket.socket]) -> None:
        """Begin to connect one of the link's sockets; raises ProxyError if it has none."""
        self._start_timer()
        is_v6 = ":" in endpoint.ip
        address = (endpoint.ip, endpoint.port, 0, 0) if is_v6 else (endpoint.ip, endpoint.port)
        try:
            self._sock = sock = new_socket(socket.AF_INET6 if is_v6 else socket.AF_INET)
            number = sock.connect_ex(address)
            opened.tell(sock, endpoint)
        except OSError as exc:
            self.end_connect(classify(exc))
            return
        if number in _IN_PROGRESS:
            self._readiness.expect_write(sock.fileno(), self._on_connected)
        else:
            self.end_connect(classify_errno(number))

    def _on_connected(self) -> None:
        assert self._sock is not None  # noqa: S101 - it is what became ready
        number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self.end_connect(classify_errno(number))
        else:
            self._begin()

    def adopt(self, sock: socket.socket) -> None:
        """Go on with a socket that a proxy has connected."""
        sock.settimeout(0)
        self._sock = sock
        self._start_timer()
        self._begin()

    def end_connect(self, failure: str) -> None:
        failure = self._whose(failure)
        self._connect_failure = failure
        self._note("connect", 0, failure)
        self._end()

    # -- shaking hands

    def _begin(self) -> None:
        sock = self._sock
        assert sock is not None  # noqa: S101 - set by connect() or adopt()
        now = monotonic()
        self._t_connected = now - self._zero
        self._last = now
        self._due = now + self._limits.handshake_s
        self._idle_s = self._limits.idle_s
        self._note("connect", 0)
        if sock.family in _INTERNET:
            try:
                # Each segment of the hello is to leave as it is, and an alert at once.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as exc:
                self._fail("write", classify(exc))
                return
        self._guard(lambda: self._send_all(self._driver.start()))

    def _send_all(self, segments: Iterable[bytes]) -> None:
        self._outbox.extend(segments)
        self._flush()

    def _flush(self) -> None:
        """Send one segment and come back for the next: one `send` each, so that none are joined."""
        sock = self._sock
        if sock is None:
            return
        if self._outbox:
            segment = self._outbox.popleft()
            try:
                sent = sock.send(segment)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as exc:
                self._fail("write", classify(exc))
                return
            if sent:
                self._note("write", sent)
            if sent < len(segment):
                self._outbox.appendleft(segment[sent:])
        if self._outbox:
            self._readiness.expect_write(sock.fileno(), self._flush)
        else:
            self._readiness.expect_read(sock.fileno(), self._on_readable)

    def _on_readable(self) -> None:
        sock = self._sock
        if sock is None:
            return
        try:
            count = sock.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._fail("read", classify(exc))
            return
        self._last = now = monotonic()
        t = now - self._zero
        if not count:
            if self._blame(Failure.EOF):
                self._fail("read", Failure.PROXY_FAILED)
                return
            self._note("read", 0, Failure.EOF)
            self._guard(lambda: self._driver.receive_eof(t))
            self._end()
            return
        self._note("read", count)
        self._received += count
        try:
            answer = self._driver.receive(bytes(self._buffer[:count]), t)
            if self._driver.done:
                self._leave(answer)
            elif self._received > MAX_RECEIVED:
                self._driver.fail(Failure.SSL_FAILED_HANDSHAKE, t, f"over {MAX_RECEIVED} octets received")
                self._end()
            elif answer:
                self._send_all((answer,))
        except Exception as exc:  # noqa: BLE001 - handed to the caller of run_handshake
            self._crash(exc)

    def _leave(self, farewell: bytes) -> None:
        """Send the driver's last word, if the socket takes it, and go."""
        if farewell and not self._outbox and self._sock is not None:
            try:
                sent = self._sock.send(farewell)
            except OSError:
                # The peer has gone first; the handshake is over either way.
                sent = 0
            if sent:
                self._note("write", sent)
        self._end()

    # -- ending

    def _on_timer(self) -> None:
        now = monotonic()
        due = min(self._due, self._last + self._idle_s)
        if now < due:
            self._timer = self._loop.call_later(due - now, self._on_timer)
        elif self._t_connected is None:
            self.end_connect(Failure.GENERIC_TIMEOUT)
        else:
            self._fail("read", Failure.GENERIC_TIMEOUT)

    def _whose(self, failure: str) -> str:
        return Failure.PROXY_FAILED if self._blame(failure) else failure

    def _fail(self, operation: str, failure: str) -> None:
        failure = self._whose(failure)
        t = monotonic() - self._zero
        self._note(operation, 0, failure)
        self._guard(lambda: self._driver.fail(failure, t))
        self._end()

    def _note(self, operation: str, count: int, failure: str | None = None) -> None:
        if len(self._events) < MAX_EVENTS:
            self._events.append(NetworkEvent(operation, monotonic() - self._zero, count, failure))

    def _guard(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as exc:  # noqa: BLE001 - handed to the caller of run_handshake
            self._crash(exc)

    def _crash(self, exc: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(exc)
        self.close()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        self.close()

    def close(self) -> None:
        """Free socket and timer; may be called again."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            self._t = monotonic() - self._zero
        sock, self._sock = self._sock, None
        if sock is not None:
            self._readiness.drop(sock.fileno())
            sock.close()
