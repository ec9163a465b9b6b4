"""Vectors of the TLS presentation language (RFC 8446, 3.4), with strict lengths."""

from kzmitm.wire.iana.alerts import DECODE_ERROR, ILLEGAL_PARAMETER
from kzmitm.wire.violation import ViolationError


def vector(data: bytes, offset: int, width: int) -> tuple[bytes, int]:
    """The vector at `offset` whose length takes `width` octets, and the offset behind it.

    Raises ViolationError if it does not fit.
    """
    start = offset + width
    end = start + int.from_bytes(data[offset:start], "big")
    if end > len(data) or start > len(data):
        raise ViolationError("a vector is longer than its message", DECODE_ERROR)
    return data[start:end], end


def whole_vector(data: bytes, offset: int, width: int) -> bytes:
    """The vector that fills `data` from `offset` to the end; raises ViolationError if it does not."""
    body, end = vector(data, offset, width)
    if end != len(data):
        raise ViolationError("octets are left behind a vector", DECODE_ERROR)
    return body


def uint16(data: bytes, offset: int) -> int:
    """The 16-bit number at `offset`; raises ViolationError behind the end."""
    if len(data) < offset + 2:
        raise ViolationError("a number is cut off", DECODE_ERROR)
    return data[offset] << 8 | data[offset + 1]


def extensions(block: bytes) -> dict[int, bytes]:
    """Extension bodies by type, in order; raises ViolationError for doubles."""
    found: dict[int, bytes] = {}
    offset, end = 0, len(block)
    while offset < end:
        start = offset + 4
        if start > end:
            raise ViolationError("an extension is cut off", DECODE_ERROR)
        kind = block[offset] << 8 | block[offset + 1]
        offset = start + (block[offset + 2] << 8 | block[offset + 3])
        if offset > end:
            raise ViolationError(f"extension {kind} is longer than its block", DECODE_ERROR)
        if kind in found:
            raise ViolationError(f"extension {kind} came twice", ILLEGAL_PARAMETER)
        found[kind] = block[start:offset]
    return found
