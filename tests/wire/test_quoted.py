"""Quoted packets: what routers say of ours, and whatever else a stranger may send."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.wire import quoted

HERE, THERE, ROUTER = "10.0.0.2", "203.0.113.10", "198.51.100.2"
HERE6, THERE6, ROUTER6 = "2001:db8::2", "2001:db8:1::10", "2001:db8:2::1"


def v4(protocol, payload, source=ROUTER, destination=HERE, ttl=63, *, fragment=0, options=b""):
    head = struct.pack(
        "!BBHHHBBH",
        0x45 + len(options) // 4,
        0,
        20 + len(options) + len(payload),
        1,
        fragment,
        ttl,
        protocol,
        0,
    )
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    return head + ends + options + payload


def v6(protocol, payload, source=ROUTER6, destination=HERE6, ttl=63):
    head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl)
    return head + ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed + payload


PORTS = struct.pack("!HHI", 40000, 443, 7)
TCP_V4 = v4(quoted.TCP, PORTS, HERE, THERE, 1)
UDP_V4 = v4(quoted.UDP, struct.pack("!HHHH", 40000, 33434, 21, 0), HERE, THERE, 1)
TCP_V6 = v6(quoted.TCP, PORTS, HERE6, THERE6, 1)


def icmp(kind, code, inner):
    return bytes((kind, code)) + bytes(6) + inner


@pytest.mark.parametrize(
    ("packet", "source", "is_expiry", "is_closed_port"),
    [
        (v4(quoted.ICMP, icmp(11, 0, TCP_V4)), ROUTER, True, False),
        (v4(quoted.ICMP, icmp(3, 3, UDP_V4), THERE), THERE, False, True),
        (v4(quoted.ICMP, icmp(3, 13, TCP_V4), options=bytes(8)), ROUTER, False, False),
        (v6(quoted.ICMPV6, icmp(3, 0, TCP_V6)), ROUTER6, True, False),
        (v6(quoted.ICMPV6, icmp(1, 4, TCP_V6)), ROUTER6, False, True),
    ],
)
def test_messages(packet, source, is_expiry, is_closed_port):
    message = quoted.parse_message(packet)
    assert (message.source, message.ttl) == (source, 63)
    assert (message.is_expiry, message.is_closed_port) == (is_expiry, is_closed_port)
    assert (message.quoted.source_port, message.quoted.ttl) == (40000, 1)


def test_what_tells_packets_of_a_flow_apart():
    assert quoted.parse_quoted(TCP_V4).sequence == 7
    assert quoted.parse_quoted(UDP_V4).sequence == 21
    assert quoted.parse_quoted(TCP_V6).destination == THERE6


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x15",
        TCP_V4,
        v4(quoted.ICMP, b"\x0b\x00"),
        v4(quoted.ICMP, icmp(8, 0, TCP_V4)),
        v4(quoted.ICMP, icmp(11, 0, b"")),
        v4(quoted.ICMP, icmp(11, 0, TCP_V4[:-1])),
        v4(quoted.ICMP, icmp(11, 0, v4(quoted.ICMP, PORTS))),
        v4(quoted.ICMP, icmp(11, 0, TCP_V4), fragment=5),
        v4(quoted.ICMP, icmp(11, 0, TCP_V4))[:19],
        b"\x41" + v4(quoted.ICMP, icmp(11, 0, TCP_V4))[1:],
        v6(quoted.ICMPV6, b"")[:39],
    ],
)
def test_what_is_no_message(packet):
    assert quoted.parse_message(packet) is None


def tcp(flags, data=b"", offset=5):
    return struct.pack("!HHIIBBHHH", 443, 40000, 1, 8, offset << 4, flags, 0, 0, 0) + data


def test_segments():
    segment = quoted.parse_segment(v4(quoted.TCP, tcp(quoted.SYN | quoted.ACK, b"abc"), THERE, ttl=61))
    assert (segment.source, segment.ttl, segment.length) == (THERE, 61, 3)
    assert (segment.source_port, segment.destination_port, segment.acknowledged) == (443, 40000, 8)
    assert segment.flags == quoted.SYN | quoted.ACK


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        UDP_V4,
        v4(quoted.TCP, tcp(0)[:19]),
        v4(quoted.TCP, tcp(0, offset=4)),
        v4(quoted.TCP, tcp(0, offset=6)),
    ],
)
def test_what_is_no_segment(packet):
    assert quoted.parse_segment(packet) is None


@given(st.binary(max_size=120) | st.binary(max_size=80).map(lambda octets: b"\x45" + octets))
def test_strangers_raise_nothing(octets):
    quoted.parse_message(octets)
    quoted.parse_segment(octets)
