"""The name servers that this computer is configured with, asked over UDP (TCP when truncated).

They tell what getaddrinfo hides: aliases, response codes, times to live.
"""

import asyncio
import ipaddress
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import dns.exception
import dns.inet
import dns.message

from kzmitm.model.failure import Failure
from kzmitm.model.target import Endpoint
from kzmitm.netio import opened
from kzmitm.netio.answers import Reply, make_query, read_reply
from kzmitm.netio.failures import classify
from kzmitm.netio.vantage import ProxyError

MAX_NAMESERVERS = 2
"""Servers asked in turn, as a stub resolver does when the first is silent."""

SERVER_TIMEOUT_S = 2.5
"""Patience with one server, so that the second gets its turn within the limit of a lookup."""

MAX_MESSAGE = 65535

DNS_PORT = 53
CONFIGURATION = Path("/etc/resolv.conf")
UPSTREAM = Path("/run/systemd/resolve/resolv.conf")
"""Where systemd-resolved tells the servers that it asks itself (systemd-resolved.service(8))."""

Servers = tuple[tuple[str, int], ...]
"""Address and port of each."""

NewSocket = Callable[[int, int], socket.socket]
"""Makes a socket of a family and a kind that does not block."""


class StubResolver:
    """The servers, asked by sockets of `new_socket`."""

    engine = "udp"
    query_types = ("A", "AAAA")

    def __init__(self, nameservers: Servers, new_socket: NewSocket) -> None:
        self._nameservers = nameservers[:MAX_NAMESERVERS]
        self._new_socket = new_socket

    async def ask(self, hostname: str, query_type: str) -> Reply:
        """The reply of the first server that gives one. Failures are in the reply."""
        reply = Reply(failure=Failure.DNS_SERVER_MISBEHAVING)
        for address, port in self._nameservers:
            reply = await self._ask_server(address, port, hostname, query_type)
            if reply.rcode is not None:
                break
        return reply

    async def _ask_server(self, address: str, port: int, hostname: str, query_type: str) -> Reply:
        where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        try:
            query = make_query(hostname, query_type)
            message = await self._exchange(query, Endpoint(address, port))
            return read_reply(message, query_type, resolver_address=where)
        except dns.exception.DNSException:
            failure: str = Failure.DNS_SERVER_MISBEHAVING
        except (OSError, EOFError, ValueError) as exc:
            failure = classify(exc)
        except ProxyError:
            failure = Failure.PROXY_FAILED
        return Reply(failure=failure, resolver_address=where)

    async def _exchange(self, query: dns.message.Message, server: Endpoint) -> dns.message.Message:
        """The reply over UDP or, where that says it was truncated, over TCP."""
        try:
            wire = await self._ask_over(socket.SOCK_DGRAM, query.to_wire(), server)
            return _read(wire, query)
        except dns.message.Truncated:
            wire = await self._ask_over(socket.SOCK_STREAM, query.to_wire(prepend_length=True), server)
            return _read(wire, query)

    async def _ask_over(self, kind: int, question: bytes, server: Endpoint) -> bytes:
        """The octets of the answer. The socket is connected, so that nobody else's are taken for it."""
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in server.ip else socket.AF_INET
        with self._new_socket(family, kind) as sock:
            async with asyncio.timeout(SERVER_TIMEOUT_S):
                try:
                    await loop.sock_connect(sock, (server.ip, server.port))
                finally:
                    if kind == socket.SOCK_STREAM:
                        opened.tell(sock, server)
                await loop.sock_sendall(sock, question)
                if kind == socket.SOCK_DGRAM:
                    return await loop.sock_recv(sock, MAX_MESSAGE)
                length = int.from_bytes(await _read_exactly(sock, 2))
                return await _read_exactly(sock, length)


def _read(wire: bytes, query: dns.message.Message) -> dns.message.Message:
    """The message, if it answers the query; raises DNSException (Truncated for one that is cut)."""
    message = dns.message.from_wire(wire, raise_on_truncation=True)
    if not query.is_response(message):
        raise dns.exception.FormError
    return message


async def _read_exactly(sock: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    octets = b""
    while len(octets) < count:
        more = await loop.sock_recv(sock, count - len(octets))
        if not more:
            raise EOFError
        octets += more
    return octets


def configured_nameservers(file: Path | None = None) -> Servers:
    """The configured servers: of this computer, or of a file in the manner of resolv.conf(5).

    None where the system tells none (as on Android), or the file cannot be read.
    """
    if file is None and sys.platform == "win32":
        return _servers_of_windows()
    try:
        text = (file or CONFIGURATION).read_text("utf-8", "replace")
    except OSError:
        return ()
    lines = [line.split() for line in text.splitlines()]  # a comment begins with its sign: no keyword
    named = [words[1] for words in lines if words[:1] == ["nameserver"] and len(words) > 1]
    return tuple((address, DNS_PORT) for address in named if dns.inet.is_address(address))


def _servers_of_windows() -> Servers:
    """Those of the registry. The module that reads it takes longest of all to load, with all ways to ask."""
    from dns.resolver import Resolver  # noqa: PLC0415

    try:
        resolver = Resolver(configure=True)
    except (dns.exception.DNSException, OSError):
        return ()
    return tuple((str(server), resolver.port) for server in resolver.nameservers if isinstance(server, str))


def nameservers_beyond(interface: str, upstream: Path = UPSTREAM) -> Servers:
    """Of the configured servers those that an interface can lead to: none on this computer itself.

    A daemon on loopback would ask by whatever way it takes; what it asks itself is asked instead.
    """
    servers = configured_nameservers()
    if interface == "lo":
        return servers
    return _elsewhere(servers) or _elsewhere(configured_nameservers(upstream))


def _elsewhere(servers: Servers) -> Servers:
    return tuple(
        (address, port) for address, port in servers if not ipaddress.ip_address(address).is_loopback
    )
