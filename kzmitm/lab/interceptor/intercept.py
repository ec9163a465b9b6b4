"""What becomes of one watched connection, however it got here: a forged leaf and a relay, or a page."""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from OpenSSL import SSL

from kzmitm.lab.interceptor.channels import Channel, PlainChannel, TLSChannel, open_channel, relay
from kzmitm.lab.interceptor.config import Config, Deed
from kzmitm.lab.interceptor.hello import Hello
from kzmitm.lab.interceptor.leaves import Leaves
from kzmitm.lab.interceptor.onward import Destination, Onward, Origins, shown_chain

HANDSHAKE_S = 30.0
"""For the client's handshake: what nginx and Apache allow is 60; nothing is held up meanwhile."""

_PAGE = b"<html><title>403 Forbidden</title><h1>This site is blocked</h1></html>\n"
BLOCK_PAGE = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_PAGE), _PAGE)
)

log = logging.getLogger(__name__)


class Interceptor:
    """Serves connections in tasks of one event loop."""

    def __init__(self, config: Config, now: Callable[[], datetime]) -> None:
        self.config = config
        self.onward = Onward(config.mark)
        self._origins = Origins(self.onward, config.public_roots, now)
        self._leaves = Leaves(config.issuer, config.rule)
        self._tasks: set[asyncio.Task[Any]] = set()
        if config.action is Deed.FORGE:
            self._leaves.prepare()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until it ends, or until `close`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a connection ended with %r", error)

    async def may_intercept(self, destination: Destination, hello: Hello) -> bool:
        """True if a watched connection to there is to be intercepted."""
        if not self.config.require_valid_origin:
            return True
        return await self._origins.is_valid(destination, hello)

    async def serve(self, connected: socket.socket, early: bytes, where: Destination, hello: Hello) -> None:
        """Do what is to be done to a connection of which `early` was read; never raises OSError."""
        client: Channel = await open_channel(connected, early)
        is_done = False
        try:
            if self.config.action is Deed.PLAIN:
                await client.write(BLOCK_PAGE)
                await client.end()
                await _read_out(client)
            else:
                await self._forge(client, where, hello)
            is_done = True
        except* (OSError, SSL.Error, ValueError) as errors:
            log.info("broken %s %s: %s", where, named(hello), errors.exceptions[0])
        finally:
            client.close(abort=not is_done)

    async def _forge(self, client: Channel, where: Destination, hello: Hello) -> None:
        origin = await self.onward.open(where, hello)
        is_done = False
        try:
            context = await self._leaves.context_for(_host(where, hello), shown_chain(origin)[0])
            tls = SSL.Connection(context, None)
            tls.set_app_data(origin.tls.get_alpn_proto_negotiated() or None)
            tls.set_accept_state()
            inner = TLSChannel(client, tls)
            async with asyncio.timeout(HANDSHAKE_S):
                await inner.handshake()
            await relay(inner, origin)
            is_done = True
        finally:
            origin.close(abort=not is_done)

    async def splice(self, client: PlainChannel, where: Destination) -> None:
        """Hand a connection on as it is; the client is closed in any case. Never raises OSError."""
        is_done = False
        try:
            origin = await open_channel(await self.onward.connect(where))
            try:
                await relay(client, origin)
                is_done = True
            finally:
                origin.close(abort=not is_done)
        except* OSError as errors:
            log.info("broken %s: %s", where, errors.exceptions[0])
        finally:
            client.close(abort=not is_done)

    async def close(self) -> None:
        """End every connection."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._leaves.close()


def named(hello: Hello) -> str:
    """The server name for a line of the log."""
    return "without a name" if hello.sni is None else ascii(hello.sni)


def _host(where: Destination, hello: Hello) -> str:
    """What a key belongs to."""
    return where.ip if hello.sni is None else hello.sni.lower()


async def _read_out(client: Channel) -> None:
    """Take what still comes, else the close would be a reset that overtakes the page."""
    async with asyncio.timeout(HANDSHAKE_S):
        while await client.read():
            pass
