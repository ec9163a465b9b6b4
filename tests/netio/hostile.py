"""Servers that behave badly, on loopback. Each is a coroutine over the streams of one connection."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

DRIP_S = 0.004
CHUNK = 65536


def record(kind: int, body: bytes) -> bytes:
    """A TLS record (RFC 8446, 5.1)."""
    return struct.pack("!BHH", kind, 0x0303, len(body)) + body


def handshake(kind: int, body: bytes) -> bytes:
    """A handshake message (RFC 5246, 7.4)."""
    return struct.pack("!B", kind) + len(body).to_bytes(3, "big") + body


SERVER_HELLO = handshake(2, b"\x03\x03" + bytes(range(32)) + b"\x00" + b"\xc0\x2f" + b"\x00")
"""TLS 1.2, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, no extensions."""


def certificate_message(certificates: list[bytes]) -> bytes:
    entries = b"".join(len(c).to_bytes(3, "big") + c for c in certificates)
    return handshake(11, len(entries).to_bytes(3, "big") + entries)


def in_records(message: bytes) -> bytes:
    return b"".join(record(22, message[i : i + 16384]) for i in range(0, len(message), 16384))


def genuine_flight(hello: bytes, certificate: Path, key: Path) -> bytes:
    """What OpenSSL answers to this hello in TLS 1.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello)
    with contextlib.suppress(ssl.SSLWantReadError):
        server.do_handshake()
    return outgoing.read()


async def forever(reader: asyncio.StreamReader) -> None:
    """Keep the connection until the client goes."""
    while await reader.read(CHUNK):
        pass


async def silent(reader, writer):
    await forever(reader)


def after_hello(prefix: bytes) -> Behaviour:
    """Answer the hello with `prefix` and say no more."""

    async def behaviour(reader, writer):
        await reader.read(CHUNK)
        writer.write(prefix)
        await forever(reader)

    return behaviour


def endless(prefix: bytes, unit: bytes) -> Behaviour:
    """Answer the hello with `prefix` and then with `unit` without end."""
    block = unit * (1 + CHUNK // len(unit))

    async def behaviour(reader, writer):
        await reader.read(CHUNK)
        writer.write(prefix)
        while True:
            writer.write(block)
            await writer.drain()

    return behaviour


def drip(data: bytes) -> Behaviour:
    """Answer the hello with one octet at a time."""

    async def behaviour(reader, writer):
        await reader.read(CHUNK)
        for i in range(len(data)):
            writer.write(data[i : i + 1])
            await writer.drain()
            await asyncio.sleep(DRIP_S)

    return behaviour


async def http(reader, writer):
    await reader.read(CHUNK)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await forever(reader)


async def echo(reader, writer):
    while data := await reader.read(CHUNK):
        writer.write(data)


async def close_at_once(reader, writer):
    return


async def close_after_hello(reader, writer):
    await reader.read(CHUNK)


async def reset_after_hello(reader, writer):
    await reader.read(CHUNK)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def half_close(prefix: bytes) -> Behaviour:
    async def behaviour(reader, writer):
        await reader.read(CHUNK)
        writer.write(prefix)
        writer.write_eof()
        await forever(reader)

    return behaviour


HUGE_CERTIFICATE = in_records(SERVER_HELLO) + record(
    22, b"\x0b\xff\xff\xff\xff\xff\xfc\xff\xff\xf9" + bytes(16374)
)
GARBAGE_CERTIFICATE = b"\x30\x82\x01\x00" + b"\xa5" * 256

BEHAVIOURS: dict[str, tuple[Behaviour, str | None]] = {
    "silent": (silent, "generic_timeout_error"),
    "silent after part of a record header": (after_hello(b"\x16\x03"), "generic_timeout_error"),
    "silent in the ServerHello": (after_hello(in_records(SERVER_HELLO)[:20]), "generic_timeout_error"),
    "silent after the ServerHello": (after_hello(in_records(SERVER_HELLO)), "generic_timeout_error"),
    "silent in the Certificate": (after_hello(HUGE_CERTIFICATE[:9000]), "generic_timeout_error"),
    "an octet at a time": (drip(HUGE_CERTIFICATE), "generic_timeout_error"),
    "endless handshake records": (endless(b"", record(22, SERVER_HELLO)), "ssl_failed_handshake"),
    "endless application data": (endless(b"", record(23, bytes(16384))), "ssl_failed_handshake"),
    "endless certificate": (endless(HUGE_CERTIFICATE, record(22, bytes(16384))), "ssl_failed_handshake"),
    "endless empty records": (endless(b"", record(22, b"")), "ssl_failed_handshake"),
    "endless ChangeCipherSpec": (endless(b"", record(20, b"\x01")), "ssl_failed_handshake"),
    "endless warnings": (endless(b"", record(21, b"\x01\x5a")), "ssl_failed_handshake"),
    "endless HelloRequests": (
        endless(in_records(SERVER_HELLO), record(22, handshake(0, b""))),
        "ssl_failed_handshake",
    ),
    "endless zeros": (endless(b"", bytes(CHUNK)), "ssl_failed_handshake"),
    "ten thousand certificates": (
        endless(
            in_records(SERVER_HELLO + certificate_message([GARBAGE_CERTIFICATE] * 10_000)),
            record(20, b"\x01"),
        ),
        "ssl_failed_handshake",
    ),
    "garbage certificate": (
        half_close(in_records(SERVER_HELLO + certificate_message([GARBAGE_CERTIFICATE]))),
        "eof_error",
    ),
    "fatal alert": (after_hello(record(21, b"\x02\x28")), "ssl_failed_handshake"),
    "plain HTTP": (http, "ssl_failed_handshake"),
    "echo": (echo, "ssl_failed_handshake"),
    "closed at once": (close_at_once, "eof_error or connection_reset"),
    "closed after the hello": (close_after_hello, "eof_error"),
    "reset after the hello": (reset_after_hello, "connection_reset"),
    "half closed after the hello": (half_close(b""), "eof_error"),
    "half closed in the ServerHello": (half_close(in_records(SERVER_HELLO)[:30]), "eof_error"),
}
"""Name -> what the server does, and the failure that it must end with; two where the kernels race."""


@contextlib.asynccontextmanager
async def tls_server(
    certificate: tuple[Path, Path],
    host: str = "127.0.0.1",
    *,
    listening: socket.socket | None = None,
) -> AsyncIterator[int]:
    """OpenSSL as a server, with one certificate for all names; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    async with serving(silent, host=host, context=context, listening=listening) as port:
        yield port


@contextlib.asynccontextmanager
async def serving(
    behaviour: Behaviour,
    *,
    host: str = "127.0.0.1",
    context: ssl.SSLContext | None = None,
    listening: socket.socket | None = None,
) -> AsyncIterator[int]:
    """A server with this behaviour, on a port of `host` or on a socket that is bound; yields its port."""

    connections = set()

    async def handle(reader, writer):
        connections.add(asyncio.current_task())
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
                await behaviour(reader, writer)
        finally:
            writer.close()

    if listening is None:
        server = await asyncio.start_server(handle, host, 0, ssl=context)
    else:
        start = asyncio.start_unix_server if listening.family == socket.AF_UNIX else asyncio.start_server
        server = await start(handle, sock=listening, ssl=context)
    name = server.sockets[0].getsockname()
    try:
        yield 0 if isinstance(name, str) else name[1]
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        # One turn of the loop for the transports to close their sockets.
        await asyncio.sleep(0)
