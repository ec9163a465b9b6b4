"""Through proxies: real ones where installed, and small ones of our own that misbehave."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
from datetime import UTC, datetime

import hostile
import pytest

from kzmitm.model.observation import Role
from kzmitm.model.target import Endpoint
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.pump import Limits, run_handshake
from kzmitm.netio.vantage import open_vantage
from kzmitm.wire.client import TLSClient
from kzmitm.wire.profiles import PROFILES

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROXY_FAILED = "unknown_failure: proxy"


LIMITS = Limits(1.0, 1.0, 1.0)


async def shake(uri, endpoint, *, limits=LIMITS):
    return await shake_through(open_vantage(uri), endpoint, limits=limits)


async def shake_through(link, endpoint, *, limits=LIMITS):
    driver = TLSClient(sni="a.test", profile=PROFILES["small"])
    exchange = await run_handshake(link, endpoint, driver, stopwatch=start_stopwatch(NOW), limits=limits)
    observation = driver.observation(endpoint=endpoint, role=Role.FIRST, t0=0, t=1, transaction_id=1)
    return exchange, observation


async def relay(reader, writer, host, port):
    """Carry octets to `host` and back until one side is done."""
    far_reader, far_writer = await asyncio.open_connection(host, port)

    async def carry(source, sink):
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    try:
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))
    finally:
        far_writer.close()


def socks_proxy(reply_code=0, *, password=None, asked=None):
    """A SOCKS5 server (RFC 1928) that resolves every name to 127.0.0.1."""

    async def behaviour(reader, writer):
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if password is None:
            writer.write(b"\x05\x00")
        elif 2 in methods:
            writer.write(b"\x05\x02")
            _, length = await reader.readexactly(2)
            user = await reader.readexactly(length)
            given = await reader.readexactly((await reader.readexactly(1))[0])
            right = (user, given) == (b"user", password)
            writer.write(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return
        else:
            writer.write(b"\x05\xff")
            return
        kind = (await reader.readexactly(4))[3]
        if kind == 1:
            host = socket.inet_ntoa(await reader.readexactly(4))
        else:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        if asked is not None:
            asked.append(host)
        writer.write(bytes([5, reply_code, 0, 1]) + bytes(6))
        if reply_code == 0:
            await relay(reader, writer, "127.0.0.1", port)

    return behaviour


def connect_proxy(reply, *, asked=None):
    """An HTTP proxy that answers CONNECT with the pieces of `reply` and then relays."""

    async def behaviour(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(request)
        for piece in reply:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        port = int(request.split()[1].rpartition(b":")[2])
        await relay(reader, writer, "127.0.0.1", port)

    return behaviour


def test_socks_with_names_resolved_there(certificate):
    asked = []

    async def check():
        async with (
            hostile.tls_server(certificate) as port,
            hostile.serving(socks_proxy(asked=asked)) as proxy,
        ):
            exchange, seen = await shake(f"socks5h://127.0.0.1:{proxy}", Endpoint("a.test", port))
        assert exchange.connect_failure is None
        assert seen.failure is None
        assert len(seen.presented_chain) == 1
        assert asked == ["a.test"]

    asyncio.run(check())


@pytest.mark.parametrize(
    ("password", "failure"), [("right", None), ("wrong", PROXY_FAILED), (None, PROXY_FAILED)]
)
def test_socks_with_a_password(certificate, password, failure):
    user = f"user:{password}@" if password else ""

    async def check():
        proxy = socks_proxy(password=b"right")
        async with hostile.tls_server(certificate) as port, hostile.serving(proxy) as proxy_port:
            exchange, _ = await shake(f"socks5://{user}127.0.0.1:{proxy_port}", Endpoint("127.0.0.1", port))
        assert exchange.connect_failure == failure

    asyncio.run(check())


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (1, PROXY_FAILED),
        (2, PROXY_FAILED),
        (3, "network_unreachable"),
        (4, "host_unreachable"),
        (5, "connection_refused"),
        (6, PROXY_FAILED),
        (77, PROXY_FAILED),
    ],
)
def test_what_the_proxy_says_of_the_target(code, failure):
    async def check():
        async with hostile.serving(socks_proxy(code)) as proxy:
            exchange, _ = await shake(f"socks5://127.0.0.1:{proxy}", Endpoint("192.0.2.1", 443))
        assert exchange.connect_failure == failure
        assert [e.failure for e in exchange.events] == [failure]

    asyncio.run(check())


BAD_PROXIES = {
    "silent": hostile.silent,
    "echo": hostile.echo,
    "closed at once": hostile.close_at_once,
    "closed": hostile.close_after_hello,
    "reset": hostile.reset_after_hello,
    "garbage": hostile.after_hello(b"\x99" * 400),
    "endless": hostile.endless(b"", b"HTTP/1.1 200 OK\r\nX: y\r\n"),
    "refusing": hostile.after_hello(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
    "bad gateway": hostile.after_hello(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
    "strange": hostile.after_hello(b"SSH-2.0-x\r\n\r\n"),
}


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "http"])
@pytest.mark.parametrize("behaviour", BAD_PROXIES.values(), ids=BAD_PROXIES)
def test_a_bad_proxy_is_not_the_targets_failure(scheme, behaviour):
    async def check():
        async with hostile.serving(behaviour) as proxy:
            exchange, _ = await shake(
                f"{scheme}://127.0.0.1:{proxy}", Endpoint("192.0.2.1", 443), limits=Limits(0.1, 0.1, 0.1)
            )
        assert exchange.connect_failure == PROXY_FAILED

    asyncio.run(check())


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-proxy.invalid"])
@pytest.mark.parametrize("scheme", ["socks5", "http"])
def test_no_proxy_there(scheme, host):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        exchange, _ = asyncio.run(shake(f"{scheme}://{host}:{port}", Endpoint("192.0.2.1", 443)))
    assert exchange.connect_failure == PROXY_FAILED


@pytest.mark.parametrize(
    "reply",
    [
        [b"HTTP/1.1 200 OK\r\n\r\n"],
        [b"HTTP/1.0 200 Connection established\r\n", b"Via: x\r\n\r", b"\n"],
        [b"HTTP/1.1 200", b" \r\nA: ", b"b\r\n\r\n"],
    ],
)
def test_connect_in_any_pieces(certificate, reply):
    asked = []

    async def check():
        proxy = connect_proxy(reply, asked=asked)
        async with hostile.tls_server(certificate) as port, hostile.serving(proxy) as proxy_port:
            exchange, seen = await shake(f"http://user:pass@127.0.0.1:{proxy_port}", Endpoint("a.test", port))
            assert asked[0].startswith(f"CONNECT a.test:{port} HTTP/1.1\r\nHost: a.test:{port}\r\n".encode())
        assert exchange.connect_failure is None
        assert seen.failure is None
        assert b"Proxy-Authorization: Basic dXNlcjpwYXNz\r\n" in asked[0]
        assert b"user-agent" not in asked[0].lower()

    asyncio.run(check())


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextlib.contextmanager
def running(command, *, port):
    """A real proxy, ready on `port`."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.mark.skipif(not shutil.which("microsocks"), reason="microsocks is not installed")
def test_microsocks(certificate):
    proxy = free_port()

    async def check():
        async with hostile.tls_server(certificate) as port:
            right = await shake(f"socks5h://u:p@127.0.0.1:{proxy}", Endpoint("localhost", port))
            wrong = await shake(f"socks5h://u:x@127.0.0.1:{proxy}", Endpoint("localhost", port))
            refused = await shake(f"socks5://u:p@127.0.0.1:{proxy}", Endpoint("127.0.0.1", free_port()))
        assert right[0].connect_failure is None
        assert right[1].presented_chain
        assert wrong[0].connect_failure == PROXY_FAILED
        assert refused[0].connect_failure == "connection_refused"

    with running(["microsocks", "-i", "127.0.0.1", "-p", str(proxy), "-u", "u", "-P", "p"], port=proxy):
        asyncio.run(check())


@pytest.mark.skipif(not shutil.which("tinyproxy"), reason="tinyproxy is not installed")
def test_tinyproxy(certificate, tmp_path):
    proxy = free_port()
    config = tmp_path / "tinyproxy.conf"
    config.write_text(f"Port {proxy}\nListen 127.0.0.1\nTimeout 5\nMaxClients 5\nBasicAuth u p\n")

    async def check():
        async with hostile.tls_server(certificate) as port:
            right = await shake(f"http://u:p@127.0.0.1:{proxy}", Endpoint("localhost", port))
            wrong = await shake(f"http://127.0.0.1:{proxy}", Endpoint("localhost", port))
        assert right[0].connect_failure is None
        assert right[1].presented_chain
        assert wrong[0].connect_failure == PROXY_FAILED

    with running(["tinyproxy", "-d", "-c", str(config)], port=proxy):
        asyncio.run(check())
