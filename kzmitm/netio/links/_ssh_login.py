"""Logging in to an ssh server whose key is known, with keys and nothing else.

asyncssh takes a missing list of known hosts, `UserKnownHostsFile none` in ~/.ssh/config, or a key exchange
by Kerberos for leave to trust anybody. So the list is always given, that file is not read, and only public
keys are used.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from kzmitm.netio.links._proxy import dial
from kzmitm.netio.vantage import DownError, ProxyError
from kzmitm.wording import Wording

LOGIN_S = 15.0
"""Longest for connecting and logging in: five round trips, name resolution, a busy server."""

KEEPALIVE_S = 3.0
KEEPALIVES = 2
"""A connection that says nothing for 9 seconds is lost: before the patience with a target ends (10 s)."""

_SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")

_COMPARE = Wording("Connect once with `ssh`, compare the fingerprint with the server's own, and try again.")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class SSHAddress:
    """A server and how to be let in. Its representation tells nothing."""

    host: str
    port: int
    username: str | None = None
    key: Path | None = None
    """The only key to be offered; None: those of the agent and of ~/.ssh."""
    known_hosts: Path | None = None
    """Used instead of ~/.ssh/known_hosts and the system's."""

    def __repr__(self) -> str:
        return "SSHAddress()"


@dataclass(frozen=True, slots=True)
class Login:
    """A connection, and the socket that it runs over."""

    connection: asyncssh.SSHClientConnection
    sock: socket.socket


class _Client(asyncssh.SSHClient):
    def __init__(self, on_lost: Callable[[], None]) -> None:
        self._on_lost = on_lost

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._on_lost()


async def log_in(address: SSHAddress, on_lost: Callable[[], None]) -> Login:
    """A new connection; `on_lost` is called when it has ended. Raises ProxyError with a reason."""
    hosts = _KnownHosts(address.known_hosts)
    try:
        async with asyncio.timeout(LOGIN_S):
            return await _connect(address, _options(address, hosts, on_lost))
    except asyncssh.HostKeyNotVerifiable:
        raise hosts.refusal() from None
    except asyncssh.PermissionDenied:
        raise ProxyError(
            "the ssh server lets none of our keys in",
            hint="Add the key with `ssh-add`, or name it with ?key=PATH; passwords are not used.",
        ) from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, FileNotFoundError, PermissionError):
        raise ProxyError(
            "the key for the ssh server cannot be read, or needs a passphrase",
            hint="Add it with `ssh-add` and leave out ?key=.",
        ) from None
    except (OSError, asyncssh.Error, ValueError) as exc:
        logger.debug("no ssh connection", exc_info=True)
        raise _unreachable(exc) from None


async def _connect(address: SSHAddress, options: dict[str, Any]) -> Login:
    sock = await dial(address.host, address.port)
    try:
        connection = await asyncssh.connect(address.host, address.port, sock=sock, **options)
    except BaseException:
        sock.close()
        raise
    return Login(connection, sock)


def _unreachable(exc: Exception) -> ProxyError:
    if isinstance(exc, OSError | asyncssh.ConnectionLost):
        return DownError("the ssh server cannot be reached", hint="See whether `ssh` reaches it.")
    return ProxyError(
        "the ssh server and we do not get on ({name})",
        hint="See what `ssh -v` says of it.",
        name=type(exc).__name__,
    )


def _options(address: SSHAddress, hosts: "_KnownHosts", on_lost: Callable[[], None]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "config": None,
        "client_factory": lambda: _Client(on_lost),
        "known_hosts": hosts.match,
        "x509_trusted_certs": None,
        "x509_trusted_cert_paths": [],
        "gss_kex": False,
        "gss_auth": False,
        "host_based_auth": False,
        "password_auth": False,
        "kbdint_auth": False,
        "preferred_auth": "publickey",
        "agent_forwarding": False,
        # What TLS has encrypted cannot be compressed.
        "compression_algs": None,
        "login_timeout": LOGIN_S,
        "keepalive_interval": KEEPALIVE_S,
        "keepalive_count_max": KEEPALIVES,
    }
    if address.username is not None:
        options["username"] = address.username
    if address.key is not None:
        options |= {"client_keys": [str(address.key)], "agent_path": None}
    return options


class _KnownHosts:
    """The lists of known hosts; remembers what they said, so that a refusal can tell why."""

    def __init__(self, path: Path | None) -> None:
        self._paths = (
            [Path("~/.ssh/known_hosts").expanduser(), _SYSTEM_KNOWN_HOSTS] if path is None else [path]
        )
        self._is_named = path is not None
        self._knows = False

    def match(self, host: str, address: str, port: int | None) -> Any:
        """Keys, authorities and revoked keys of a server, as asyncssh asks for them."""
        found = asyncssh.match_known_hosts(self._octets(), host, address, port)
        self._knows = bool(found[0] or found[1] or found[2])
        return found

    def _octets(self) -> bytes:
        octets = b""
        for path in self._paths:
            try:
                octets += path.read_bytes() + b"\n"
            except OSError:
                if self._is_named:
                    raise ValueError(Wording("no such list")) from None
        return octets

    def refusal(self) -> ProxyError:
        """Why a server was refused, in one line."""
        if self._knows:
            return ProxyError(
                "the ssh server's key is not the one in known_hosts: somebody may stand in between",
                hint="Ask its owner; if the key was changed, `ssh-keygen -R HOST`, and compare the new one.",
            )
        return ProxyError("the ssh server's key is not in known_hosts", hint=_COMPARE)
