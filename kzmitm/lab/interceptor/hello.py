"""What the interceptor reads of a ClientHello (RFC 8446, 4.1.2), whole or in any pieces."""

from dataclasses import dataclass
from enum import Enum

from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.iana.messages import CLIENT_HELLO, HANDSHAKE
from kzmitm.wire.limits import MAX_PLAINTEXT, MESSAGE_HEADER, RECORD_HEADER
from kzmitm.wire.parsing import extensions, vector, whole_vector
from kzmitm.wire.violation import ViolationError

MAX_HELLO = 1 << 14
"""Octets of a hello that are waited for: ten times what browsers send, and a record's worth."""

MAX_PROTOCOLS = 32
"""Names of an ALPN offer that are read; browsers send two."""

MAX_NAME = 255
"""Octets of a server name: what OpenSSL sends and takes (openssl/tls1.h: TLSEXT_MAXLEN_host_name)."""

_FIXED = 2 + 32
"""Version and random."""


class Unread(Enum):
    """Why there is no hello."""

    INCOMPLETE = "more is needed"
    NOT_A_HELLO = "not a ClientHello"


@dataclass(frozen=True, slots=True)
class Hello:
    """The server name, each octet as one character (None: none was sent), and the ALPN offer."""

    sni: str | None
    protocols: tuple[bytes, ...] = ()


def parse_hello(data: bytes) -> Hello | Unread:
    """The hello with which `data` begins; octets behind it are not looked at. Never raises."""
    message = _message(data)
    if isinstance(message, Unread):
        return message
    try:
        return _parse_message(message)
    except ViolationError:
        return Unread.NOT_A_HELLO


def _message(data: bytes) -> bytes | Unread:
    """The body of the first handshake message, put together from its records (RFC 8446, 5.1)."""
    message = bytearray()
    at = 0
    while at < len(data):
        header = data[at : at + RECORD_HEADER]
        size = int.from_bytes(header[3:], "big") if len(header) == RECORD_HEADER else None
        if header[0] != HANDSHAKE or header[1:2] not in {b"", b"\x03"} or size == 0:
            return Unread.NOT_A_HELLO
        if size is None:
            break
        if size > MAX_PLAINTEXT:
            return Unread.NOT_A_HELLO
        at += RECORD_HEADER
        message += data[at : at + size]
        at += size
        if message and message[0] != CLIENT_HELLO:
            return Unread.NOT_A_HELLO
        if len(message) >= MESSAGE_HEADER:
            end = MESSAGE_HEADER + int.from_bytes(message[1:MESSAGE_HEADER], "big")
            if end > MAX_HELLO:
                return Unread.NOT_A_HELLO
            if len(message) >= end:
                return bytes(message[MESSAGE_HEADER:end])
    return Unread.INCOMPLETE


def _parse_message(body: bytes) -> Hello:
    """Raises ViolationError for a message that is not a hello."""
    if len(body) < _FIXED:
        raise ViolationError("a hello is cut off")
    _, at = vector(body, _FIXED, 1)  # session id
    _, at = vector(body, at, 2)  # cipher suites
    _, at = vector(body, at, 1)  # compression methods
    found = extensions(whole_vector(body, at, 2)) if at < len(body) else {}
    name, protocols = found.get(ext.SERVER_NAME), found.get(ext.ALPN)
    return Hello(
        None if name is None else _server_name(name),
        () if protocols is None else _protocols(protocols),
    )


def _server_name(body: bytes) -> str:
    """The first entry, which must be a host name (RFC 6066, 3 knows no other)."""
    names = whole_vector(body, 0, 2)
    if names[:1] != b"\x00":
        raise ViolationError("a server name of an unknown type")
    name, _ = vector(names, 1, 2)
    if not 0 < len(name) <= MAX_NAME or 0 in name:
        raise ViolationError("a server name that no server takes")
    return name.decode("latin-1")


def _protocols(body: bytes) -> tuple[bytes, ...]:
    """RFC 7301, 3.1; empty names are passed over."""
    names = whole_vector(body, 0, 2)
    found: list[bytes] = []
    at = 0
    while at < len(names) and len(found) < MAX_PROTOCOLS:
        name, at = vector(names, at, 1)
        if name:
            found.append(name)
    return tuple(found)
