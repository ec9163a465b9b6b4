"""ICMP messages that quote a packet of ours: who sent them, why, and what was left of our header.

RFC 792 has a router quote the IP header and eight octets behind it, which hold the ports and, of TCP, the
sequence number (RFC 1812, 4.3.2.3, and RFC 4443, 2.4, have it quote more). What strangers send here is
hostile: whatever is not whole, is None.
"""

import ipaddress
from dataclasses import dataclass

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
"""Protocol numbers (IANA)."""

_V4_HEADER = 20
_V6_HEADER = 40
_ICMP_HEADER = 8
_QUOTED = 8
"""Octets of the transport header that are always quoted."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """A packet of ours as somebody saw it.

    `ttl` is what was left of it. `sequence` tells it from others of its flow: TCP's number, UDP's length.
    """

    protocol: int
    source: str
    destination: str
    source_port: int
    destination_port: int
    sequence: int
    ttl: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message about `quoted`; `ttl` is what was left of its own."""

    source: str
    ttl: int
    is_expiry: bool
    """Time exceeded in transit."""
    is_closed_port: bool
    quoted: Quoted


@dataclass(frozen=True, slots=True)
class Header:
    """What is needed of an IP header: `payload` begins behind it."""

    protocol: int
    source: str
    destination: str
    ttl: int
    payload: bytes


def parse_header(packet: bytes) -> Header | None:
    """The IP header of a packet, or of the beginning of one; None for a fragment or what is no IP.

    Extension headers of IPv6 are not followed: neither we nor those who answer us send any.
    """
    if not packet:
        return None
    return _v4(packet) if packet[0] >> 4 == 4 else _v6(packet) if packet[0] >> 4 == 6 else None


def _v4(packet: bytes) -> Header | None:
    size = (packet[0] & 0xF) * 4
    if size < _V4_HEADER or len(packet) < size or int.from_bytes(packet[6:8]) & 0x1FFF:
        return None
    return Header(packet[9], _ip(packet[12:16]), _ip(packet[16:20]), packet[8], packet[size:])


def _v6(packet: bytes) -> Header | None:
    if len(packet) < _V6_HEADER:
        return None
    return Header(packet[6], _ip(packet[8:24]), _ip(packet[24:40]), packet[7], packet[_V6_HEADER:])


def _ip(octets: bytes) -> str:
    return str(ipaddress.ip_address(octets))


def parse_message(packet: bytes) -> Message | None:
    """The message in an IP packet, if it is one that quotes TCP or UDP."""
    header = parse_header(packet)
    if header is None or header.protocol not in (ICMP, ICMPV6) or len(header.payload) < _ICMP_HEADER:
        return None
    kind, code = header.payload[0], header.payload[1]
    expiry, unreachable, closed = (11, 3, 3) if header.protocol == ICMP else (3, 1, 4)
    if kind not in (expiry, unreachable):
        return None
    quoted = parse_quoted(header.payload[_ICMP_HEADER:])
    if quoted is None:
        return None
    return Message(
        source=header.source,
        ttl=header.ttl,
        is_expiry=(kind, code) == (expiry, 0),
        is_closed_port=(kind, code) == (unreachable, closed),
        quoted=quoted,
    )


def parse_quoted(octets: bytes) -> Quoted | None:
    """A quoted packet of TCP or UDP."""
    inner = parse_header(octets)
    if inner is None or inner.protocol not in (TCP, UDP) or len(inner.payload) < _QUOTED:
        return None
    behind = inner.payload
    return Quoted(
        protocol=inner.protocol,
        source=inner.source,
        destination=inner.destination,
        source_port=int.from_bytes(behind[0:2]),
        destination_port=int.from_bytes(behind[2:4]),
        sequence=int.from_bytes(behind[4:8] if inner.protocol == TCP else behind[4:6]),
        ttl=inner.ttl,
    )


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment that came or went (RFC 9293, 3.1)."""

    source: str
    destination: str
    source_port: int
    destination_port: int
    sequence: int
    acknowledged: int
    flags: int
    ttl: int
    length: int
    """Octets of data."""


FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


def parse_segment(packet: bytes) -> Segment | None:
    """The TCP segment in an IP packet."""
    header = parse_header(packet)
    if header is None or header.protocol != TCP or len(header.payload) < 20:
        return None
    behind = header.payload
    size = (behind[12] >> 4) * 4
    if not 20 <= size <= len(behind):
        return None
    return Segment(
        source=header.source,
        destination=header.destination,
        source_port=int.from_bytes(behind[0:2]),
        destination_port=int.from_bytes(behind[2:4]),
        sequence=int.from_bytes(behind[4:8]),
        acknowledged=int.from_bytes(behind[8:12]),
        flags=behind[13],
        ttl=header.ttl,
        length=len(behind) - size,
    )
