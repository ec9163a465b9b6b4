"""TCP segments out of capture files: scapy reads pcap and pcapng, a table says where the IP header begins.

scapy's own sessions and TLS layer are not used: docs/adr/0030-captures.md says why. Fragments of IP packets
are passed over: TCP does not make any.
"""

import ipaddress
import logging
import struct
from collections.abc import Iterator
from typing import Any, Protocol

from kzmitm.errors import WordedError
from kzmitm.wire.segment import Segment

MAX_BLOCK = 1 << 24
"""Octets of a block of a file: the longest packets are some 64 KiB, a list of secrets may be longer."""

_BEGINNINGS = (16, 4)
"""Octets that are read first of a packet: the header of pcap, the type of a block of pcapng."""

_ETHERNET, _NULL, _RAW, _LOOP, _SLL, _SLL2 = 1, 0, 101, 108, 113, 276
_RAW_OLD, _RAW_BSD, _IPV4, _IPV6 = 12, 14, 228, 229
"""Link types (tcpdump.org/linktypes.html)."""
_ETHER_IPV4, _ETHER_IPV6 = 0x0800, 0x86DD
_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
"""Ether types of VLAN tags, which stand before the one of the packet."""
_PPPOE = 0x8864
_PPP_IP = {0x0021, 0x0057}
_TCP = 6
_EXTENSIONS = frozenset({0, 43, 60, 135})
"""Extension headers of IPv6 that can stand before TCP in one packet (RFC 8200, 4.1)."""

_START = {_RAW: 0, _RAW_OLD: 0, _RAW_BSD: 0, _IPV4: 0, _IPV6: 0, _NULL: 4, _LOOP: 4, _SLL: 16, _SLL2: 20}
"""Octets before the IP header, where their number is fixed."""


class _File(Protocol):
    def read(self, size: int, /) -> bytes: ...


class CaptureError(WordedError, ValueError):
    """What a capture is not, or why its rest cannot be read."""


class _Bounded:
    """A file for scapy, which believes every length in one, and takes where it breaks for its end."""

    def __init__(self, file: _File) -> None:
        self._file = file
        self._has_ended = self._is_cut = False

    def read(self, size: int) -> bytes:
        if size > MAX_BLOCK:
            raise CaptureError("a block of {size} octets", size=size)
        piece = self._file.read(size)
        self._has_ended = len(piece) < size
        self._is_cut |= self._has_ended and (bool(piece) or size not in _BEGINNINGS)
        return piece

    def demand_end(self, number: int) -> None:
        """Raises CaptureError unless the file ended where the next packet would have begun."""
        if self._is_cut:
            raise CaptureError("the file is cut off")
        if not self._has_ended:
            raise CaptureError("not readable behind packet {number}: {name}", number=number, name="EOFError")


def segments(file: _File) -> Iterator[Segment]:
    """The TCP segments of a pcap or pcapng file in their order; raises CaptureError."""
    try:
        from scapy.utils import RawPcapNgReader  # noqa: PLC0415 - a fifth of a second that only captures pay
    except ImportError:
        raise CaptureError("scapy is not installed (pip install 'kzmitm[raw]')") from None
    logging.getLogger("scapy.runtime").addFilter(_silence)
    try:
        yield from _read(RawPcapNgReader, file)
    finally:
        logging.getLogger("scapy.runtime").removeFilter(_silence)


def _silence(record: logging.LogRecord) -> bool:
    """Warnings of scapy about strangers' files: they hold text of those, and we say where it ended."""
    return record.levelno >= logging.CRITICAL


def _read(reader_class: Any, file: _File) -> Iterator[Segment]:
    number = 0
    try:
        bounded = _Bounded(file)
        reader = reader_class(bounded)
        for number, (octets, about) in enumerate(reader, 1):
            linktype = getattr(about, "linktype", None)
            linktype = reader.linktype if linktype is None else linktype
            start = ip_header(octets, linktype)
            if start is not None:
                found = read_segment(octets[start:], number, _time(about, reader))
                if found is not None:
                    yield found
        bounded.demand_end(number)
    except CaptureError:
        raise
    except Exception as exc:  # noqa: BLE001 - a reader of strangers' files that promises nothing
        raise CaptureError(
            "not readable behind packet {number}: {name}", number=number, name=type(exc).__name__
        ) from None


def _time(about: Any, reader: Any) -> float:
    """Seconds since 1970; a simple packet block has no time."""
    if hasattr(about, "tshigh"):
        high, low = about.tshigh, about.tslow
        return 0.0 if high is None else float(((high << 32) | low) / about.tsresol)
    return float(about.sec + about.usec / (1e9 if reader.nano else 1e6))


def ip_header(octets: bytes, linktype: int) -> int | None:
    """Where the IP header of a packet begins, None if there is none; raises CaptureError for other links."""
    if linktype == _ETHERNET:
        return _behind_ethernet(octets)
    if linktype not in _START:
        raise CaptureError("packets of link type {linktype} are not understood", linktype=linktype)
    return _START[linktype]


def _behind_ethernet(octets: bytes) -> int | None:
    at = 12
    while (kind := int.from_bytes(octets[at : at + 2], "big")) in _TAGS:
        at += 4
    if kind == _PPPOE:
        protocol = int.from_bytes(octets[at + 8 : at + 10], "big")
        return at + 10 if protocol in _PPP_IP else None
    return at + 2 if kind in (_ETHER_IPV4, _ETHER_IPV6) else None


def read_segment(octets: bytes, number: int, t: float) -> Segment | None:
    """The TCP segment in an IP packet, None if there is none in it."""
    if len(octets) < 20:
        return None
    found = _behind_ipv4(octets) if octets[0] >> 4 == 4 else _behind_ipv6(octets)
    if found is None:
        return None
    start, length, source, target = found
    header = octets[start : start + 20]
    if len(header) < 20:
        return None
    source_port, target_port, seq, _, offset, flags = struct.unpack_from(">HHIIBB", header)
    payload_at = start + (offset >> 4) * 4
    length = length or len(octets)
    payload = octets[payload_at:length]
    return Segment(
        number,
        t,
        (str(ipaddress.ip_address(source)), source_port),
        (str(ipaddress.ip_address(target)), target_port),
        seq,
        flags,
        payload,
        max(0, length - payload_at - len(payload)),
    )


_Place = tuple[int, int, bytes, bytes]
"""Where TCP begins, where the packet ends (0: with the octets), and the addresses."""


def _behind_ipv4(octets: bytes) -> _Place | None:
    length, fragment = int.from_bytes(octets[2:4], "big"), int.from_bytes(octets[6:8], "big")
    if octets[9] != _TCP or fragment & 0x3FFF:
        return None
    # 0 stands for "too long for this field", before the network card cuts it into packets.
    return (octets[0] & 15) * 4, length, octets[12:16], octets[16:20]


def _behind_ipv6(octets: bytes) -> _Place | None:
    if octets[0] >> 4 != 6 or len(octets) < 40:
        return None
    length = int.from_bytes(octets[4:6], "big")
    kind, start = octets[6], 40
    while kind in _EXTENSIONS and len(octets) >= start + 2:
        kind, start = octets[start], start + 8 + octets[start + 1] * 8
    if kind != _TCP:
        return None
    return start, length and 40 + length, octets[8:24], octets[24:40]
