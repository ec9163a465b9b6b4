"""HTTPS through a vantage: the streams that httpcore works with, over sockets that a link has connected."""

import asyncio
import select
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import httpcore

from kzmitm.model.target import Endpoint
from kzmitm.netio.vantage import ProxyError, VantageLink

CONNECT_TIMEOUT_S = 10.0
"""Where the caller gives none."""

CHUNK = 65536

T = TypeVar("T")


class LinkedBackend(httpcore.AsyncNetworkBackend):
    """Connections of an httpcore pool, each made by the link.

    `addresses` are those of host names that need resolving here.
    """

    def __init__(self, link: VantageLink, addresses: Mapping[str, str] | None = None) -> None:
        self._link = link
        self._addresses = addresses or {}

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        del local_address, socket_options
        endpoint = Endpoint(self._addresses.get(host, host), port)
        try:
            sock = await self._link.connect(endpoint, timeout or CONNECT_TIMEOUT_S)
        except TimeoutError as exc:
            raise httpcore.ConnectTimeout from exc
        except (OSError, ProxyError) as exc:
            raise httpcore.ConnectError(str(exc)) from exc
        sock.settimeout(0)
        return LinkedStream(sock)


class LinkedStream(httpcore.AsyncNetworkStream):
    """A connected socket, with TLS over it once it is asked for."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._sending = asyncio.Lock()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        tls = self._tls
        try:
            async with asyncio.timeout(timeout):
                if tls is None:
                    return await asyncio.get_running_loop().sock_recv(self._sock, max_bytes)
                return await self._through_tls(lambda: tls.read(max_bytes))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except TimeoutError as exc:
            raise httpcore.ReadTimeout from exc
        except OSError as exc:
            raise httpcore.ReadError(str(exc)) from exc

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        tls = self._tls
        try:
            async with asyncio.timeout(timeout):
                if tls is None:
                    await asyncio.get_running_loop().sock_sendall(self._sock, buffer)
                elif buffer:
                    await self._through_tls(lambda: tls.write(buffer))
        except TimeoutError as exc:
            raise httpcore.WriteTimeout from exc
        except OSError as exc:
            raise httpcore.WriteError(str(exc)) from exc

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> httpcore.AsyncNetworkStream:
        self._tls = tls = ssl_context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname
        )
        try:
            async with asyncio.timeout(timeout):
                await self._through_tls(tls.do_handshake)
        except TimeoutError as exc:
            await self.aclose()
            raise httpcore.ConnectTimeout from exc
        except OSError as exc:
            await self.aclose()
            raise httpcore.ConnectError(str(exc)) from exc
        return self

    async def aclose(self) -> None:
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "ssl_object":
                return self._tls
            case "socket":
                return self._sock
            case "is_readable":
                return self._sock.fileno() < 0 or bool(select.select([self._sock], [], [], 0)[0])
            case _:
                return None

    async def _through_tls(self, operation: Callable[[], T]) -> T:
        """The result of an operation of TLS, with what it has to send and to receive before."""
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await asyncio.get_running_loop().sock_recv(self._sock, CHUNK)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
                continue
            except ssl.SSLError:
                await self._flush()  # the alert
                raise
            await self._flush()
            return result

    async def _flush(self) -> None:
        """One at a time: reading may have to send, too, while somebody writes."""
        async with self._sending:
            if self._outgoing.pending:
                await asyncio.get_running_loop().sock_sendall(self._sock, self._outgoing.read())
