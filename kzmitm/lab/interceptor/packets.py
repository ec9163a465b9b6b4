"""TCP segments in IP packets: what the interceptor reads of them, and the reset it makes of one."""

from dataclasses import dataclass
from struct import Struct, pack, unpack

PROTOCOL_TCP = 6

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
"""RFC 9293, 3.1."""

_IPV6_HEADER = 40
_IPV6_FRAGMENT = 44
_IPV6_SKIPPED = frozenset({0, 43, 60})
"""Hop-by-hop options, routing and destination options (RFC 8200, 4); others end in no TCP we could read."""
MAX_EXTENSION_HEADERS = 8
"""RFC 8200, 4.1 has each kind once, destination options twice."""

_TCP = Struct("!HHIIBBHHH")
_TCP_HEADER = 20


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment and where it is in its packet. Addresses are packed, 4 or 16 octets."""

    source: bytes
    destination: bytes
    source_port: int
    destination_port: int
    sequence: int
    acknowledged: int
    flags: int
    window: int
    options: bytes
    payload: bytes
    offset: int
    """Of the TCP header in the packet."""

    def has(self, *flags: int) -> bool:
        """True if all these are set."""
        return all(self.flags & flag for flag in flags)


@dataclass(frozen=True, slots=True)
class Options:
    """TCP options; None or False for one that was not sent."""

    mss: int | None = None
    window_scale: int | None = None
    sack: bool = False
    timestamps: tuple[int, int] | None = None
    """TSval and TSecr."""


def parse_segment(packet: bytes) -> Segment | None:
    """The segment in an IPv4 or IPv6 packet; None if there is none that is whole. Never raises."""
    if not packet:
        return None
    version = packet[0] >> 4
    found = _parse_ipv4(packet) if version == 4 else _parse_ipv6(packet) if version == 6 else None
    if found is None:
        return None
    source, destination, offset, end = found
    if end - offset < _TCP_HEADER:
        return None
    sport, dport, sequence, acknowledged, length, flags, window, _, _ = _TCP.unpack_from(packet, offset)
    body = offset + (length >> 4) * 4
    if not offset + _TCP_HEADER <= body <= end:
        return None
    return Segment(
        source, destination, sport, dport, sequence, acknowledged, flags, window,
        packet[offset + _TCP_HEADER : body], packet[body:end], offset,
    )  # fmt: skip


_Found = tuple[bytes, bytes, int, int]
"""Source, destination, where TCP begins and where it ends."""


def _parse_ipv4(packet: bytes) -> _Found | None:
    if len(packet) < 20:
        return None
    offset = (packet[0] & 0x0F) * 4
    total, _, fragment = unpack("!HHH", packet[2:8])
    is_fragment = fragment & 0x3FFF  # more fragments, or an offset (RFC 791, 3.1)
    if is_fragment or packet[9] != PROTOCOL_TCP or not 20 <= offset <= total <= len(packet):
        return None
    return packet[12:16], packet[16:20], offset, total


def _parse_ipv6(packet: bytes) -> _Found | None:
    end = _IPV6_HEADER + int.from_bytes(packet[4:6], "big")
    if not _IPV6_HEADER <= end <= len(packet):
        return None
    kind, offset = packet[6], _IPV6_HEADER
    for _ in range(MAX_EXTENSION_HEADERS):
        if kind == PROTOCOL_TCP:
            return packet[8:24], packet[24:40], offset, end
        if end - offset < 8:
            return None
        if kind in _IPV6_SKIPPED:
            size = 8 + packet[offset + 1] * 8
        elif kind == _IPV6_FRAGMENT and not int.from_bytes(packet[offset + 2 : offset + 4], "big") & 0xFFF9:
            size = 8  # an atomic fragment is the whole packet (RFC 6946)
        else:
            return None
        kind, offset = packet[offset], offset + size
    return None


def parse_options(octets: bytes) -> Options:
    """What the options of a segment say, up to the first that is cut off or malformed. Never raises."""
    mss = scale = stamps = None
    sack = False
    at = 0
    while at < len(octets) and octets[at] != 0:
        if octets[at] == 1:  # no operation
            at += 1
            continue
        size = octets[at + 1] if at + 1 < len(octets) else 0
        body = octets[at + 2 : at + size]
        if size < 2 or len(body) != size - 2:
            break
        match octets[at], size:
            case 2, 4:
                mss = int.from_bytes(body, "big")
            case 3, 3:
                scale = min(body[0], 14)  # RFC 7323, 2.3
            case 4, 2:
                sack = True
            case 8, 10:
                stamps = unpack("!II", body)
            case _:
                pass  # of no use here
        at += size
    return Options(mss, scale, sack, stamps)


def build_reset(packet: bytes, segment: Segment, sequence: int) -> bytes:
    """The packet turned into a reset with this sequence number, for whom it was going to."""
    head = bytearray(packet[: segment.offset])
    size = len(head) + _TCP_HEADER
    if len(segment.source) == 4:
        head[2:4] = pack("!H", size)
        head[10:12] = bytes(2)
        head[10:12] = pack("!H", checksum(bytes(head)))
    else:
        head[4:6] = pack("!H", size - _IPV6_HEADER)
    ports = segment.source_port, segment.destination_port
    fields = (*ports, sequence, segment.acknowledged, (_TCP_HEADER // 4) << 4, RST | ACK, 0)
    # The pseudo-header of RFC 9293, 3.1 and RFC 8200, 8.1; its zeros make no difference to a sum.
    pseudo = segment.source + segment.destination + pack("!II", _TCP_HEADER, PROTOCOL_TCP)
    summed = checksum(pseudo + _TCP.pack(*fields, 0, 0))
    return bytes(head) + _TCP.pack(*fields, summed, 0)


def checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = octets + bytes(len(octets) % 2)
    total: int = sum(unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
