"""Proxies: their addresses, and the way to them."""

import asyncio
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from kzmitm.model.target import Endpoint, is_ip, to_ascii_hostname
from kzmitm.netio import opened
from kzmitm.netio.sysdns import SystemResolver
from kzmitm.netio.vantage import AddressError

MAX_CREDENTIAL = 255
"""Octets of a SOCKS5 user name or password (RFC 1929, 2)."""


@dataclass(frozen=True, slots=True, repr=False)
class ProxyAddress:
    """A proxy and how to be let in. Its representation tells nothing, as it holds a password."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return "ProxyAddress()"


def proxy_address(scheme: str, rest: str, default_port: int) -> ProxyAddress:
    """Read `//[USER:PASSWORD@]HOST[:PORT]`; raises ValueError, of which only AddressError may be shown."""
    parts = urlsplit(f"{scheme}:{rest}")
    if parts.path.strip("/") or parts.query:
        raise AddressError("nothing may follow the port")
    host, port = host_and_port(parts, default_port)
    username = None if parts.username is None else unquote(parts.username)
    password = None if username is None else unquote(parts.password or "")
    _check_credentials(username, password)
    return ProxyAddress(host, port, username, password)


def host_and_port(parts: SplitResult, default_port: int) -> tuple[str, int]:
    """Where a URI points to; raises ValueError."""
    host = parts.hostname or ""
    if not host:
        raise AddressError("the host is missing")
    if not is_ip(host):
        try:
            host = to_ascii_hostname(host)
        except ValueError:
            raise AddressError("the host is no host name") from None
    port = parts.port if parts.port is not None else default_port
    if not port:
        raise AddressError("port 0 cannot be connected to")
    return host, port


def _check_credentials(username: str | None, password: str | None) -> None:
    if username is None or password is None:
        return
    for text in (username, password):
        if not text.isascii() or not text.isprintable():
            raise AddressError("user name and password must be printable ASCII")
        if not 0 < len(text) <= MAX_CREDENTIAL:
            raise AddressError(
                "user name and password must have 1 to {max_credential} characters",
                max_credential=MAX_CREDENTIAL,
            )
    if ":" in username:
        raise AddressError("the user name must not hold a colon")


async def dial(host: str, port: int) -> socket.socket:
    """A plain connection of this computer to a proxy; raises OSError."""
    ip = host if is_ip(host) else (await SystemResolver().addresses(host))[0]
    sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (ip, port))
        finally:
            opened.tell(sock, Endpoint(ip, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def dial_unix(path: str) -> socket.socket:
    """A connection to a proxy's socket in the file system; raises OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        await asyncio.get_running_loop().sock_connect(sock, path)
    except BaseException:
        sock.close()
        raise
    return sock
