"""Packets that live for a few hops only, from ordinary sockets, and who answers them (Linux).

At its end a connection is reset with a full TTL, so that nobody on the way keeps it.
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

IN_PROGRESS = frozenset({0, errno.EINPROGRESS})
_AT_ONCE = struct.pack("ii", 1, 0)
"""struct linger: close with a reset, and keep no TIME_WAIT that would hold the port."""
_PAYLOAD = b"kzmitm trace"
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - only compared with
"""Of a socket that is not bound."""

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
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if flow or sock.getsockname()[0] in _ANYWHERE:
                # A port that is chosen at connect is shared with connections of others, and then not ours
                # to use again; a link that binds to an address leaves no choice.
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
        report = await wait(sock, lambda: errqueue.take_report(sock), wait_s)
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
            if number not in IN_PROGRESS:
                return _refused(way, number, flow)
            found = await wait_writable(sock, lambda: _of_syn(way, sock, flow), wait_s)
        finally:
            reset(sock)
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


def reset(sock: socket.socket) -> None:
    """Close with a reset that arrives."""
    readiness().drop(sock.fileno())
    with contextlib.suppress(OSError):
        errqueue.limit(sock, FULL_TTL)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    sock.close()


async def wait(sock: socket.socket, look: Callable[[], T | None], wait_s: float) -> T | None:
    """What `look` finds once there is something to be read or reported, None after `wait_s`."""
    return await _watch(sock, look, wait_s, is_write=False)


async def wait_writable(sock: socket.socket, look: Callable[[], T | None], wait_s: float) -> T | None:
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
