"""`netns:NAME` or `netns:/PATH`: a network namespace of this computer (Linux, as root).

A name is one of `ip netns`; a path leads to a namespace's file, such as /proc/PID/ns/net. Names are asked
of the servers in /etc/netns/NAME/resolv.conf, as `ip netns exec` has it, else of this computer's, and
always from inside: getaddrinfo is not used, which may ask a daemon outside.
"""

import errno
import socket
import sys
from pathlib import Path

from kzmitm.errors import UsageError
from kzmitm.model.failure import Failure
from kzmitm.model.target import DNSPlace, Vantage
from kzmitm.netio.links._inside import Inside
from kzmitm.netio.links._local import LocalLink
from kzmitm.netio.stubdns import configured_nameservers
from kzmitm.netio.vantage import AddressError, Blame, ProxyError
from kzmitm.wording import Wording

FORM = Wording("netns:NAME or netns:/PATH")
NAMES_RESOLVED = DNSPlace.VANTAGE

FOLDERS = (Path("/run/netns"), Path("/var/run/netns"))
RESOLVERS = Path("/etc/netns")
"""ip-netns(8)"""

_ROUTELESS = frozenset({Failure.NETWORK_UNREACHABLE, Failure.NETWORK_DOWN, Failure.ADDRESS_NOT_AVAILABLE})
"""What a connect ends with where no route leads out."""


class NamespaceLink(LocalLink):
    """Sockets of another network namespace."""

    __slots__ = ("_inside", "_path", "_servers", "vantage")

    def __init__(self, vantage: Vantage, path: Path, servers: tuple[tuple[str, int], ...]) -> None:
        """Raises UsageError if the namespace is not there or may not be entered."""
        self.vantage = vantage
        self._path = path
        self._servers = servers
        self._inside: Inside | None = _enter(path)

    def __repr__(self) -> str:
        return f"NamespaceLink({self.vantage!r})"

    @property
    def nameservers(self) -> tuple[tuple[str, int], ...]:
        return self._servers

    def new_socket(self, family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket of the namespace; raises ProxyError if it cannot be entered any more, and OSError."""
        if self._inside is None:
            try:
                self._inside = _enter(self._path)
            except UsageError as exc:
                raise ProxyError("{why}", hint=exc.hint, why=exc) from None
        return self._inside.new_socket(family, kind)

    def watch(self) -> Blame:
        return self._is_to_blame

    def _is_to_blame(self, failure: str) -> bool:
        """The namespace was deleted (and lives on in us only), or every way out of it is gone."""
        inside = self._inside
        if inside is None or not inside.is_there:
            return True
        return failure in _ROUTELESS and not inside.has_way_out()

    async def ready(self) -> None:
        """Raises UsageError if the namespace is not there; enters that which has its place now."""
        if self._inside is not None and not self._inside.is_there:
            await self.aclose()
        if self._inside is None:
            self._inside = _enter(self._path)

    async def aclose(self) -> None:
        inside, self._inside = self._inside, None
        if inside is not None:
            inside.leave()


def open_link(rest: str, vantage: Vantage) -> NamespaceLink:
    path = _path_of(rest)
    if not sys.platform.startswith("linux"):
        raise UsageError("netns vantages work on Linux only", hint="Use a proxy there.")
    own = RESOLVERS / path.name / "resolv.conf"
    has_own = path.parent in FOLDERS and own.is_file()
    return NamespaceLink(vantage, path, configured_nameservers(own if has_own else None))


def _path_of(rest: str) -> Path:
    if "\0" in rest or not rest.isprintable():
        raise AddressError("that is no name of a namespace")
    if rest.startswith("/"):
        return Path(rest)
    if not rest or "/" in rest or rest in (".", ".."):
        raise AddressError("that is no name of a namespace; a path begins with a slash")
    return next((folder / rest for folder in FOLDERS if (folder / rest).exists()), FOLDERS[0] / rest)


def _enter(path: Path) -> Inside:
    try:
        return Inside(str(path))
    except FileNotFoundError:
        what, hint = Wording("there is no such namespace"), Wording("See what there is with `ip netns`.")
    except PermissionError:
        what = Wording("only root may enter a network namespace")
        hint = Wording("Run it with sudo, or inside: sudo ip netns exec NAME kzmitm ...")
    except OSError as exc:
        if exc.errno != errno.EINVAL:
            what, hint = Wording("it cannot be entered"), Wording("See what there is with `ip netns`.")
        else:
            what, hint = (
                Wording("that is no network namespace"),
                Wording("A path is one like /proc/PID/ns/net."),
            )
    raise UsageError("netns vantage: {what}", hint=hint, what=what)
