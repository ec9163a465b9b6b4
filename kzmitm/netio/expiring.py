"""Packets that live for a few hops only, from ordinary sockets, and who answers them (Linux).

A hello goes out with a low TTL on a connection that was opened with a full one: so whoever answers it was
told the name, and whoever only relays connections was not. At its end a connection is reset with a full TTL,
so that nobody on the way keeps it.
"""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from kzmitm.model.failure import Failure
from kzmitm.model.target import Endpoint
from kzmitm.model.trace import FULL_TTL, Answer
from kzmitm.netio import errqueue, opened
from kzmitm.netio.failures import classify, classify_errno
from kzmitm.netio.readiness import readiness
from kzmitm.netio.vantage import VantageLink
from kzmitm.wire.driver import HandshakeDriver

MAX_RECEIVED = 1 << 20
"""Octets taken from who answers a hello; a chain is below a tenth of it."""
HANDSHAKE_S = 3.0
"""Seconds for the rest of a handshake that has begun."""

_IN_PROGRESS = frozenset({0, errno.EINPROGRESS})
_AT_ONCE = struct.pack("ii", 1, 0)
"""struct linger: close with a reset, and keep no TIME_WAIT that would hold the port."""
_PAYLOAD = b"kzmitm trace"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one packet; fields as in `kzmitm.model.trace.Step`."""

    answer: Answer
    flow: int
    address: str | None = None
    reply_ttl: int | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """From where and to where."""

    link: VantageLink
    endpoint: Endpoint

    def new_socket(self, kind: int, flow: int) -> socket.socket:
        """A socket of the link with `flow` as its port (0: any); raises OSError, ProxyError."""
        family = socket.AF_INET6 if ":" in self.endpoint.ip else socket.AF_INET
        sock = self.link.new_socket(family, kind)
        try:
            # Of every socket, as ports that the kernel chooses may be those that are used again here.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if flow:
                sock.bind(("", flow))
        except BaseException:
            sock.close()
            raise
        return sock

    @property
    def address(self) -> tuple[str, int]:
        return self.endpoint.ip, self.endpoint.port


async def ask_udp(way: Way, ttl: int, flow: int, wait_s: float) -> Reply:
    """Who says what of a datagram."""
    try:
        sock = way.new_socket(socket.SOCK_DGRAM, flow)
    except OSError as exc:
        return Reply(Answer.UNSENT, flow, failure=classify(exc))
    with sock:
        try:
            errqueue.ask_for_reports(sock)
            errqueue.limit(sock, ttl)
            sock.connect(way.address)
            flow = sock.getsockname()[1]
            sock.send(_PAYLOAD)
        except OSError as exc:
            return Reply(Answer.UNSENT, flow, failure=classify(exc))
        report = await _wait(sock, lambda: errqueue.take_report(sock), wait_s)
        readiness().drop(sock.fileno())
    if report is None:
        return Reply(Answer.SILENCE, flow, failure=Failure.GENERIC_TIMEOUT)
    if report.is_closed_port and report.address == way.endpoint.ip:
        return Reply(Answer.ARRIVED, flow, report.address, report.reply_ttl)
    return _reported(report, flow)


async def ask_syn(way: Way, ttl: int, flow: int, wait_s: float) -> Reply:
    """Who answers the opening of a connection."""
    try:
        sock = way.new_socket(socket.SOCK_STREAM, flow)
    except OSError as exc:
        return Reply(Answer.UNSENT, flow, failure=classify(exc))
    with sock:
        try:
            errqueue.ask_for_reports(sock)
            errqueue.limit(sock, ttl)
            number = sock.connect_ex(way.address)
            opened.tell(sock, way.endpoint)
            flow = sock.getsockname()[1]
        except OSError as exc:
            return Reply(Answer.UNSENT, flow, failure=classify(exc))
        try:
            if number not in _IN_PROGRESS:
                return _refused(way, number, flow)
            found = await _wait_writable(sock, lambda: _of_syn(way, sock, flow), wait_s)
        finally:
            _reset(sock)
    return found or Reply(Answer.SILENCE, flow, failure=Failure.GENERIC_TIMEOUT)


def _of_syn(way: Way, sock: socket.socket, flow: int) -> Reply | None:
    report = errqueue.take_report(sock)
    if report is not None:
        return _reported(report, flow)
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        return _refused(way, number, flow)
    try:
        sock.getpeername()
    except OSError:
        return None
    return Reply(Answer.OPEN, flow, way.endpoint.ip)


def _refused(way: Way, number: int, flow: int) -> Reply:
    failure = classify_errno(number)
    if number == errno.ECONNREFUSED:
        return Reply(Answer.REFUSED, flow, way.endpoint.ip, failure=failure)
    return Reply(Answer.UNSENT, flow, failure=failure)


def _reported(report: errqueue.Report, flow: int) -> Reply:
    answer = Answer.EXPIRED if report.is_expiry else Answer.UNREACHABLE
    return Reply(answer, flow, report.address, report.reply_ttl, Failure.HOST_UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Patience:
    """How an answer is waited for, in seconds.

    For a connection to open, for the first octet in answer to a hello, and for one that comes although the
    hello has expired: who reads along beside the path, or sends the rest of it on, answers all the same.
    """

    connect_s: float
    answer_s: float
    second_s: float = 0.3
    floor_ttl: int = 0
    """Answers that come with less of their own TTL are not heard."""


async def ask_hello(
    way: Way, driver: HandshakeDriver, ttl: int, flow: int, patience: Patience, clock: Callable[[], float]
) -> Reply:
    """Who answers a hello; what it was, the driver knows. UNSENT if no connection could be opened."""
    try:
        sock = way.new_socket(socket.SOCK_STREAM, flow)
    except OSError as exc:
        return Reply(Answer.UNSENT, flow, failure=classify(exc))
    try:
        number = sock.connect_ex(way.address)
        opened.tell(sock, way.endpoint)
        flow = sock.getsockname()[1]
        if number in _IN_PROGRESS:
            ended = await _wait_writable(sock, lambda: _error_of(sock), patience.connect_s)
            number = errno.ETIMEDOUT if ended is None else ended
        if number:
            return Reply(Answer.UNSENT, flow, failure=classify_errno(number))
        return await _Hello(way, sock, driver, clock).speak(ttl, flow, patience)
    except OSError as exc:
        return Reply(Answer.UNSENT, flow, failure=classify(exc))
    finally:
        _reset(sock)


def _error_of(sock: socket.socket) -> int:
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


class _Hello:
    """One connection from the hello on."""

    def __init__(
        self, way: Way, sock: socket.socket, driver: HandshakeDriver, clock: Callable[[], float]
    ) -> None:
        self._way = way
        self._sock = sock
        self._driver = driver
        self._clock = clock
        self._received = 0
        self._first = b""
        self._expired: Reply | None = None

    async def speak(self, ttl: int, flow: int, patience: Patience) -> Reply:
        """Say it with packets that live for `ttl` hops, and listen to the end of the handshake."""
        sock, driver = self._sock, self._driver
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        errqueue.ask_for_reports(sock)
        errqueue.limit(sock, ttl)
        if patience.floor_ttl:
            errqueue.set_floor(sock, patience.floor_ttl)
        for segment in driver.start():
            sock.send(segment)
        ended = await _wait(sock, lambda: self._read(flow), patience.answer_s)
        if ended is not None and ended.answer is Answer.EXPIRED:
            self._expired = ended
            ended = await _wait(sock, lambda: self._read(flow), patience.second_s)
        if ended is None and self._received:
            ended = await _wait(sock, lambda: self._read(flow), HANDSHAKE_S)
            if ended is None:
                driver.fail(Failure.GENERIC_TIMEOUT, self._clock())
                ended = self._answered(flow)
        if ended is None:
            driver.fail(Failure.GENERIC_TIMEOUT, self._clock())
            return self._expired or Reply(Answer.SILENCE, flow, failure=Failure.GENERIC_TIMEOUT)
        return ended

    def _read(self, flow: int) -> Reply | None:
        """Take what has come; None as long as more may come of it."""
        try:
            data = self._sock.recv(65536)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as exc:
            return self._ended_by(exc, flow)
        now = self._clock()
        if not data:
            self._driver.receive_eof(now)
            return self._answered(flow) if self._received else self._reply(Answer.CLOSED, flow, Failure.EOF)
        if not self._received:
            errqueue.limit(self._sock, FULL_TTL)  # the question is answered: now let them finish
            self._first = data[:1]
        self._received += len(data)
        answer = self._driver.receive(data, now)
        with contextlib.suppress(OSError):
            if answer:
                self._sock.send(answer)
        if self._driver.done or self._received > MAX_RECEIVED:
            return self._answered(flow)
        return None

    def _ended_by(self, exc: OSError, flow: int) -> Reply | None:
        failure = classify(exc)
        if exc.errno == errno.EHOSTUNREACH:
            # Once there was an answer, it is about an older packet.
            return None if self._received or self._expired else Reply(Answer.EXPIRED, flow, failure=failure)
        if exc.errno == errno.EMSGSIZE:
            return None  # a smaller MTU was found, and TCP sends again
        self._driver.fail(failure, self._clock())
        if self._received:
            return self._answered(flow)
        is_reset = exc.errno in (errno.ECONNRESET, errno.EPIPE)
        return self._reply(Answer.RESET if is_reset else Answer.UNREACHABLE, flow, failure)

    def _answered(self, flow: int) -> Reply:
        """What the first octet says: a record of the handshake, an alert, or no TLS at all."""
        kinds = {b"\x16": Answer.HANDSHAKE, b"\x15": Answer.ALERT}
        return self._reply(kinds.get(self._first, Answer.OTHER), flow, None)

    def _reply(self, answer: Answer, flow: int, failure: str | None) -> Reply:
        if failure is not None:
            self._driver.fail(failure, self._clock())
        address = None if answer is Answer.UNREACHABLE else self._way.endpoint.ip
        return Reply(answer, flow, address, failure=failure)


def _reset(sock: socket.socket) -> None:
    """Close with a reset that arrives."""
    readiness().drop(sock.fileno())
    with contextlib.suppress(OSError):
        errqueue.limit(sock, FULL_TTL)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    sock.close()


async def _wait(sock: socket.socket, look: Callable[[], T | None], wait_s: float) -> T | None:
    """What `look` finds once there is something to be read or reported, None after `wait_s`."""
    return await _watch(sock, look, wait_s, is_write=False)


async def _wait_writable(sock: socket.socket, look: Callable[[], T | None], wait_s: float) -> T | None:
    return await _watch(sock, look, wait_s, is_write=True)


async def _watch(
    sock: socket.socket, look: Callable[[], T | None], wait_s: float, *, is_write: bool
) -> T | None:
    ready = readiness()
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def on_event() -> None:
        if done.done():
            return
        try:
            found = look()
        except Exception as exc:  # noqa: BLE001 - handed to who waits
            done.set_exception(exc)
        else:
            if found is not None:
                done.set_result(found)

    (ready.expect_write if is_write else ready.expect_read)(sock.fileno(), on_event)
    try:
        async with asyncio.timeout(wait_s):
            return await done
    except TimeoutError:
        return None
