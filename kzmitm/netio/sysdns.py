"""The system resolver: getaddrinfo, which is what every other program on this computer gets.

It knows the hosts file, name service switch and split DNS, and blocks. Its threads are daemons of our
own and not an executor's, so that a silent name server cannot hold up the end of the program.
"""

import asyncio
import socket
import threading

from kzmitm.netio.answers import MAX_ANSWERS, Reply, address_answer
from kzmitm.netio.failures import classify

MAX_THREADS = 16
"""Lookups at once; a thread that hangs in a silent resolver keeps its place until it returns."""


class SystemResolver:
    """getaddrinfo(3) in daemon threads; one row for both address families, as OONI records it."""

    engine = "getaddrinfo"
    query_types = ("ANY",)

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(MAX_THREADS)

    async def ask(self, hostname: str, query_type: str) -> Reply:
        """The addresses of a name; `query_type` is always ANY. Failures are in the reply."""
        del query_type
        try:
            ips = await self.addresses(hostname)
        except (OSError, UnicodeError) as exc:
            return Reply(failure=classify(exc))
        return Reply(answers=tuple(address_answer(ip) for ip in ips[:MAX_ANSWERS]))

    async def addresses(self, hostname: str) -> list[str]:
        """Distinct addresses in the system's order; raises `socket.gaierror`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[str]] = loop.create_future()
        await self._places.acquire()

        def settle(ips: list[str], exc: Exception | None) -> None:
            self._places.release()
            if future.done():
                return
            if exc is None:
                future.set_result(ips)
            else:
                future.set_exception(exc)

        def look_up() -> None:
            ips: list[str] = []
            failure: Exception | None = None
            try:
                infos = socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
                ips = list(dict.fromkeys(str(info[4][0]) for info in infos))
            except (OSError, UnicodeError) as exc:
                failure = exc
            try:
                loop.call_soon_threadsafe(settle, ips, failure)
            except RuntimeError:
                # The loop has been closed meanwhile; nobody waits any more.
                return

        threading.Thread(target=look_up, name="getaddrinfo", daemon=True).start()
        return await future
