"""Through a real sshd: what arrives, and whose a failure is."""

import asyncio
import socket
import sys
from dataclasses import replace

import hostile
import pytest
from sshd import needs_sshd, running_sshd
from test_netio_proxies import LIMITS, PROXY_FAILED, free_port, shake_through

from kzmitm.model.target import Endpoint
from kzmitm.netio.pump import Limits
from kzmitm.netio.vantage import ProxyError, open_vantage

pytestmark = needs_sshd


@pytest.fixture
def server(tmp_path):
    with running_sshd(tmp_path) as running:
        yield running


async def through(link, *endpoints: Endpoint, limits=LIMITS):
    """Handshakes one after the other; the link is closed at the end."""
    try:
        return [await shake_through(link, endpoint, limits=limits) for endpoint in endpoints]
    finally:
        await link.aclose()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_names_and_addresses_of_both_families(server, certificate, host):
    async def check():
        async with hostile.tls_server(certificate, host) as port:
            link = open_vantage(server.uri())
            assert not link.resolves_names
            assert link.vantage.dns == "vantage"
            [seen] = await through(link, Endpoint(host, port))
        assert seen[0].connect_failure is None
        assert seen[1].failure is None
        assert len(seen[1].presented_chain) == 1

    asyncio.run(check())


def test_a_server_that_listens_on_ipv6(tmp_path, certificate):
    async def check(server):
        async with hostile.tls_server(certificate) as port:
            [seen] = await through(open_vantage(server.uri()), Endpoint("localhost", port))
        assert seen[1].presented_chain

    with running_sshd(tmp_path, address="::1") as server:
        asyncio.run(check(server))


def test_many_at_once_share_one_connection(server, certificate):
    async def check():
        async with hostile.tls_server(certificate) as port:
            link = open_vantage(server.uri())
            endpoint = Endpoint("127.0.0.1", port)
            seen = await asyncio.gather(*[shake_through(link, endpoint) for _ in range(50)])
            await link.aclose()
        assert all(len(observation.presented_chain) == 1 for _, observation in seen)

    asyncio.run(check())
    server.kill()


def test_what_the_server_says_of_the_target(server):
    async def check():
        refused = Endpoint("127.0.0.1", free_port())
        nobody = Endpoint("no-such-name.invalid", 443)
        first, second = await through(open_vantage(server.uri()), refused, nobody)
        assert first[0].connect_failure == "connection_refused"
        assert second[0].connect_failure in ("dns_nxdomain_error", "dns_temporary_failure")

    asyncio.run(check())


def full_server():
    """A server whose queue is full: who connects waits in vain."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(0)
    waiting = [socket.create_connection(sock.getsockname()) for _ in range(1)]
    return sock, waiting


def test_a_silent_target_is_not_the_servers_failure(server):
    sock, waiting = full_server()

    async def check():
        endpoint = Endpoint("127.0.0.1", sock.getsockname()[1])
        [seen] = await through(open_vantage(server.uri()), endpoint, limits=Limits(0.5, 0.5, 0.5))
        assert seen[0].connect_failure == "generic_timeout_error"

    asyncio.run(check())
    for each in (sock, *waiting):
        each.close()


def test_a_silent_server_is_not_the_targets_failure(server):
    async def check():
        link = replace(open_vantage(server.uri()), silence_s=0.1)
        await link.ready()
        server.stop()
        connecting = await shake_through(link, Endpoint("127.0.0.1", 1), limits=Limits(0.3, 0.3, 0.3))
        with pytest.raises(ProxyError, match="does not answer"):
            await link.connect(Endpoint("127.0.0.1", 1), 0.2)
        server.kill()
        await link.aclose()
        assert connecting[0].connect_failure == PROXY_FAILED

    asyncio.run(check())


def test_a_server_that_falls_silent_in_a_handshake(server):
    async def keep(reader, writer):
        await reader.read(1)
        server.stop()
        await hostile.forever(reader)

    async def check():
        async with hostile.serving(keep) as port:
            link = replace(open_vantage(server.uri()), silence_s=0.1)
            exchange, seen = await shake_through(
                link, Endpoint("127.0.0.1", port), limits=Limits(2, 0.5, 0.5)
            )
            server.kill()
            await link.aclose()
        assert exchange.connect_failure is None
        assert seen.failure == PROXY_FAILED

    asyncio.run(check())


def test_a_server_that_is_away_is_not_asked_by_everybody(tmp_path):
    asked = []

    async def behaviour(reader, writer):
        asked.append(reader)

    async def check():
        async with hostile.serving(behaviour) as port:
            link = open_vantage(f"ssh://127.0.0.1:{port}?known_hosts={tmp_path}/none")
            (tmp_path / "none").write_text("")
            endpoint = Endpoint("192.0.2.1", 443)
            seen = await asyncio.gather(*[shake_through(link, endpoint) for _ in range(20)])
            seen += await through(link, endpoint)
        assert {exchange.connect_failure for exchange, _ in seen} == {PROXY_FAILED}
        assert len(asked) == 1

    asyncio.run(check())


def test_forwarding_that_is_not_allowed_is_the_servers_failure(tmp_path):
    async def check(server):
        link = open_vantage(server.uri())
        with pytest.raises(ProxyError, match="forwards no connections") as caught:
            await link.connect(Endpoint("127.0.0.1", free_port()), 5)
        assert "AllowTcpForwarding" in caught.value.hint
        [seen] = await through(link, Endpoint("127.0.0.1", free_port()))
        assert seen[0].connect_failure == PROXY_FAILED

    with running_sshd(tmp_path, more="AllowTcpForwarding no") as server:
        asyncio.run(check(server))


@pytest.mark.parametrize(
    "behaviour",
    [hostile.silent, hostile.close_at_once, hostile.echo, hostile.endless(b"", b"SSH-1.0-x\r\n")],
    ids=["silent", "closed", "echo", "old"],
)
def test_no_ssh_server_there(behaviour, tmp_path):
    (tmp_path / "none").write_text("")

    async def check():
        async with hostile.serving(behaviour) as port:
            link = open_vantage(f"ssh://127.0.0.1:{port}?known_hosts={tmp_path}/none")
            [seen] = await through(link, Endpoint("192.0.2.1", 443), limits=Limits(0.3, 0.3, 0.3))
        assert seen[0].connect_failure == PROXY_FAILED

    asyncio.run(check())


def test_a_connection_that_died_is_made_again(server, certificate):
    async def check():
        async with hostile.tls_server(certificate) as port:
            link = open_vantage(server.uri())
            endpoint = Endpoint("127.0.0.1", port)
            before = await shake_through(link, endpoint)
            server.kill()
            server.start()
            after = await shake_through(link, endpoint)
            server.kill()
            gone = await shake_through(link, endpoint)
            again = await shake_through(link, endpoint)
            await link.aclose()
        assert before[1].presented_chain
        assert after[1].presented_chain
        assert gone[0].connect_failure == again[0].connect_failure == PROXY_FAILED

    asyncio.run(check())


def test_a_connection_that_dies_in_a_handshake_is_not_the_targets_failure(server):
    began = asyncio.Event()

    async def keep(reader, writer):
        await reader.read(1)
        began.set()
        await hostile.forever(reader)

    async def check():
        async with hostile.serving(keep) as port:
            link = open_vantage(server.uri())
            shaking = asyncio.create_task(
                shake_through(link, Endpoint("127.0.0.1", port), limits=Limits(9, 9, 9))
            )
            await began.wait()
            server.kill()
            exchange, seen = await shaking
            await link.aclose()
        assert exchange.connect_failure is None
        assert seen.failure == PROXY_FAILED

    asyncio.run(check())


def test_the_targets_end_of_file_stays_the_targets(server):
    async def check():
        async with hostile.serving(hostile.close_after_hello) as port:
            [seen] = await through(open_vantage(server.uri()), Endpoint("127.0.0.1", port))
        assert seen[1].failure == "eof_error"

    asyncio.run(check())


OCTETS = bytes(range(256)) * 120_000
"""More than all buffers on the way hold."""


async def until_stalled(step):
    """Call `step` until it has not moved for a thousand turns of the loop."""
    stalled = 0
    while stalled < 1000:
        stalled = 0 if step() else stalled + 1
        await asyncio.sleep(0)


def test_what_the_target_does_not_take_waits_here(server):
    read_now = asyncio.Event()

    async def check():
        done = asyncio.get_running_loop().create_future()

        async def behaviour(reader, writer):
            await read_now.wait()
            done.set_result(await reader.readexactly(len(OCTETS)))

        async with hostile.serving(behaviour) as port:
            link = open_vantage(server.uri())
            sock = await link.connect(Endpoint("127.0.0.1", port), 5)
            sent = 0

            def send():
                nonlocal sent
                try:
                    count = sock.send(OCTETS[sent : sent + 100_000])
                except BlockingIOError:
                    return False
                sent += count
                return True

            await until_stalled(send)
            assert 0 < sent < len(OCTETS)
            read_now.set()
            await asyncio.get_running_loop().sock_sendall(sock, memoryview(OCTETS)[sent:])
            assert await done == OCTETS
            sock.close()
            await link.aclose()

    asyncio.run(check())


def test_what_we_do_not_take_waits_there(server):
    async def check():
        moved = [0]

        async def behaviour(reader, writer):
            for start in range(0, len(OCTETS), 100_000):
                writer.write(OCTETS[start : start + 100_000])
                await writer.drain()
                moved[0] += 1
            writer.write_eof()
            await hostile.forever(reader)

        async with hostile.serving(behaviour) as port:
            link = open_vantage(server.uri())
            sock = await link.connect(Endpoint("127.0.0.1", port), 5)
            seen = [-1]

            def has_moved():
                before, seen[0] = seen[0], moved[0]
                return before != seen[0]

            await until_stalled(has_moved)
            assert seen[0] * 100_000 < len(OCTETS)
            loop = asyncio.get_running_loop()
            received = bytearray()
            while data := await loop.sock_recv(sock, 1 << 20):
                received += data
            assert received == OCTETS
            sock.close()
            await link.aclose()

    asyncio.run(check())


def test_a_socket_that_is_closed_closes_its_channel(server):
    async def check():
        gone = asyncio.Event()

        async def behaviour(reader, writer):
            writer.write(b"x")
            await hostile.forever(reader)
            gone.set()

        async with hostile.serving(behaviour) as port:
            link = open_vantage(server.uri())
            sock = await link.connect(Endpoint("127.0.0.1", port), 5)
            sock.close()
            await asyncio.wait_for(gone.wait(), 5)
            await link.aclose()

    asyncio.run(check())


def test_a_channel_that_opens_too_late_is_closed(server):
    async def check():
        gone = asyncio.Event()

        async def behaviour(reader, writer):
            await hostile.forever(reader)
            gone.set()

        async with hostile.serving(behaviour) as port:
            link = open_vantage(server.uri())
            await link.ready()
            connecting = asyncio.create_task(link.connect(Endpoint("127.0.0.1", port), 5))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
            await asyncio.wait_for(gone.wait(), 5)
            await link.aclose()

    asyncio.run(check())


def test_nothing_listens_on_this_computer(server, certificate):
    """Whoever shares it could use the channel."""
    listening = []

    def note(event, args):
        if event == "socket.bind":
            listening.append(args)

    sys.addaudithook(note)

    async def check():
        async with hostile.tls_server(certificate) as port:
            listening.clear()
            link = open_vantage(server.uri())
            sock = await link.connect(Endpoint("127.0.0.1", port), 5)
            assert sock.family == socket.AF_UNIX
            assert sock.getsockname() == ""
            sock.close()
            await link.aclose()
        assert listening == []

    asyncio.run(check())
