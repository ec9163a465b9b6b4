"""A hello that lives for a few hops only, on a connection that was opened at full TTL (Linux).

So whoever answers it was told the name, and whoever only relays connections was not.
"""

import contextlib
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass

from kzmitm.model.failure import Failure
from kzmitm.model.trace import FULL_TTL, Answer
from kzmitm.netio import errqueue, opened
from kzmitm.netio.expiring import IN_PROGRESS, Reply, Way, reset, wait, wait_writable
from kzmitm.netio.failures import classify, classify_errno
from kzmitm.wire.driver import HandshakeDriver

MAX_RECEIVED = 1 << 20
"""Octets taken from who answers a hello; a chain is below a tenth of it."""
HANDSHAKE_S = 3.0
"""Seconds for the rest of a handshake that has begun."""


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
        if number in IN_PROGRESS:
            ended = await wait_writable(sock, lambda: _error_of(sock), patience.connect_s)
            number = errno.ETIMEDOUT if ended is None else ended
        if number:
            return Reply(Answer.UNSENT, flow, failure=classify_errno(number))
        return await _Hello(way, sock, driver, clock).speak(ttl, flow, patience)
    except OSError as exc:
        return Reply(Answer.UNSENT, flow, failure=classify(exc))
    finally:
        reset(sock)


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
        ended = await wait(sock, lambda: self._read(flow), patience.answer_s)
        if ended is not None and ended.answer is Answer.EXPIRED:
            self._expired = ended
            ended = await wait(sock, lambda: self._read(flow), patience.second_s)
        if ended is None and self._received:
            ended = await wait(sock, lambda: self._read(flow), HANDSHAKE_S)
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
