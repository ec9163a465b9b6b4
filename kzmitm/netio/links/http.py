"""`http://[USER:PASSWORD@]HOST:PORT`: an HTTP proxy with CONNECT (RFC 9110, 9.3.6), which resolves the names.

Its reply has to be read up to the empty line, in however many pieces it comes.
"""

import asyncio
import base64
import socket
from dataclasses import dataclass

from kzmitm.model.target import DNSPlace, Endpoint, Vantage, is_ip
from kzmitm.netio.links._proxy import ProxyAddress, dial, proxy_address
from kzmitm.netio.vantage import ProxyError, VantageLink

FORM = "http://[USER:PASSWORD@]HOST:PORT"
NAMES_RESOLVED = DNSPlace.VANTAGE

DEFAULT_PORT = 8080

MAX_REPLY = 16384
"""Octets of the reply to CONNECT before its empty line; what common servers take for a header."""


@dataclass(frozen=True, slots=True)
class HTTPProxyLink(VantageLink):
    """An HTTP proxy with CONNECT."""

    vantage: Vantage
    address: ProxyAddress

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> socket.socket:
        """A socket connected to `endpoint` by the proxy; raises ProxyError for every failure.

        HTTP has no reply that tells the target's failure from the proxy's own (502 and 504 are both).
        """
        sock: socket.socket | None = None
        try:
            async with asyncio.timeout(timeout_s):
                sock = await dial(self.address.host, self.address.port)
                await self._ask(sock, endpoint)
        except (OSError, ProxyError):
            if sock is not None:
                sock.close()
            raise ProxyError from None
        except BaseException:
            if sock is not None:
                sock.close()
            raise
        return sock

    async def _ask(self, sock: socket.socket, endpoint: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, _connect_request(endpoint, self.address))
        reply = b""
        while not reply.endswith(b"\r\n\r\n"):
            # In TLS the client speaks first: nothing of the server's can follow the empty line yet.
            data = await loop.sock_recv(sock, 4096)
            reply += data
            if not data or len(reply) > MAX_REPLY:
                raise ProxyError
        status = reply.split(b"\r\n", 1)[0].split()
        if len(status) < 2 or not status[0].startswith(b"HTTP/1.") or not status[1].startswith(b"2"):
            raise ProxyError


def open_link(rest: str, vantage: Vantage) -> HTTPProxyLink:
    return HTTPProxyLink(vantage, proxy_address("http", rest, DEFAULT_PORT))


def _connect_request(endpoint: Endpoint, address: ProxyAddress) -> bytes:
    authority = str(endpoint) if is_ip(endpoint.ip) else f"{endpoint.ip}:{endpoint.port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if address.username is not None:
        token = base64.b64encode(f"{address.username}:{address.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
