"""What Linux says of one network interface, as the calling thread's namespace has it."""

import ipaddress
import socket
import struct
from pathlib import Path

_SIOCGIFFLAGS = 0x8913
_SIOCGIFADDR = 0x8915
_IFF_UP = 0x1
_IFF_RUNNING = 0x40
"""As in linux/sockios.h and linux/if.h; see netdevice(7)."""

_IF_INET6 = Path("/proc/thread-self/net/if_inet6")
_UNUSABLE = 0x08 | 0x40
"""IFA_F_DADFAILED and IFA_F_TENTATIVE (linux/if_addr.h): an address that cannot be bound to (yet)."""
_LINK_LOCAL = "20"
"""Its scope as if_inet6 writes it."""

_REQUEST = "16s24x"
"""struct ifreq: the name, then room for the answer."""


def exists(name: str) -> bool:
    """There is such an interface."""
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


def is_up(name: str) -> bool:
    """It is there, switched on, and its carrier or its tunnel's program is there."""
    try:
        answer = _ask(name, _SIOCGIFFLAGS)
    except OSError:
        return False
    flags: int = struct.unpack_from("=H", answer, 16)[0]
    return bool(flags & _IFF_UP and flags & _IFF_RUNNING)


def source_address(name: str, family: int) -> str | None:
    """An address of the interface to connect from, None if it has none of the family."""
    return _ipv4(name) if family == socket.AF_INET else _ipv6(name)


def _ipv4(name: str) -> str | None:
    try:
        answer = _ask(name, _SIOCGIFADDR)
    except OSError:
        return None
    return socket.inet_ntop(socket.AF_INET, answer[20:24])  # after family and port of a sockaddr_in


def _ipv6(name: str) -> str | None:
    try:
        lines = _IF_INET6.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        digits, _, _, scope, flags, owner = line.split()
        if owner == name and scope != _LINK_LOCAL and not int(flags, 16) & _UNUSABLE:
            return str(ipaddress.IPv6Address(int(digits, 16)))
    return None


def _ask(name: str, question: int) -> bytes:
    import fcntl  # noqa: PLC0415 - Windows has none; there, this kind of link is refused before

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return fcntl.ioctl(sock, question, struct.pack(_REQUEST, name.encode()))
