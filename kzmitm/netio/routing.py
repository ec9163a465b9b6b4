"""What way a packet to some address takes out of this computer: by which interface, and past a router or not.

Asked of the kernel (rtnetlink(7)), without privileges; Linux.
"""

import fcntl
import ipaddress
import socket
import struct
from dataclasses import dataclass

from kzmitm.netio.vantage import VantageLink

_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26
_NLM_F_REQUEST = 1
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_VIA = 1, 4, 5, 18
"""linux/rtnetlink.h, linux/netlink.h"""
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_ANSWER_S = 1.0

_SIOCETHTOOL = 0x8946
_ETHTOOL_GDRVINFO = 3
_DRIVER_AT = slice(4, 36)
"""linux/ethtool.h: struct ethtool_drvinfo."""
_DRIVER_SIZE = 196

TUNNELS = frozenset(
    {"tun", "wireguard", "ipip", "sit", "gre", "ip6gre", "ip6tnl", "vti", "vti6", "xfrm", "openvswitch"}
    | {"ovpn-dco", "ovpn", "amneziawg", "l2tp_eth"}
)
"""Drivers whose packets travel inside others: the TTL of what is inside counts no hop on the way. `tun` is
every VPN in a program. PPP is not here, as many homes are connected by it."""


@dataclass(frozen=True, slots=True)
class Route:
    """`interface` and its `driver` are "" where they cannot be told."""

    interface: str
    driver: str
    is_on_link: bool

    @property
    def is_tunnel(self) -> bool:
        """The first hop seen is not the first hop there is."""
        return self.driver in TUNNELS


def route_to(ip: str, link: VantageLink) -> Route | None:
    """The route of a link's sockets to an address; None if there is none or the kernel does not say."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    octets = ipaddress.ip_address(ip.partition("%")[0]).packed
    try:
        with link.new_socket(socket.AF_NETLINK, socket.SOCK_RAW) as sock:
            sock.settimeout(_ANSWER_S)
            sock.send(_question(family, octets))
            answer = sock.recv(4096)
        with link.new_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            return _read(answer, sock)
    except (OSError, struct.error):
        return None


def _question(family: int, octets: bytes) -> bytes:
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(octets), _RTA_DST) + octets
    body = _ROUTE.pack(family, 8 * len(octets), 0, 0, 0, 0, 0, 0, 0) + attribute
    return _HEADER.pack(_HEADER.size + len(body), _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + body


def _read(answer: bytes, sock: socket.socket) -> Route | None:
    length, kind, _flags, _number, _port = _HEADER.unpack_from(answer)
    if kind != _RTM_NEWROUTE:
        return None
    index, has_gateway = 0, False
    at = _HEADER.size + _ROUTE.size
    while at + _ATTRIBUTE.size <= min(length, len(answer)):
        size, name = _ATTRIBUTE.unpack_from(answer, at)
        if size < _ATTRIBUTE.size:
            break
        if name == _RTA_OIF:
            index = int(struct.unpack_from("=I", answer, at + _ATTRIBUTE.size)[0])
        has_gateway = has_gateway or name in (_RTA_GATEWAY, _RTA_VIA)
        at += (size + 3) & ~3
    name_of = _name_of(sock, index)
    return Route(name_of, _driver(sock, name_of), is_on_link=not has_gateway)


def _name_of(sock: socket.socket, index: int) -> str:
    """SIOCGIFNAME (netdevice(7)), as the socket's own namespace has it."""
    try:
        answer = fcntl.ioctl(sock, 0x8910, struct.pack("=16si20x", b"", index))
    except OSError:
        return ""
    return answer[:16].partition(b"\0")[0].decode(errors="replace")


def _driver(sock: socket.socket, interface: str) -> str:
    """The driver that ethtool(8) tells; "" where there is none."""
    import array  # noqa: PLC0415 - a buffer whose address can be told

    room = array.array("B", struct.pack("=I", _ETHTOOL_GDRVINFO).ljust(_DRIVER_SIZE, b"\0"))
    address, _length = room.buffer_info()
    request = struct.pack("16sP16x", interface.encode(), address)
    try:
        fcntl.ioctl(sock, _SIOCETHTOOL, request)
    except OSError:
        return ""
    return room.tobytes()[_DRIVER_AT].partition(b"\0")[0].decode(errors="replace")
