"""The interceptor as a transparent proxy: every connection to port 443 is redirected here and ends here."""

import asyncio
import contextlib
import logging
import socket
from struct import unpack_from

from kzmitm.lab.interceptor.channels import CHUNK, open_channel
from kzmitm.lab.interceptor.hello import Hello, Unread, parse_hello
from kzmitm.lab.interceptor.intercept import Interceptor, named
from kzmitm.lab.interceptor.onward import Destination

SO_ORIGINAL_DST = 80
"""linux/netfilter_ipv4.h, and as IP6T_SO_ORIGINAL_DST linux/netfilter_ipv6/ip6_tables.h"""

HELLO_S = 10.0
"""How long a hello is waited for; then what there is goes on to the origin."""
MAX_WAITED = 1 << 15
"""Octets that are read for a hello; as inline."""
BACKLOG = 4096
"""The kernel's own limit on it (net.core.somaxconn)."""

log = logging.getLogger(__name__)


class Proxy:
    """Listens on every address of both families."""

    def __init__(self, interceptor: Interceptor) -> None:
        self._interceptor = interceptor
        self._listeners: list[socket.socket] = []

    def listen(self) -> None:
        """Begin to accept; raises OSError."""
        for family, ip in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104 - redirected to
            listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            self._listeners.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((ip, self._interceptor.config.port))
            listener.listen(BACKLOG)
            self._interceptor.spawn(self._accept(listener))

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(ConnectionError):
                accepted, _ = await loop.sock_accept(listener)
                self._interceptor.spawn(self._serve(accepted))

    async def _serve(self, accepted: socket.socket) -> None:
        interceptor = self._interceptor
        try:
            where = original_destination(accepted)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            early, hello = await _read_hello(accepted)
            is_taken = (
                hello is not None
                and interceptor.config.watch.matches(hello.sni)
                and await interceptor.may_intercept(where, hello)
            )
        except (OSError, asyncio.CancelledError):
            accepted.close()
            raise
        if hello is not None and is_taken:
            log.info("took %s %s", where, named(hello))
            await interceptor.serve(accepted, early, where, hello)
        else:
            log.info("spliced %s %s", where, "no hello" if hello is None else named(hello))
            await interceptor.splice(await open_channel(accepted, early), where)

    def close(self) -> None:
        for listener in self._listeners:
            listener.close()


def original_destination(accepted: socket.socket) -> Destination:
    """Where the client wanted to go before it was redirected; raises OSError if it was not."""
    if accepted.family == socket.AF_INET6:
        found = accepted.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)  # struct sockaddr_in6
        ip = socket.inet_ntop(socket.AF_INET6, found[8:24])
    else:
        found = accepted.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16)  # struct sockaddr_in
        ip = socket.inet_ntop(socket.AF_INET, found[4:8])
    (port,) = unpack_from("!H", found, 2)
    return Destination(ip, port)


async def _read_hello(accepted: socket.socket) -> tuple[bytes, Hello | None]:
    """What was read, and the hello in it if there is one."""
    loop = asyncio.get_running_loop()
    early = b""
    found: Hello | Unread = Unread.INCOMPLETE
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HELLO_S):
            while found is Unread.INCOMPLETE and len(early) < MAX_WAITED:
                data = await loop.sock_recv(accepted, CHUNK)
                if not data:
                    break
                early += data
                found = parse_hello(early)
    return early, found if isinstance(found, Hello) else None
