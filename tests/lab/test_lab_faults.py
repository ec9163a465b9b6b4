"""A name filter strikes for watched names and is invisible otherwise."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pytest

from kzmitm.lab.loopback.faults import Fault, NameFilter
from kzmitm.lab.loopback.servers import Connection, ServerThread
from kzmitm.model.target import Endpoint

LOOPBACK = "127.0.0.1"


class Echo(Connection):
    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def eof_received(self) -> bool:
        return False


@pytest.fixture
def servers() -> Iterator[ServerThread]:
    servers = ServerThread()
    yield servers
    servers.close()


def connect(endpoint: Endpoint) -> socket.socket:
    return socket.create_connection((endpoint.ip, endpoint.port), timeout=5)


def filtered(servers: ServerThread, fault: Fault, upstream: Endpoint) -> Endpoint:
    return servers.listen(partial(NameFilter, upstream, ["social.lab.test"], fault), LOOPBACK)


@pytest.mark.parametrize("size", [1, 1999, 2000, 2001, 200_000])
def test_what_is_not_watched_passes_whole(servers: ServerThread, size: int):
    endpoint = filtered(servers, Fault.RESET, servers.listen(Echo, LOOPBACK))
    sent = bytes(range(256)) * (size // 256 + 1)
    with connect(endpoint) as sock:
        sock.sendall(sent[:size])
        received = bytearray()
        while len(received) < size:
            received += sock.recv(65_536)
    assert received == sent[:size]


def test_name_is_seen_across_segments(servers: ServerThread):
    endpoint = filtered(servers, Fault.RESET, servers.listen(Echo, LOOPBACK))
    with connect(endpoint) as sock:
        sock.sendall(b"hello social.l")
        assert sock.recv(100) == b"hello social.l"
        sock.sendall(b"ab.test")
        with pytest.raises(ConnectionResetError):
            sock.recv(100)


def test_name_beyond_the_first_octets_is_not_seen(servers: ServerThread):
    endpoint = filtered(servers, Fault.RESET, servers.listen(Echo, LOOPBACK))
    with connect(endpoint) as sock:
        sock.sendall(b"x" * 2000)
        received = b""
        while len(received) < 2000:
            received += sock.recv(65_536)
        sock.sendall(b"social.lab.test")
        assert sock.recv(100) == b"social.lab.test"


def test_swallowed_connection_stays_open_and_silent(servers: ServerThread):
    endpoint = filtered(servers, Fault.DROP, servers.listen(Echo, LOOPBACK))
    with connect(endpoint) as sock:
        sock.sendall(b"social.lab.test")
        sock.sendall(b"more")
        sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            sock.recv(100)


def test_answer_in_the_clear(servers: ServerThread):
    endpoint = filtered(servers, Fault.PLAIN, servers.listen(Echo, LOOPBACK))
    with connect(endpoint) as sock:
        sock.sendall(b"social.lab.test")
        received = b"".join(iter(lambda: sock.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 403 ")


def test_origin_that_is_gone_ends_the_connection(servers: ServerThread):
    with socket.socket() as unused:
        unused.bind((LOOPBACK, 0))
        endpoint = filtered(servers, Fault.RESET, Endpoint(LOOPBACK, unused.getsockname()[1]))
        with connect(endpoint) as sock:
            sock.sendall(b"hello")
            with suppress(ConnectionResetError):  # as much an end
                assert sock.recv(100) == b""
