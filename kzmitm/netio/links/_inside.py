"""A thread that lives in another network namespace and makes sockets there.

On Linux a namespace belongs to a thread, and a socket to the namespace of the thread that made it,
whoever uses it afterwards (setns(2)). So one thread goes in and stays, and no other ever changes.
"""

import contextlib
import ctypes
import os
import queue
import socket
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from kzmitm.netio.links._local import plain_socket

BATCH = 32
"""Sockets made at a time: going to the thread and back costs as much as making ten of them."""

CLONE_NEWNET = 0x40000000
"""linux/sched.h"""

_ROUTES = (Path("/proc/thread-self/net/route"), Path("/proc/thread-self/net/ipv6_route"))
_LOOPBACK = "lo"

T = TypeVar("T")


class Inside:
    """The namespace at a path, entered; raises OSError if that is not possible."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._spare: dict[int, deque[socket.socket]] = defaultdict(deque)
        entered: Future[tuple[int, int]] = Future()
        self._thread = threading.Thread(target=self._live, args=(entered,), name="netns", daemon=True)
        self._thread.start()
        self._identity = entered.result()

    @property
    def is_there(self) -> bool:
        """The path still leads to the namespace that was entered."""
        try:
            found = Path(self._path).stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def new_socket(self, family: int, kind: int) -> socket.socket:
        """A socket of the namespace; raises OSError."""
        if kind != socket.SOCK_STREAM:
            return self._run(lambda: plain_socket(family, kind))
        spare = self._spare[family]
        if not spare:
            spare.extend(self._run(lambda: _some_sockets(family)))
        return spare.popleft()

    def has_way_out(self) -> bool:
        """Some route leads elsewhere than to the namespace itself."""
        return self._run(_has_routes)

    def _run(self, call: Callable[[], T]) -> T:
        """The result of `call` inside. It never waits for the network there, so neither does the caller."""
        future: Future[T] = Future()

        def work() -> None:
            try:
                future.set_result(call())
            except Exception as exc:  # noqa: BLE001 - raised again in the caller
                future.set_exception(exc)

        self._work.put(work)
        return future.result()

    def _live(self, entered: Future[tuple[int, int]]) -> None:
        try:
            entered.set_result(_enter(self._path))
        except Exception as exc:  # noqa: BLE001 - raised again in the caller
            entered.set_exception(exc)
            return
        while (work := self._work.get()) is not None:
            work()

    def leave(self) -> None:
        """End the thread and close what nobody took; sockets that were handed out live on."""
        self._work.put(None)
        self._thread.join()
        for spare in self._spare.values():
            while spare:
                spare.popleft().close()


def _enter(path: str) -> tuple[int, int]:
    """Move this thread; device and inode number of the namespace tell it from all others."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(fd)
        found = os.fstat(fd)
    finally:
        os.close(fd)
    return found.st_dev, found.st_ino


def _setns(fd: int) -> None:
    native: Any = getattr(os, "setns", None)
    if native is not None:  # Python 3.12
        native(fd, CLONE_NEWNET)
        return
    if libc().setns(fd, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def libc() -> ctypes.CDLL:
    """The C library; it keeps errno for ctypes."""
    return ctypes.CDLL(None, use_errno=True)


def _some_sockets(family: int) -> list[socket.socket]:
    """As many as there is room for, at least one; raises OSError."""
    made = [plain_socket(family)]
    with contextlib.suppress(OSError):
        made.extend(plain_socket(family) for _ in range(BATCH - 1))
    return made


def _has_routes() -> bool:
    """The last word of a line of ipv6_route is the interface, and the first one of route."""
    lines = [line.split() for path in _ROUTES if path.exists() for line in path.read_text().splitlines()]
    names = {words[0] if len(words) != 10 else words[9] for words in lines if words}
    return bool(names - {_LOOPBACK, "Iface"})
