"""The name servers that this computer is configured with, asked over UDP (TCP when truncated).

They tell what getaddrinfo hides: aliases, response codes, times to live.
"""

import socket
from typing import Any

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.inet
import dns.message
import dns.resolver

from kzmitm.model.failure import Failure
from kzmitm.netio import opened
from kzmitm.netio.answers import Reply, make_query, read_reply
from kzmitm.netio.failures import classify

MAX_NAMESERVERS = 2
"""Servers asked in turn, as a stub resolver does when the first is silent."""

SERVER_TIMEOUT_S = 2.5
"""Patience with one server, so that the second gets its turn within the limit of a lookup."""


class StubResolver:
    """dnspython over the system's configuration (resolv.conf, the Windows registry)."""

    engine = "udp"
    query_types = ("A", "AAAA")

    def __init__(self, nameservers: tuple[tuple[str, int], ...]) -> None:
        self._nameservers = nameservers[:MAX_NAMESERVERS]

    async def ask(self, hostname: str, query_type: str) -> Reply:
        """The reply of the first server that gives one. Failures are in the reply."""
        reply = Reply(failure=Failure.DNS_SERVER_MISBEHAVING)
        for address, port in self._nameservers:
            reply = await _ask_server(address, port, hostname, query_type)
            if reply.rcode is not None:
                break
        return reply


def configured_nameservers() -> tuple[tuple[str, int], ...]:
    """Address and port of each configured server, none where the system tells none (as on Android)."""
    try:
        resolver = dns.resolver.Resolver(configure=True)
    except (dns.exception.DNSException, OSError):
        return ()
    return tuple((str(server), resolver.port) for server in resolver.nameservers if isinstance(server, str))


async def _ask_server(address: str, port: int, hostname: str, query_type: str) -> Reply:
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        query = make_query(hostname, query_type)
        message = await _exchange(query, address, port)
        return read_reply(message, query_type, resolver_address=where)
    except dns.exception.Timeout:
        failure: str = Failure.GENERIC_TIMEOUT
    except dns.exception.DNSException:
        failure = Failure.DNS_SERVER_MISBEHAVING
    except (OSError, EOFError, ValueError) as exc:
        failure = classify(exc)
    return Reply(failure=failure, resolver_address=where)


async def _exchange(query: dns.message.Message, address: str, port: int) -> dns.message.Message:
    """The reply over UDP or, where that says it was truncated, over TCP."""
    try:
        return await dns.asyncquery.udp(
            query,
            address,
            timeout=SERVER_TIMEOUT_S,
            port=port,
            ignore_unexpected=True,
            raise_on_truncation=True,
        )
    except dns.message.Truncated:
        backend: Any = dns.asyncbackend.get_backend("asyncio")
    stream = await backend.make_socket(
        dns.inet.af_for_address(address),
        socket.SOCK_STREAM,
        destination=(address, port),
        timeout=SERVER_TIMEOUT_S,
    )
    async with stream:
        opened.tell_names(await stream.getsockname(), (address, port))
        return await dns.asyncquery.tcp(query, address, timeout=SERVER_TIMEOUT_S, port=port, sock=stream)
