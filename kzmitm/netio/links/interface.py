"""`interface:NAME`: one of several ways out of this computer, such as a VPN or a second uplink (Linux).

Sockets are bound to the interface itself (SO_BINDTODEVICE) where the system allows it, and else to its
addresses; then it is for the routes of this computer to send what comes from these addresses out there.
"""

import errno
import re
import socket
import sys
from dataclasses import dataclass

from kzmitm.errors import UsageError
from kzmitm.model.target import DNSPlace, Vantage
from kzmitm.netio.links import _interfaces
from kzmitm.netio.links._local import LocalLink, plain_socket
from kzmitm.netio.stubdns import nameservers_beyond
from kzmitm.netio.vantage import AddressError, Blame, ProxyError
from kzmitm.wording import Wording

FORM = "interface:NAME"
NAMES_RESOLVED = DNSPlace.VANTAGE

_NAME = re.compile(r"[A-Za-z0-9_.@:-]{1,15}", re.ASCII)
"""IFNAMSIZ is 16 with its NUL; the kernel allows more characters, and nobody uses them."""

_BIND_ADDRESS_NO_PORT = 24
"""IP_BIND_ADDRESS_NO_PORT of linux/in.h: the port is chosen at connect, so that they do not run out."""

_GONE = frozenset({errno.ENODEV, errno.ENXIO})


@dataclass(frozen=True, slots=True)
class InterfaceLink(LocalLink):
    """Sockets that leave by one interface."""

    vantage: Vantage
    name: str
    servers: tuple[tuple[str, int], ...]
    binds_device: bool
    """False: bind to its addresses instead."""

    @property
    def nameservers(self) -> tuple[tuple[str, int], ...]:
        return self.servers

    def new_socket(self, family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket that leaves by the interface.

        Raises ProxyError if it has gone, and OSError if it has no address of the family.
        """
        sock = plain_socket(family, kind)
        try:
            self._bind(sock, family)
        except OSError as exc:
            sock.close()
            if exc.errno in _GONE or not _interfaces.is_up(self.name):
                raise ProxyError("the interface has gone") from None
            raise
        except BaseException:
            sock.close()
            raise
        return sock

    def _bind(self, sock: socket.socket, family: int) -> None:
        if self.binds_device:
            _bind_to_device(sock, self.name)
            return
        address = _interfaces.source_address(self.name, family)
        if address is None:
            raise OSError(errno.EADDRNOTAVAIL, Wording("the interface has no address of this family"))
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        sock.bind((address, 0))

    def watch(self) -> Blame:
        return self._is_to_blame

    def _is_to_blame(self, failure: str) -> bool:
        del failure
        return not _interfaces.is_up(self.name)

    async def ready(self) -> None:
        """Raises UsageError if the interface is missing or down."""
        _demand(self.name)


def open_link(rest: str, vantage: Vantage) -> InterfaceLink:
    if not _NAME.fullmatch(rest):
        raise AddressError("that is no name of an interface")
    if not sys.platform.startswith("linux"):
        raise UsageError("interface vantages work on Linux only", hint="Use a proxy on that way out.")
    _demand(rest)
    return InterfaceLink(vantage, rest, nameservers_beyond(rest), _may_bind_to_device(rest))


def _demand(name: str) -> None:
    if not _interfaces.exists(name):
        raise UsageError(
            "interface vantage: there is no interface {name}",
            hint="See what there is with `ip link`.",
            name=name,
        )
    if not _interfaces.is_up(name):
        raise UsageError(
            "interface vantage: {name} is down",
            hint="Start the VPN or plug it in, or switch it on with `ip link set {name} up`.",
            name=name,
        )
    if not any(_interfaces.source_address(name, family) for family in (socket.AF_INET, socket.AF_INET6)):
        raise UsageError(
            "interface vantage: {name} has no address",
            hint="Wait until it is configured; `ip address show {name}` tells.",
            name=name,
        )


def _may_bind_to_device(name: str) -> bool:
    with plain_socket(socket.AF_INET) as sock:
        try:
            _bind_to_device(sock, name)
        except OSError:
            return False
    return True


def _bind_to_device(sock: socket.socket, name: str) -> None:
    option: int = getattr(socket, "SO_BINDTODEVICE", 25)  # as in asm-generic/socket.h
    sock.setsockopt(socket.SOL_SOCKET, option, name.encode() + b"\0")
