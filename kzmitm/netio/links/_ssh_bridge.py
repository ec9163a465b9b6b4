"""One channel of an ssh connection, given out as a socket.

The socket is one end of a pair that nobody else can reach; a listener on loopback could be used by
whoever shares this computer. What comes in by the channel goes out at the pair's other end, and back.
"""

import asyncio
import contextlib
import socket

import asyncssh

CHUNK = 65536


class Bridge(asyncssh.SSHTCPSession[bytes]):
    """The channel's side; `outer` is for whoever wants a socket."""

    def __init__(self) -> None:
        self.outer, self._inner = socket.socketpair()
        self.outer.settimeout(0)
        self._inner.settimeout(0)
        self._loop = asyncio.get_running_loop()
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None
        self._unsent = bytearray()
        self._at_end = False
        self._is_open = True

    # -- from the channel

    def connection_made(self, chan: "asyncssh.SSHTCPChannel[bytes]") -> None:
        self._channel = chan

    def session_started(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._inner, self._on_readable)
        else:
            self._close_channel()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        del datatype
        if not self._is_open:
            return
        if not self._unsent:
            data = data[self._send(data) :]
        if data:
            self._hold(data)

    def eof_received(self) -> bool:
        self._at_end = True
        self._shut_if_sent()
        return True  # the other direction stays open, as with TCP

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._channel = None
        self._at_end = True
        if not self._unsent:
            self._close_inner()

    def pause_writing(self) -> None:
        if self._is_open:
            self._loop.remove_reader(self._inner)

    def resume_writing(self) -> None:
        if self._is_open and self._channel is not None:
            self._loop.add_reader(self._inner, self._on_readable)

    # -- to the socket

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self._inner.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self.close()  # the socket was closed; nobody waits for more
            return len(data)

    def _hold(self, data: bytes) -> None:
        """Keep what the socket does not take now, and take nothing more from the channel meanwhile."""
        if not self._unsent and self._is_open:
            self._loop.add_writer(self._inner, self._on_writable)
            if self._channel is not None:
                self._channel.pause_reading()
        self._unsent += data

    def _on_writable(self) -> None:
        sent = self._send(self._unsent)
        del self._unsent[:sent]
        if self._unsent or not self._is_open:
            return
        self._loop.remove_writer(self._inner)
        if self._channel is not None:
            self._channel.resume_reading()
        self._shut_if_sent()

    def _shut_if_sent(self) -> None:
        if self._unsent or not (self._at_end and self._is_open):
            return
        if self._channel is None:
            self._close_inner()
            return
        with contextlib.suppress(OSError):
            self._inner.shutdown(socket.SHUT_WR)

    # -- from the socket

    def _on_readable(self) -> None:
        try:
            data = self._inner.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data and self._channel is not None:
            self._channel.write(data)
        else:
            self.close()

    # -- ending

    def close(self) -> None:
        """Close the channel and our end; the other end is its owner's. May be called again."""
        self._close_inner()
        self._close_channel()

    def abandon(self) -> None:
        """The same for a channel that nobody waits for any more, also one that is not open yet."""
        self.outer.close()
        self.close()

    def _close_channel(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _close_inner(self) -> None:
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._inner)
            self._loop.remove_writer(self._inner)
            self._inner.close()
