"""The pump against plain sockets, on each way of waiting for them."""

import asyncio
import contextlib
import socket
import ssl
import sys
import time
from datetime import UTC, datetime

import hostile
import pytest

from kzmitm.model.observation import Role, Split
from kzmitm.model.target import Endpoint
from kzmitm.netio import readiness
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.links.direct import DirectLink
from kzmitm.netio.pump import Limits, run_handshake
from kzmitm.wire.client import TLSClient
from kzmitm.wire.profiles import PROFILES

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Limits(1.0, 0.5, 0.5)


def uvloop_factory():
    return pytest.importorskip("uvloop").new_event_loop()


@pytest.fixture(params=["selector", "selector without epoll", "uvloop"])
def run(request):
    """Runs a coroutine on one kind of loop."""

    def runner(main):
        async def prepared():
            if request.param == "selector without epoll":
                readiness._OF_LOOP[asyncio.get_running_loop()] = readiness.LoopReadiness()
            return await main

        factory = uvloop_factory if request.param == "uvloop" else asyncio.SelectorEventLoop
        with asyncio.Runner(loop_factory=factory) as loop:
            return loop.run(prepared())

    return runner


async def shake(port, *, ip="127.0.0.1", split=Split.NONE, limits=LIMITS, driver=None):
    driver = driver or TLSClient(sni="a.test", profile=PROFILES["small"], split=split)
    exchange = await run_handshake(
        DirectLink(), Endpoint(ip, port), driver, stopwatch=start_stopwatch(NOW), limits=limits
    )
    return exchange, driver


def observe(driver, exchange):
    return driver.observation(
        endpoint=Endpoint("127.0.0.1", 1),
        role=Role.FIRST,
        t0=0,
        t=1,
        transaction_id=1,
        events=exchange.events,
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_genuine_server(run, certificate, host):
    async def check():
        async with hostile.tls_server(certificate, host) as port:
            exchange, driver = await shake(port, ip=host)
        observation = observe(driver, exchange)
        assert observation.failure is None
        assert observation.version == "TLSv1.3"
        assert observation.presented_chain == (ssl.PEM_cert_to_DER_cert(certificate[0].read_text()),)
        assert [e.operation for e in exchange.events][:3] == ["connect", "write", "read"]
        assert all(a.t <= b.t for a, b in zip(exchange.events, exchange.events[1:], strict=False))

    run(check())


def test_many_at_once(run, certificate):
    async def check():
        async with hostile.tls_server(certificate) as port:
            results = await asyncio.gather(*[shake(port, limits=Limits(9, 9, 9)) for _ in range(100)])
        assert all(observe(driver, exchange).failure is None for exchange, driver in results)

    run(check())


def test_a_closed_port(run):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        exchange, _ = run(shake(port))
    assert exchange.connect_failure == "connection_refused"
    assert [e.failure for e in exchange.events] == ["connection_refused"]


@pytest.mark.skipif(sys.platform != "linux", reason="how a full backlog behaves is Linux'")
def test_a_connect_that_nobody_answers(run):
    async def check():
        with socket.socket() as server, contextlib.ExitStack() as stack:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            where = server.getsockname()
            for _ in range(4):
                filler = stack.enter_context(socket.socket())
                filler.settimeout(0)
                filler.connect_ex(where)
            started = time.monotonic()
            exchange, _ = await shake(where[1], limits=Limits(0.1, 5, 5))
        assert exchange.connect_failure == "generic_timeout_error"
        assert 0.09 < time.monotonic() - started < 1
        assert exchange.t_connected - exchange.t0 >= 0.09

    run(check())


@pytest.mark.parametrize(
    ("endpoint", "failures"),
    [
        (Endpoint("not an address", 443), {"dns_nxdomain_error", "dns_temporary_failure"}),
        (Endpoint("255.255.255.255", 443), {"network_unreachable", "permission_denied"}),
    ],
)
def test_addresses_that_cannot_be_connected_to(run, endpoint, failures):
    exchange, _ = run(shake(endpoint.port, ip=endpoint.ip))
    assert exchange.connect_failure in failures


def test_each_segment_of_a_cut_hello_leaves_by_itself(run):
    received = []

    async def read_pieces(reader, writer):
        while data := await reader.read(65536):
            received.append(data)

    async def check():
        async with hostile.serving(read_pieces) as port:
            exchange, driver = await shake(port, split=Split.TCP, limits=Limits(1, 0.1, 0.1))
        writes = [e.num_bytes for e in exchange.events if e.operation == "write"]
        assert len(writes) > 1
        assert sum(writes) == sum(map(len, received))
        assert sum(writes) == observe(driver, exchange).hello.size

    run(check())


def test_cancelling_closes_the_connection_at_once(run):
    async def check():
        gone = asyncio.Event()

        async def wait_for_the_end(reader, writer):
            while await reader.read(65536):
                pass
            gone.set()

        async with hostile.serving(wait_for_the_end) as port:
            task = asyncio.create_task(shake(port, limits=Limits(9, 9, 9)))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(gone.wait(), 0.5)

    run(check())


class FaultyDriver:
    """A driver with a flaw of its own."""

    done = False

    def start(self):
        return (b"hello",)

    def receive(self, _data, _t):
        raise ZeroDivisionError

    def receive_eof(self, _t):
        raise ZeroDivisionError


@pytest.mark.parametrize("behaviour", [hostile.echo, hostile.close_after_hello])
def test_a_fault_of_the_driver_is_raised(run, behaviour):
    async def check():
        async with hostile.serving(behaviour) as port:
            with pytest.raises(ZeroDivisionError):
                await shake(port, driver=FaultyDriver())

    run(check())


class LongWinded:
    """A driver that has more to say than a socket takes at once, to a server that does not listen."""

    done = False
    failure = None

    def start(self):
        return (bytes(8 << 20),)

    def fail(self, failure, _t):
        self.failure = failure


def test_a_server_that_does_not_read(run):
    async def deaf(reader, writer):
        writer.transport.pause_reading()
        await asyncio.sleep(1)

    async def check():
        driver = LongWinded()
        async with hostile.serving(deaf) as port:
            await shake(port, driver=driver, limits=Limits(1, 0.1, 0.1))
        assert driver.failure == "generic_timeout_error"

    run(check())


def test_a_long_hello_arrives_whole(run):
    async def check():
        total = 0
        complete = asyncio.get_running_loop().create_future()

        async def count(reader, writer):
            nonlocal total
            while data := await reader.read(1 << 20):
                total += len(data)
                if total == 8 << 20:
                    complete.set_result(None)

        async with hostile.serving(count) as port:
            task = asyncio.create_task(shake(port, driver=LongWinded(), limits=Limits(5, 5, 5)))
            await asyncio.wait_for(complete, 5)
            task.cancel()
            await asyncio.wait([task])

    run(check())
