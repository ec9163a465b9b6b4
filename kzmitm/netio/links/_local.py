"""Links whose sockets are this computer's own."""

import asyncio
import socket

from kzmitm.model.target import Endpoint
from kzmitm.netio import opened
from kzmitm.netio.vantage import VantageLink

_NONBLOCKING = getattr(socket, "SOCK_NONBLOCK", 0)


def plain_socket(family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A socket that does not block."""
    if _NONBLOCKING:
        return socket.socket(family, kind | _NONBLOCKING)
    sock = socket.socket(family, kind)
    sock.settimeout(0)
    return sock


class LocalLink(VantageLink):
    """Connections are made here, with sockets that `new_socket` has prepared."""

    __slots__ = ()

    @property
    def is_direct(self) -> bool:
        return True

    @property
    def resolves_names(self) -> bool:
        return True

    def new_socket(self, family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        return plain_socket(family, kind)

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> socket.socket:
        """A connected socket; raises OSError, and ProxyError if the link could not make a socket."""
        sock = self.new_socket(socket.AF_INET6 if ":" in endpoint.ip else socket.AF_INET)
        try:
            async with asyncio.timeout(timeout_s):
                try:
                    await asyncio.get_running_loop().sock_connect(sock, (endpoint.ip, endpoint.port))
                finally:
                    opened.tell(sock, endpoint)
        except BaseException:
            sock.close()
            raise
        return sock
