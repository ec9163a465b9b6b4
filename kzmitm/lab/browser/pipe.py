"""The DevTools protocol over two pipes: JSON messages, each ended by a NUL (`--remote-debugging-pipe`).

A pipe needs no port that others on this computer could speak to, and its end is the end of the browser.
"""

import contextlib
import json
import os
import select
import time
from typing import Any

from kzmitm.errors import KzmitmError

MAX_MESSAGE = 64 << 20
"""Octets of one message: a screenshot of a long page has up to ten million; more would be a fault."""
CHUNK = 1 << 16
"""What a pipe of Linux holds."""

Message = dict[str, Any]


class BrowserError(KzmitmError):
    """The browser did not start, did not answer in time or is gone."""


class Pipe:
    """Our ends of the pipes; not for several threads."""

    def __init__(self, outgoing: int, incoming: int) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self._buffer = bytearray()
        self._searched = 0

    def send(self, message: Message) -> None:
        """Send a message; raises BrowserError if nobody reads any more."""
        data = memoryview(json.dumps(message).encode() + b"\0")
        try:
            while data:
                data = data[os.write(self._outgoing, data) :]
        except OSError as exc:
            raise BrowserError("the browser is gone") from exc

    def receive(self, deadline: float) -> Message | None:
        """The next message; None if none came until `deadline` on the monotonic clock.

        Raises BrowserError at the end of the pipe.
        """
        while (end := self._buffer.find(0, self._searched)) < 0:
            self._searched = len(self._buffer)
            if self._searched > MAX_MESSAGE:
                raise BrowserError("the browser sent a message without an end")
            if not self._readable(deadline):
                return None
            data = os.read(self._incoming, CHUNK)
            if not data:
                raise BrowserError("the browser is gone")
            self._buffer += data
        raw = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        try:
            message: Message = json.loads(raw)
        except ValueError as exc:
            raise BrowserError("the browser sent what is no message") from exc
        return message

    def hang_up(self, deadline: float) -> None:
        """Close our end, which tells the browser to end; return when it closed its own, or at `deadline`."""
        if self._outgoing < 0:
            return
        os.close(self._outgoing)
        self._outgoing = -1
        with contextlib.suppress(BrowserError):
            while self.receive(deadline) is not None:
                pass
        os.close(self._incoming)

    def _readable(self, deadline: float) -> bool:
        poll = select.poll()  # any number of descriptor, unlike select()
        poll.register(self._incoming, select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
