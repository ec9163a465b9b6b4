"""SOCKS5 (RFC 1928) by python-socks (docs/adr/0006-python-socks.md)."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import python_socks
from python_socks.async_.asyncio import Proxy

from kzmitm.model.target import Endpoint, Vantage
from kzmitm.netio.links._proxy import ProxyAddress, dial
from kzmitm.netio.vantage import ProxyError, VantageLink
from kzmitm.wording import Wording

DEFAULT_PORT = 1080

REPLIES: Mapping[int, int] = MappingProxyType(
    {3: errno.ENETUNREACH, 4: errno.EHOSTUNREACH, 5: errno.ECONNREFUSED}
)
"""Replies that tell of the target (RFC 1928, 6). All others tell of the proxy, or of nothing certain."""

Dial = Callable[[], Awaitable[socket.socket]]


@dataclass(frozen=True, slots=True)
class SOCKSProxyLink(VantageLink):
    """A SOCKS5 proxy; names are resolved here or by it."""

    vantage: Vantage
    address: ProxyAddress
    names_here: bool = False

    @property
    def resolves_names(self) -> bool:
        return self.names_here

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> socket.socket:
        """A socket connected to `endpoint` by the proxy.

        Raises OSError if the proxy says that the target was refused or unreachable, and ProxyError for
        everything else: a silent proxy cannot be told from a silent target.
        """
        at = self.address
        credentials = None if at.username is None else (at.username, at.password or "")
        return await connect_by(lambda: dial(at.host, at.port), endpoint, timeout_s, credentials=credentials)


async def connect_by(
    dial_proxy: Dial,
    endpoint: Endpoint,
    timeout_s: float,
    *,
    credentials: tuple[str, str] | None = None,
    replies: Mapping[int, int] = REPLIES,
) -> socket.socket:
    """Ask the proxy that `dial_proxy` connects to for `endpoint`; raises OSError and ProxyError.

    `replies` are those that tell of the target, and what they tell.
    """
    username, password = credentials or (None, None)
    kind = python_socks.ProxyType.SOCKS5
    # Addresses are the dialler's own affair; those that python-socks is given are never used.
    proxy = Proxy(
        kind, "0.0.0.0", 1, username, password, rdns=True, forward=_Dialler(kind, dial_proxy)  # noqa: S104
    )  # fmt: skip
    try:
        async with asyncio.timeout(timeout_s):
            return await proxy.connect(endpoint.ip, endpoint.port, timeout=timeout_s)
    except python_socks.ProxyError as exc:
        number = replies.get(exc.error_code or 0)
        if number is not None:
            raise OSError(number, Wording("said by the proxy")) from None
        raise ProxyError from None
    except (OSError, ValueError):
        raise ProxyError from None


class _Dialler(Proxy):
    """The way to a SOCKS proxy: python-socks would open the socket itself, and could not tell of it."""

    def __init__(self, kind: python_socks.ProxyType, dial_proxy: Dial) -> None:
        super().__init__(kind, "0.0.0.0", 1)  # noqa: S104 - never used
        self._dial = dial_proxy

    async def connect(self, *_: Any, **__: Any) -> socket.socket:
        return await self._dial()
