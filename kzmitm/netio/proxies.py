"""Connections through proxies: SOCKS5 (RFC 1928) and HTTP CONNECT (RFC 9110, 9.3.6).

SOCKS5 is python-socks' work (docs/adr/0006-python-socks.md). CONNECT is done here: its reply has to be
read up to its empty line, in however many pieces it comes.
"""

import asyncio
import base64
import errno
import socket
from dataclasses import dataclass, field
from typing import Any

import python_socks
from python_socks.async_.asyncio import Proxy

from kzmitm.model.target import Endpoint, Vantage, is_ip
from kzmitm.netio import opened
from kzmitm.netio.sysdns import SystemResolver
from kzmitm.netio.vantage import ProxyAddress, ProxyError

MAX_REPLY = 16384
"""Octets of the reply to CONNECT before its empty line; what common servers take for a header."""

_SOCKS_REPLIES = {3: errno.ENETUNREACH, 4: errno.EHOSTUNREACH, 5: errno.ECONNREFUSED}
"""Replies that tell of the target (RFC 1928, 6). All others tell of the proxy, or of nothing certain."""


@dataclass(frozen=True, slots=True)
class SOCKSProxyLink:
    """A SOCKS5 proxy; with scheme `socks5h` it resolves the names."""

    vantage: Vantage
    address: ProxyAddress
    is_direct: bool = field(default=False, init=False)

    @property
    def resolves_names(self) -> bool:
        return self.address.scheme == "socks5"

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> socket.socket:
        """A socket connected to `endpoint` by the proxy.

        Raises OSError if the proxy says that the target was refused or unreachable, and ProxyError for
        everything else: a silent proxy cannot be told from a silent target.
        """
        address = self.address
        try:
            async with asyncio.timeout(timeout_s):
                ip = await _proxy_ip(address.host)
                socks = python_socks.ProxyType.SOCKS5
                proxy = Proxy(
                    socks,
                    ip,
                    address.port,
                    address.username,
                    address.password,
                    rdns=True,
                    forward=_Dialler(socks, ip, address.port),
                )
                return await proxy.connect(endpoint.ip, endpoint.port, timeout=timeout_s)
        except python_socks.ProxyError as exc:
            number = _SOCKS_REPLIES.get(exc.error_code or 0)
            if number is not None:
                raise OSError(number, "said by the proxy") from None
            raise ProxyError from None
        except (OSError, ValueError):
            raise ProxyError from None


@dataclass(frozen=True, slots=True)
class HTTPProxyLink:
    """An HTTP proxy with CONNECT; it resolves the names."""

    vantage: Vantage
    address: ProxyAddress
    is_direct: bool = field(default=False, init=False)
    resolves_names: bool = field(default=False, init=False)

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> socket.socket:
        """A socket connected to `endpoint` by the proxy; raises ProxyError for every failure.

        HTTP has no reply that tells the target's failure from the proxy's own (502 and 504 are both).
        """
        sock: socket.socket | None = None
        try:
            async with asyncio.timeout(timeout_s):
                sock = await _dial(await _proxy_ip(self.address.host), self.address.port)
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


class _Dialler(Proxy):
    """The way to a SOCKS proxy: python-socks would open the socket itself, and could not tell of it."""

    async def connect(self, dest_host: str, dest_port: int, *_: Any, **__: Any) -> socket.socket:
        return await _dial(dest_host, dest_port)


async def _dial(ip: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        try:
            await loop.sock_connect(sock, (ip, port))
        finally:
            opened.tell(sock, Endpoint(ip, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def _proxy_ip(host: str) -> str:
    return host if is_ip(host) else (await SystemResolver().addresses(host))[0]


def _connect_request(endpoint: Endpoint, address: ProxyAddress) -> bytes:
    authority = str(endpoint) if is_ip(endpoint.ip) else f"{endpoint.ip}:{endpoint.port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if address.username is not None:
        token = base64.b64encode(f"{address.username}:{address.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
