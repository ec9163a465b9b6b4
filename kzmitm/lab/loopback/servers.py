"""A thread with an event loop in which the laboratory's own servers live."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from kzmitm.model.target import Endpoint

T = TypeVar("T")


class Connection(asyncio.Protocol):
    """One connection of a server; `open_transports` is where the thread finds it to end it."""

    transport: asyncio.Transport
    open_transports: set[asyncio.Transport]

    def __init__(self) -> None:
        self.open_transports = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream has no other
        self.transport = transport
        self.open_transports.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.open_transports.discard(self.transport)


class ServerThread:
    """Listeners on loopback that work beside whatever event loop the scan uses."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._transports: set[asyncio.Transport] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kzmitm-lab", daemon=True)
        self._thread.start()

    def listen(self, protocol: Callable[[], Connection], ip: str) -> Endpoint:
        """Serve `protocol` at `ip` on a port that the kernel chooses; raises OSError."""
        return self._wait(self._listen(protocol, ip))

    def close(self) -> None:
        """Close listeners and connections and end the thread."""
        self._wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self, protocol: Callable[[], Connection], ip: str) -> Endpoint:
        def adopted() -> Connection:
            connection = protocol()
            connection.open_transports = self._transports
            return connection

        server = await self._loop.create_server(adopted, ip, 0)
        self._servers.append(server)
        return Endpoint(ip, server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for transport in self._transports:
            transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # the turn in which aborted connections report their end
