"""Questions with a TTL, on loopback: every answer that is not a router's, and what the error queue holds."""

import asyncio
import contextlib
import ipaddress
import socket
import struct
from datetime import UTC, datetime

import pytest

from kzmitm.errors import UsageError
from kzmitm.model.target import Endpoint
from kzmitm.model.trace import FULL_TTL, Answer
from kzmitm.netio import errqueue
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.expiring_hello import Patience
from kzmitm.netio.links.direct import DirectLink
from kzmitm.netio.routing import Route, route_to
from kzmitm.probe.trace_sockets import SocketProber
from kzmitm.probe.trace_way import check_link, check_route

pytestmark = pytest.mark.skipif(not errqueue.is_supported(), reason="needs Linux")

PATIENCE = Patience(connect_s=2.0, answer_s=0.3, second_s=0.1)


@contextlib.contextmanager
def listening(answer, *, reset=False):
    """A server that answers whatever comes, or closes, or keeps silent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        async def serve(reader, writer):
            with contextlib.suppress(ConnectionError):
                await reader.read(100)
                if reset:
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                elif answer is not None:
                    writer.write(answer)
                    await writer.drain()
                else:
                    await asyncio.sleep(0.5)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

        yield listener, serve


def said(answer, *, reset=False, ttl=FULL_TTL, patience=PATIENCE):
    async def ask():
        with listening(answer, reset=reset) as (listener, serve):
            server = await asyncio.start_server(serve, sock=listener)
            async with server:
                prober = prober_of(listener.getsockname()[1])
                return await prober.hello("a.test", ttl, 0, patience)

    return asyncio.run(ask())


def prober_of(port):
    watch = start_stopwatch(datetime(2026, 1, 1, tzinfo=UTC))
    return SocketProber(DirectLink(), Endpoint("127.0.0.1", port), watch)


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        (b"\x15\x03\x03\x00\x02\x02\x70", Answer.ALERT),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Answer.OTHER),
        (b"\x16\x03\x03\x00\x04\x02\x00", Answer.HANDSHAKE),
        (b"", Answer.CLOSED),
        (None, Answer.SILENCE),
    ],
)
def test_answers_to_a_hello(octets, answer):
    step = said(octets)
    assert step.answer is answer
    assert step.flow > 0
    assert step.tls is not None
    assert (step.address == "127.0.0.1") is (answer is not Answer.SILENCE)


def test_reset_in_answer_to_a_hello():
    step = said(None, reset=True)
    assert (step.answer, step.failure) == (Answer.RESET, "connection_reset")


def test_answers_below_the_floor_are_not_heard():
    deaf = Patience(connect_s=2.0, answer_s=0.3, second_s=0.1, floor_ttl=255)
    assert said(b"\x15\x03\x03\x00\x02\x02\x70", patience=deaf).answer is Answer.SILENCE


def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def test_closed_ports():
    async def ask():
        prober = prober_of(closed_port())
        port = closed_port()
        return (
            await prober.syn(port, 3, 0, 1.0),
            await prober.udp(port, 3, 0, 1.0),
            await prober.hello("a.test", 3, 0, PATIENCE),
        )

    syn, udp, hello = asyncio.run(ask())
    assert (syn.answer, syn.address) == (Answer.REFUSED, "127.0.0.1")
    assert (udp.answer, udp.address, udp.reply_ttl) == (Answer.ARRIVED, "127.0.0.1", 64)
    assert (hello.answer, hello.failure) == (Answer.UNSENT, "connection_refused")


def test_a_port_is_used_again():
    async def ask():
        with listening(b"") as (listener, serve):
            async with await asyncio.start_server(serve, sock=listener):
                port = listener.getsockname()[1]
                prober = prober_of(port)
                first = await prober.syn(port, 1, 0, 1.0)
                return first, await prober.hello("a.test", 1, first.flow, PATIENCE)

    first, again = asyncio.run(ask())
    assert first.answer is Answer.OPEN
    assert again.answer is Answer.CLOSED
    assert again.flow == first.flow


def test_a_port_that_is_taken_is_said():
    async def ask():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            flow = listener.getsockname()[1]
            prober = prober_of(closed_port())
            return [
                await prober.syn(9, 1, flow, 1.0),
                await prober.hello("a.test", 1, flow, PATIENCE),
            ]

    assert {step.answer for step in asyncio.run(ask())} == {Answer.UNSENT}


def test_silence():
    async def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            prober = prober_of(closed_port())
            return await prober.udp(sock.getsockname()[1], 1, 0, 0.05)

    assert asyncio.run(ask()).answer is Answer.SILENCE


def extended_error(origin, kind, code, address):
    packed = ipaddress.ip_address(address).packed
    behind = (
        b"\x02\0\0\0" + packed + bytes(8) if len(packed) == 4 else b"\x0a\0\0\0\0\0\0\0" + packed + bytes(4)
    )
    return struct.pack("=IBBBBII", 113, origin, kind, code, 0, 0, 0) + behind


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (extended_error(2, 11, 0, "192.0.2.1"), ("192.0.2.1", True, False)),
        (extended_error(2, 3, 3, "192.0.2.1"), ("192.0.2.1", False, True)),
        (extended_error(3, 3, 0, "2001:db8::1"), ("2001:db8::1", True, False)),
        (extended_error(3, 1, 4, "2001:db8::1"), ("2001:db8::1", False, True)),
        (extended_error(2, 3, 13, "192.0.2.1"), ("192.0.2.1", False, False)),
        (extended_error(1, 0, 0, "192.0.2.1"), None),
        (extended_error(2, 11, 0, "192.0.2.1")[:20], None),
        (b"short", None),
    ],
)
def test_extended_errors(said, expected):
    report = errqueue.parse_error(said, 63)
    found = None if report is None else (report.address, report.is_expiry, report.is_closed_port)
    assert found == expected


def test_the_route_is_asked_of_the_kernel():
    link = DirectLink()
    for ip in ("127.0.0.1", "::1"):
        route = route_to(ip, link)
        assert route is None or (route.interface, route.is_on_link) == ("lo", True)
    assert route_to("127.0.0.1", link) is not None


@pytest.mark.parametrize("driver", ["tun", "wireguard", "sit", "xfrm"])
def test_tunnels_are_refused(driver):
    with pytest.raises(UsageError, match=driver):
        check_route(Route("vpn0", driver, is_on_link=False))


def test_ordinary_routes_are_not():
    for driver in ("e1000e", "veth", "ppp", ""):
        check_route(Route("eth0", driver, is_on_link=False))
    check_link(DirectLink())
