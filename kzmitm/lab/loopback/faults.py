"""What stands in the path and is no interceptor: filters that reset, swallow, or answer in the clear."""

import asyncio
import enum
import socket
import struct
from collections.abc import Collection

from kzmitm.lab.loopback.servers import Connection
from kzmitm.model.target import Endpoint

PAGE = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nThis site is blocked.\n"
)

DECISION_OCTETS = 2000
"""Where such boxes stop looking for a name in a connection."""


class Fault(enum.Enum):
    """What happens to a connection whose first octets name a watched site."""

    RESET = "reset"
    DROP = "drop"
    PLAIN = "plain"
    """A page in the clear where TLS was asked for, as squid's 409 and some block pages."""


class NameFilter(Connection):
    """Passes connections on to the origin, unless a watched name shows in their first octets.

    Like the packet filters it stands for, it looks for the octets of the name and parses nothing.
    """

    def __init__(self, upstream: Endpoint, names: Collection[str], fault: Fault) -> None:
        super().__init__()
        self._upstream_endpoint = upstream
        self._names = [name.encode() for name in names]
        self._fault = fault
        self._seen = b""
        self._pending = b""
        self._upstream: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._dead = False

    def data_received(self, data: bytes) -> None:
        if self._dead:
            return
        if len(self._seen) < DECISION_OCTETS:
            self._seen += data
            if any(name in self._seen for name in self._names):
                self._strike()
                return
        if self._upstream is not None:
            self._upstream.write(data)
            return
        self._pending += data
        if self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._dead = True
        if self._upstream is not None:
            self._upstream.close()

    def _strike(self) -> None:
        self._dead = True
        if self._fault is Fault.RESET:
            reset(self.transport)
        elif self._fault is Fault.PLAIN:
            self.transport.write(PAGE)
            self.transport.close()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        endpoint = self._upstream_endpoint
        try:
            upstream, _ = await loop.create_connection(lambda: _Back(self), endpoint.ip, endpoint.port)
        except OSError:
            self.transport.abort()
            return
        if self._dead:
            upstream.abort()
            return
        self._upstream = upstream
        upstream.write(self._pending)


class _Back(Connection):
    """The way back from the origin."""

    def __init__(self, front: NameFilter) -> None:
        super().__init__()
        self.open_transports = front.open_transports
        self._front = front

    def data_received(self, data: bytes) -> None:
        self._front.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._front.transport.close()


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a RST (socket(7): SO_LINGER with a time of zero)."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
