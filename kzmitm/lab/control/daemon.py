"""The answering end of a laboratory: orders come one after the other, from its owner or from its user."""

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

from kzmitm.errors import KzmitmError, UsageError
from kzmitm.lab.control.channel import MAX_LINE, peer_uid
from kzmitm.wording import parts

PATIENCE_S = 1.0
"""How long somebody who does not read may hold up all others."""

BACKLOG = 1024
"""Users who may wait while an order is carried out."""

Orders = Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]
"""What may be asked for: the whole request in, the answer out."""


class Daemon:
    """Answers requests, one after the other, and buries the dead."""

    def __init__(self, orders: Orders, reap: Callable[[], None]) -> None:
        """`orders` are what may be asked for besides `down`; `reap` is called when a child has ended."""
        self._orders = orders
        self._reap = reap
        self._poll = select.poll()
        self._listener: socket.socket | None = None
        self._owner: socket.socket | None = None
        self._peers: dict[int, tuple[socket.socket, bytearray]] = {}
        # A signal that nothing waits for must still end `poll`: orphans are to be buried.
        self._woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poll.register(self._woken, select.POLLIN)

    def adopt(self, sock: socket.socket) -> None:
        """Serve the one that this laboratory belongs to; it ends with them."""
        self._owner = sock
        self._welcome(sock)

    def listen(self, sock: socket.socket) -> None:
        """Serve whoever of this user asks."""
        sock.listen(BACKLOG)
        self._listener = sock
        self._poll.register(sock, select.POLLIN)

    def serve(self) -> None:
        """Until told to go, or until the owner has gone."""
        while True:
            for fd, _event in self._poll.poll():
                if fd == self._woken:
                    with contextlib.suppress(BlockingIOError):
                        os.read(fd, 4096)
                    self._reap()
                elif self._listener is not None and fd == self._listener.fileno():
                    self._accept(self._listener)
                elif fd in self._peers and not self._hear(*self._peers[fd]):
                    return

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:  # no descriptor is left: who comes now waits until another goes
            self._poll.unregister(listener)
            return
        if peer_uid(sock) != os.getuid():  # everyone else is mapped to nobody
            sock.close()
            return
        self._welcome(sock)

    def _welcome(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE_S)
        self._peers[sock.fileno()] = (sock, bytearray())
        self._poll.register(sock, select.POLLIN)

    def _hear(self, sock: socket.socket, heard: bytearray) -> bool:
        """Take in what a peer says and answer it; False if that was the last of this laboratory."""
        try:
            data = sock.recv(65_536)
        except OSError:
            data = b""
        heard += data
        if not data or len(heard) > MAX_LINE:
            self._part(sock)
            return sock is not self._owner
        while b"\n" in heard:
            line, _, rest = bytes(heard).partition(b"\n")
            heard[:] = rest
            answer, stays = self._obey(line)
            try:
                sock.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:  # who asked has gone, or does not listen
                stays = stays and sock is not self._owner
                self._part(sock)
                return stays
            if not stays:
                return False
        return True

    def _part(self, sock: socket.socket) -> None:
        self._poll.unregister(sock)
        del self._peers[sock.fileno()]
        sock.close()
        if self._listener is not None:
            self._poll.register(self._listener, select.POLLIN)

    def _obey(self, line: bytes) -> tuple[dict[str, Any], bool]:
        """The answer to a request, and whether there is to be another."""
        try:
            order = json.loads(line)
            if order["do"] == "down":
                return {}, False
            return self._orders[order["do"]](order), True
        except UsageError as exc:
            return parts(exc, exc.hint) | {"kind": "usage"}, True
        except KzmitmError as exc:
            return parts(exc, exc.hint) | {"kind": "laboratory"}, True
        except Exception as exc:  # noqa: BLE001 - one bad request must not end the laboratory
            return {"error": f"{type(exc).__name__}: {exc}", "kind": "laboratory"}, True


def say_ready(answer: dict[str, Any]) -> None:
    """One line to whoever started us, who reads no more afterwards."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
