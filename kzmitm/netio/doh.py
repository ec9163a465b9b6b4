"""DNS over HTTPS (RFC 8484): a second opinion that the local network cannot bend unseen.

Servers are named by address, so that no other resolver stands before them, and their certificates are
checked against the pinned roots, not the system's. A failure here tells of the DoH server only.
"""

import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import dns.exception
import dns.message

from kzmitm.errors import UsageError
from kzmitm.model.failure import Failure
from kzmitm.netio import opened
from kzmitm.netio.answers import Reply, make_query, read_reply
from kzmitm.netio.failures import classify, innermost
from kzmitm.netio.vantage import ProxyError, VantageLink

if TYPE_CHECKING:
    import httpcore

DEFAULT_SERVERS = (
    "https://1.1.1.1/dns-query",
    "https://8.8.8.8/dns-query",
    "https://9.9.9.9/dns-query",
)
"""Public resolvers whose certificates name these addresses: Cloudflare, Google, Quad9."""

TIMEOUT_S = 2.0
"""Longest that a scan waits for the second opinion; two round trips of a slow mobile network and TLS."""

MAX_FAILURES = 3
"""Failures in a row after which DoH is given up for the run: blocked DoH must not slow each target."""

MAX_MESSAGE = 65535
"""A DNS message is no longer (RFC 8484, 6)."""

_WAITS = ("connect", "read", "write", "pool")
"""What httpcore waits for."""

_PADDING = 128
"""Octets that queries are padded to a multiple of (RFC 8467, 4.1)."""


class DoHResolver:
    """DoH through httpcore and dnspython. Call `aclose` at the end."""

    engine = "doh"
    query_types = ("A", "AAAA")

    def __init__(self, servers: tuple[str, ...], *, root_pem: str, link: VantageLink | None = None) -> None:
        """`root_pem` are the pinned roots; raises ssl.SSLError if they are none.

        `link` is the way to the servers, None for that of this computer.
        """
        self._servers = servers
        self._link = link
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_verify_locations(cadata=root_pem.encode("ascii", "ignore").decode())
        self._pool: httpcore.AsyncConnectionPool | None = None
        self._failures = 0
        self._turn = 0

    @property
    def is_given_up(self) -> bool:
        """True once it has failed too often in this run to be asked again."""
        return self._failures >= MAX_FAILURES

    async def ask(self, hostname: str, query_type: str) -> Reply:
        """The reply of the server whose turn it is; after a failure it is the next one's."""
        turn = self._turn
        answered = False
        try:
            reply = await self._ask_server(self._servers[turn % len(self._servers)], hostname, query_type)
            answered = reply.rcode is not None
        finally:
            # Also when the caller's deadline cut it short.
            self._count(turn, answered=answered)
        return reply

    def _count(self, turn: int, *, answered: bool) -> None:
        if answered:
            self._failures = 0
        else:
            self._failures += 1
            self._turn = turn + 1

    async def _ask_server(self, server: str, hostname: str, query_type: str) -> Reply:
        import httpcore  # noqa: PLC0415 - a tenth of a second that a scan without DoH does not pay

        if self._pool is None:
            self._pool = _new_pool(self._context, self._link)
        try:
            query = make_query(hostname, query_type)
            query.use_edns(0, payload=MAX_MESSAGE, pad=_PADDING)
            query.id = 0  # RFC 8484, 4.1
            wire = await self._post(self._pool, server, query.to_wire())
            message = dns.message.from_wire(wire)
            if not query.is_response(message):
                return Reply(failure=Failure.DNS_SERVER_MISBEHAVING, resolver_address=server)
            return read_reply(message, query_type, resolver_address=server)
        except httpcore.TimeoutException:
            failure: str = Failure.GENERIC_TIMEOUT
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as exc:
            inner = innermost(exc)
            failure = Failure.PROXY_FAILED if isinstance(inner, ProxyError) else classify(inner)
        except (dns.exception.DNSException, ValueError):
            failure = Failure.DNS_SERVER_MISBEHAVING
        return Reply(failure=failure, resolver_address=server)

    async def _post(self, pool: "httpcore.AsyncConnectionPool", server: str, query: bytes) -> bytes:
        headers = [("content-type", "application/dns-message"), ("accept", "application/dns-message")]
        extensions: dict[str, Any] = {"timeout": dict.fromkeys(_WAITS, TIMEOUT_S)}
        if opened.has_listeners():
            extensions["trace"] = _tell_of_connects
        body = b""
        stream = pool.stream("POST", server, headers=headers, content=query, extensions=extensions)
        async with stream as response:
            if response.status != 200:
                raise ValueError("not a DNS reply")
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > MAX_MESSAGE:
                    raise ValueError("reply too long")
        return body

    async def aclose(self) -> None:
        """Close the connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()


async def _tell_of_connects(event: str, info: Mapping[str, Any]) -> None:
    """The trace extension of httpcore: the public way to a socket before an answer came through it."""
    if event == "connection.connect_tcp.complete":
        sock = info["return_value"].get_extra_info("socket")
        if sock is not None:
            opened.tell(sock)


def parse_server(text: str) -> str:
    """The URL of a DoH server; raises UsageError."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and not parts.username
    except ValueError:
        usable = False
    if not usable or not text.isascii() or not text.isprintable():
        raise UsageError(
            "not a DNS-over-HTTPS server: {text}",
            hint="Give its URL: https://1.1.1.1/dns-query",
            text=repr(text[:100]),
        )
    return text


def _new_pool(context: ssl.SSLContext, link: VantageLink | None) -> "httpcore.AsyncConnectionPool":
    import httpcore  # noqa: PLC0415 - as above

    if link is None:
        return httpcore.AsyncConnectionPool(ssl_context=context, http2=True)
    from kzmitm.netio.linked import LinkedBackend  # noqa: PLC0415 - it needs httpcore

    return httpcore.AsyncConnectionPool(ssl_context=context, http2=True, network_backend=LinkedBackend(link))
