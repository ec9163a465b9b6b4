"""A TCP segment as a capture has it, with nothing of the layers below but the addresses."""

from typing import NamedTuple

FIN, SYN, RST, ACK = 1, 2, 4, 16
"""Bits of `Segment.flags` (RFC 9293, 3.1)."""


class Segment(NamedTuple):
    """One segment; `missing` octets of its payload were not captured."""

    number: int
    """Of the packet in its file, from 1."""
    t: float
    """Seconds since 1970."""
    source: tuple[str, int]
    target: tuple[str, int]
    """Address in canonical form, and port."""
    seq: int
    flags: int
    payload: bytes
    missing: int = 0
