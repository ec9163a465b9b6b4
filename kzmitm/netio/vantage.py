"""Where connections leave from: this computer, or a proxy named by a URI.

`direct:`                       this computer
`socks5://[user:password@]host:port`   a SOCKS5 proxy; names are resolved here
`socks5h://[user:password@]host:port`  a SOCKS5 proxy; names are resolved by it
`http://[user:password@]host:port`     an HTTP proxy with CONNECT; names are resolved by it

A fragment names the vantage in the results (`socks5h://127.0.0.1:9050#tor`). Neither the credentials nor
the address of the proxy appear in any result, message or representation.
"""

import re
import socket
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from kzmitm.errors import UsageError
from kzmitm.model.target import Endpoint, Vantage, is_ip, to_ascii_hostname

DEFAULT_PORTS = {"socks5": 1080, "socks5h": 1080, "http": 8080}

MAX_CREDENTIAL = 255
"""Octets of a SOCKS5 user name or password (RFC 1929, 2)."""

_ID = re.compile(r"[A-Za-z0-9_.-]{1,40}")


class ProxyError(Exception):
    """The proxy itself failed: it says nothing of the target."""


class VantageLink(Protocol):
    """A way to the Internet."""

    @property
    def vantage(self) -> Vantage:
        """What results say of it."""
        ...

    @property
    def is_direct(self) -> bool:
        """The caller may open plain sockets itself."""
        ...

    @property
    def resolves_names(self) -> bool:
        """Names are resolved here; if not, they go to the proxy unresolved."""
        ...

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> socket.socket:
        """A connected socket; raises OSError for the target's failure, ProxyError for the proxy's."""
        ...


@dataclass(frozen=True, slots=True)
class DirectLink:
    """Plain sockets of this computer; the pump opens them itself."""

    vantage: Vantage = field(default_factory=Vantage)
    is_direct: bool = field(default=True, init=False)
    resolves_names: bool = field(default=True, init=False)

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> socket.socket:
        raise NotImplementedError(f"no proxy stands before {endpoint}, {timeout_s}")


@dataclass(frozen=True, slots=True, repr=False)
class ProxyAddress:
    """A proxy and how to be let in. Its representation tells nothing, as it holds a password."""

    scheme: str
    host: str
    port: int
    username: str | None
    password: str | None

    def __repr__(self) -> str:
        return f"ProxyAddress({self.scheme!r})"


def open_vantage(uri: str, *, asn: str = "AS0", cc: str = "ZZ") -> VantageLink:
    """The link that a URI means; nothing is connected yet. Raises UsageError, which never quotes the URI."""
    scheme, _, rest = uri.partition(":")
    scheme = scheme.lower()
    if scheme == "direct" and not rest:
        return DirectLink(Vantage(asn=asn, cc=cc))
    if scheme not in DEFAULT_PORTS:
        raise UsageError(
            f"not a vantage: {_harmless_scheme(scheme)}",
            hint="Use direct:, socks5://HOST:PORT, socks5h://HOST:PORT or http://HOST:PORT.",
        )
    try:
        parts = urlsplit(uri)
        address = _proxy_address(scheme, parts)
    except ValueError as exc:
        raise UsageError(
            f"not a {scheme} vantage: {_reason(exc)}", hint=f"Write {scheme}://[USER:PASSWORD@]HOST:PORT."
        ) from None
    vantage = Vantage(id=_vantage_id(scheme, parts.fragment), kind=scheme, asn=asn, cc=cc)
    from kzmitm.netio.proxies import HTTPProxyLink, SOCKSProxyLink  # noqa: PLC0415 - only who uses a proxy pays for it

    return HTTPProxyLink(vantage, address) if scheme == "http" else SOCKSProxyLink(vantage, address)


class _AddressError(ValueError):
    """A reason that holds no part of the URI."""


def _reason(exc: ValueError) -> str:
    # urlsplit quotes what it cannot read, and that may be the password.
    return str(exc) if isinstance(exc, _AddressError) else "it cannot be read as a URI"


def _proxy_address(scheme: str, parts: SplitResult) -> ProxyAddress:
    if parts.path.strip("/") or parts.query:
        raise _AddressError("nothing may follow the port")
    host = parts.hostname or ""
    if not host:
        raise _AddressError("the host is missing")
    if not is_ip(host):
        try:
            host = to_ascii_hostname(host)
        except ValueError:
            raise _AddressError("the host is no host name") from None
    port = parts.port if parts.port is not None else DEFAULT_PORTS[scheme]
    if not port:
        raise _AddressError("port 0 cannot be connected to")
    username = None if parts.username is None else unquote(parts.username)
    password = None if username is None else unquote(parts.password or "")
    _check_credentials(username, password)
    return ProxyAddress(scheme, host, port, username, password)


def _check_credentials(username: str | None, password: str | None) -> None:
    if username is None or password is None:
        return
    for text in (username, password):
        if not text.isascii() or not text.isprintable():
            raise _AddressError("user name and password must be printable ASCII")
        if not 0 < len(text) <= MAX_CREDENTIAL:
            raise _AddressError(f"user name and password must have 1 to {MAX_CREDENTIAL} characters")
    if ":" in username:
        raise _AddressError("the user name must not hold a colon")


def _vantage_id(scheme: str, fragment: str) -> str:
    if not fragment:
        return scheme
    if not _ID.fullmatch(fragment):
        raise UsageError(
            "not a name for a vantage (after the #)",
            hint="Use up to 40 letters, digits, dots, hyphens and underscores.",
        )
    return fragment


def _harmless_scheme(scheme: str) -> str:
    return scheme if re.fullmatch(r"[a-z][a-z0-9+.-]{0,15}", scheme) else "the scheme is missing"
