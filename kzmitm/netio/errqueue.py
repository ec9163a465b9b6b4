"""The error queue of a socket: who said that a packet went no further, without any privilege (Linux).

ip(7), IP_RECVERR; ipv6(7), IPV6_RECVERR. Of a TCP connection that is open, the kernel tells that some packet
expired, as EHOSTUNREACH, and not who said so; while it is being opened, it tells both.
"""

import ipaddress
import socket
import struct
import sys
from dataclasses import dataclass

_IP_TTL = 2
_IP_RECVERR = 11
_IP_RECVTTL = 12
_IPV6_UNICAST_HOPS = 16
_IPV6_RECVERR = 25
_IPV6_RECVHOPLIMIT = 51
_IPV6_HOPLIMIT = 52
_IP_MINTTL = 21
_IPV6_MINHOPCOUNT = 73
"""linux/in.h and linux/in6.h: the socket module does not name all of them."""
_MSG_ERRQUEUE = 0x2000

_ERROR = struct.Struct("=IBBBBII")
"""struct sock_extended_err of linux/errqueue.h; the address of who said it follows."""
_FROM_ICMP = 2
_FROM_ICMPV6 = 3
_V4_ADDRESS = slice(4, 8)
_V6_ADDRESS = slice(8, 24)
"""Of sockaddr_in and sockaddr_in6."""

_EXPIRED = {_FROM_ICMP: (11, 0), _FROM_ICMPV6: (3, 0)}
"""Type and code of Time Exceeded in transit (RFC 792; RFC 4443, 3.3)."""
_PORT_CLOSED = {_FROM_ICMP: (3, 3), _FROM_ICMPV6: (1, 4)}
"""Port unreachable (RFC 792; RFC 4443, 3.1)."""

MAX_MESSAGES = 16
"""Taken from a queue at once; one packet draws one message."""


def is_supported() -> bool:
    """Only Linux tells ordinary programs."""
    return sys.platform.startswith("linux")


@dataclass(frozen=True, slots=True)
class Report:
    """An ICMP message about a packet of ours; `reply_ttl` is what was left of its own TTL."""

    address: str
    reply_ttl: int | None
    is_expiry: bool
    is_closed_port: bool


def limit(sock: socket.socket, ttl: int) -> None:
    """Let every packet of the socket from now on live for `ttl` hops."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_UNICAST_HOPS, ttl)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_TTL, ttl)


def ask_for_reports(sock: socket.socket) -> None:
    """Let the kernel keep what is said of the socket's packets."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVHOPLIMIT, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)


def set_floor(sock: socket.socket, ttl: int) -> None:
    """Let the kernel throw away whatever comes for the socket with less than `ttl` left (RFC 5082)."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, ttl)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, ttl)


def take_report(sock: socket.socket) -> Report | None:
    """The next report by a router or the target, None if there is none (any more)."""
    for _ in range(MAX_MESSAGES):
        try:
            _data, ancillary, _flags, _address = sock.recvmsg(512, 512, _MSG_ERRQUEUE)
        except OSError:
            return None
        report = _report(ancillary)
        if report is not None:
            return report
    return None


def _report(ancillary: list[tuple[int, int, bytes]]) -> Report | None:
    said: bytes | None = None
    reply_ttl: int | None = None
    for level, kind, data in ancillary:
        if (level, kind) in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)):
            said = data
        elif (level, kind) in ((socket.IPPROTO_IP, _IP_TTL), (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT)):
            reply_ttl = int.from_bytes(data[:4], sys.byteorder)
    return None if said is None else parse_error(said, reply_ttl)


def parse_error(said: bytes, reply_ttl: int | None = None) -> Report | None:
    """What a `sock_extended_err` with its address tells; None if no ICMP message is behind it."""
    if len(said) < _ERROR.size:
        return None
    _errno, origin, kind, code, _pad, _info, _data = _ERROR.unpack_from(said)
    offender = said[_ERROR.size :]
    octets = offender[_V4_ADDRESS] if origin == _FROM_ICMP else offender[_V6_ADDRESS]
    if origin not in _EXPIRED or len(octets) != (4 if origin == _FROM_ICMP else 16):
        return None
    return Report(
        str(ipaddress.ip_address(octets)),
        reply_ttl,
        is_expiry=(kind, code) == _EXPIRED[origin],
        is_closed_port=(kind, code) == _PORT_CLOSED[origin],
    )
