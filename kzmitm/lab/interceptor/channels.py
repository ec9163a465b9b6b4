"""Two ways to talk over a stream of asyncio, in the clear and in TLS, that a relay need not tell apart."""

import asyncio
import socket
from typing import Protocol

from OpenSSL import SSL

CHUNK = 1 << 16
"""Octets moved at once, and the most that waits on each side of a relay before its reader stops."""


class Channel(Protocol):
    """One end of a relay. Methods raise OSError when the connection or its TLS is broken."""

    async def read(self) -> bytes:
        """What came next; b"" at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Send, and wait while the other side is slow."""
        ...

    async def end(self) -> None:
        """Say that nothing more is sent."""
        ...

    def close(self, *, abort: bool) -> None:
        """Give the connection back, with a reset if `abort`."""
        ...


class PlainChannel:
    """Octets as they are; `early` are those that were read before."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes = b""
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._early = early

    async def read(self) -> bytes:
        early, self._early = self._early, b""
        return early or await self._reader.read(CHUNK)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def end(self) -> None:
        if self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()

    def close(self, *, abort: bool) -> None:
        if abort:
            self._writer.transport.abort()
        else:
            self._writer.close()


class TLSChannel:
    """TLS over another channel, with the certificates and keys in memory."""

    def __init__(self, under: Channel, tls: SSL.Connection) -> None:
        """`tls` has no socket of its own and knows which side it is."""
        self._under = under
        self._tls = tls

    @property
    def tls(self) -> SSL.Connection:
        """For what the handshake came to."""
        return self._tls

    async def handshake(self) -> None:
        """Raises OSError if it fails."""
        while True:
            try:
                self._tls.do_handshake()
            except SSL.WantReadError:
                await self._flush()
                if not await self._feed():
                    raise ConnectionAbortedError("the peer left during the handshake") from None
            except SSL.Error as error:
                await self._flush()
                raise ConnectionAbortedError(f"no handshake: {_reason(error)}") from error
            else:
                await self._flush()
                return

    async def read(self) -> bytes:
        while True:
            try:
                return self._tls.recv(CHUNK)
            except SSL.WantReadError:
                await self._flush()
                if not await self._feed():
                    return b""
            except SSL.ZeroReturnError:
                return b""
            except SSL.Error as error:
                raise ConnectionAbortedError(f"TLS broke: {_reason(error)}") from error

    async def write(self, data: bytes) -> None:
        try:
            self._tls.sendall(data)
        except SSL.Error as error:
            raise ConnectionAbortedError(f"TLS broke: {_reason(error)}") from error
        await self._flush()

    async def end(self) -> None:
        try:
            self._tls.shutdown()
        except SSL.Error:
            return  # it is broken already
        await self._flush()
        await self._under.end()

    def close(self, *, abort: bool) -> None:
        self._under.close(abort=abort)

    async def _feed(self) -> bool:
        """False at the end of what comes."""
        data = await self._under.read()
        if data:
            self._tls.bio_write(data)
        return bool(data)

    async def _flush(self) -> None:
        waiting = bytearray()
        try:
            while True:
                waiting += self._tls.bio_read(CHUNK)
        except SSL.Error:
            pass  # nothing is left
        if waiting:
            await self._under.write(bytes(waiting))


async def open_channel(connected: socket.socket, early: bytes = b"") -> PlainChannel:
    """The channel over a connected socket, which it owns from now on."""
    reader, writer = await asyncio.open_connection(sock=connected, limit=CHUNK)
    return PlainChannel(reader, writer, early)


def _reason(error: SSL.Error) -> str:
    """The last thing OpenSSL said."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return str(entries[-1][-1]) if entries else "no reason given"


async def relay(one: Channel, other: Channel) -> None:
    """Move octets both ways until both sides have ended; raises OSError as soon as one breaks."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_pump(one, other))
        group.create_task(_pump(other, one))


async def _pump(source: Channel, sink: Channel) -> None:
    while data := await source.read():
        await sink.write(data)
    await sink.end()
