"""A Tor client's SOCKS port, played by a server that notes who asks it for what."""

import asyncio
import socket

import hostile
import pytest
from test_netio_proxies import PROXY_FAILED, relay, shake_through

from kzmitm.errors import UsageError
from kzmitm.model.target import Endpoint
from kzmitm.netio.vantage import open_vantage


def tor(asked, reply_code=0):
    """A SOCKS5 server that takes any user name and password (RFC 1929) and notes them."""

    async def field(reader):
        return await reader.readexactly((await reader.readexactly(1))[0])

    async def behaviour(reader, writer):
        _, count = await reader.readexactly(2)
        assert 2 in await reader.readexactly(count)
        writer.write(b"\x05\x02")
        await reader.readexactly(1)
        credentials = (await field(reader), await field(reader))
        writer.write(b"\x01\x00")
        kind = (await reader.readexactly(4))[3]
        host = await (field(reader) if kind == 3 else reader.readexactly(4 if kind == 1 else 16))
        port = int.from_bytes(await reader.readexactly(2))
        asked.append((kind, host, credentials))
        writer.write(bytes([5, reply_code, 0, 1]) + bytes(6))
        if reply_code == 0:
            await relay(reader, writer, "127.0.0.1", port)

    return behaviour


def test_targets_do_not_share_circuits(certificate):
    asked = []

    async def check():
        async with hostile.tls_server(certificate) as port, hostile.serving(tor(asked)) as proxy:
            link = open_vantage(f"tor:127.0.0.1:{proxy}")
            assert not link.resolves_names
            for name in ("a.test", "b.test", "a.test", "192.0.2.1", "2001:db8::1"):
                exchange, seen = await shake_through(link, Endpoint(name, port))
                assert exchange.connect_failure is None
                assert seen.presented_chain
            await shake_through(open_vantage(f"tor:127.0.0.1:{proxy}"), Endpoint("a.test", port))
        return link

    link = asyncio.run(check())
    first, other, again, v4, v6, next_run = asked
    assert (first[0], first[1]) == (3, b"a.test")
    assert (v4[0], v6[0]) == (1, 4)
    assert first[2] == again[2]
    assert len({ask[2] for ask in (first, other, v4, v6, next_run)}) == 5
    assert b"a.test" not in b"".join(first[2])
    assert first[2][0].decode() not in repr(link)


def test_a_socket_in_the_file_system(certificate, tmp_path):
    asked = []
    path = tmp_path / "socks"

    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))

    async def check():
        proxy = hostile.serving(tor(asked), listening=listening)
        async with hostile.tls_server(certificate) as port, proxy:
            exchange, seen = await shake_through(open_vantage(f"tor:unix:{path}"), Endpoint("a.test", port))
        assert exchange.connect_failure is None
        assert seen.presented_chain

    asyncio.run(check())


@pytest.mark.parametrize(
    ("code", "failure"),
    [(1, PROXY_FAILED), (2, PROXY_FAILED), (5, "connection_refused"), (6, "timed_out")],
)
def test_what_the_exit_says(code, failure):
    async def check():
        async with hostile.serving(tor([], code)) as proxy:
            exchange, _ = await shake_through(open_vantage(f"tor:127.0.0.1:{proxy}"), Endpoint("a.test", 443))
        assert exchange.connect_failure == failure

    asyncio.run(check())


def test_no_tor_there(tmp_path):
    link = open_vantage(f"tor:unix:{tmp_path}/none")
    exchange, _ = asyncio.run(shake_through(link, Endpoint("a.test", 443)))
    assert exchange.connect_failure == PROXY_FAILED


@pytest.mark.parametrize(
    ("uri", "where"),
    [
        ("tor:", ("127.0.0.1", 9050, "")),
        ("tor:#exit", ("127.0.0.1", 9050, "")),
        ("TOR:[::1]:9150", ("::1", 9150, "")),
        ("tor:localhost", ("localhost", 9050, "")),
        ("tor:unix:/run/tor/socks", ("127.0.0.1", 9050, "/run/tor/socks")),
    ],
)
def test_where_it_is(uri, where):
    link = open_vantage(uri)
    assert (link.host, link.port, link.path) == where
    assert link.vantage.dns == "vantage"


@pytest.mark.parametrize("uri", ["tor://h:1", "tor:secret@h", "tor:unix:secret", "tor:h:0", "tor:h:x", "tor"])
def test_bad_uris(uri):
    with pytest.raises(UsageError) as caught:
        open_vantage(uri)
    assert "secret" not in str(caught.value)
