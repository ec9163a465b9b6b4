"""Where connections leave from: this computer, one of its ways out, or a proxy; named by a URI.

Each kind is a module of `kzmitm.netio.links` with the name of its scheme, loaded only when it is asked
for. A fragment names the vantage in the results (`socks5h://127.0.0.1:1080#office`). Neither credentials
nor the address of a proxy appear in any result, message or representation.
"""

import re
import socket
from collections.abc import Callable
from types import ModuleType

from kzmitm._registry import load, names_in
from kzmitm.errors import UsageError, WordedError
from kzmitm.model.target import Endpoint, Vantage
from kzmitm.wording import Wording

Blame = Callable[[str], bool]
"""Says whether a failure of a connection is the link's own and not the target's."""

_ID = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)
_OPAQUE = re.compile(r"(?:direct|interface|netns|tor):", re.ASCII | re.IGNORECASE)


class ProxyError(WordedError):
    """The link itself failed: it says nothing of the target.

    `reason` is a line without addresses and secrets, "" if there is nothing to add; `hint` what to do.
    """

    def __init__(self, reason: str = "", /, *, hint: str = "", **values: object) -> None:
        super().__init__(reason, **values)
        self.reason = str(self)
        self.hint = hint if isinstance(hint, Wording) else Wording(hint, **values)


class DownError(ProxyError):
    """The network or the far end is at fault, and not how the link was set up."""


class AddressError(WordedError, ValueError):
    """Why a URI cannot be used, without any part of it."""


class VantageLink:
    """A way to the Internet; a kind of link overrides what is different with it."""

    __slots__ = ()

    vantage: Vantage
    """What results say of it."""

    @property
    def is_direct(self) -> bool:
        """The caller may make connections itself, with sockets of `new_socket`."""
        return False

    @property
    def resolves_names(self) -> bool:
        """Names are resolved by us; if not, they go to the proxy unresolved."""
        return False

    @property
    def nameservers(self) -> tuple[tuple[str, int], ...] | None:
        """Address and port of those to be asked through the link; None if names are asked of the system."""
        return None

    def new_socket(self, family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket that does not block and leaves by this link; raises OSError and ProxyError."""
        raise NotImplementedError(
            Wording("a proxy makes the connections: {family}, {kind}", family=family, kind=kind)
        )

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> socket.socket:
        """A connected socket; raises OSError for the target's failure, ProxyError for the link's own."""
        raise NotImplementedError

    def watch(self) -> Blame:
        """Called before a connection; the answer tells whose its failure is."""
        return _blameless

    async def ready(self) -> None:
        """Do what comes before the first connection; raises ProxyError with a reason, or UsageError."""

    async def aclose(self) -> None:
        """Close what the link holds; it may be used again after that."""


def _blameless(failure: str) -> bool:
    del failure
    return False


def open_vantage(uri: str, *, asn: str = "AS0", cc: str = "ZZ") -> VantageLink:
    """The link that a URI means; nothing is connected yet.

    Raises UsageError, which never quotes the URI, for one that cannot be read or that means nothing here.
    """
    scheme, colon, rest = uri.partition(":")
    scheme = scheme.lower()
    module = _kind(scheme) if colon else None
    if module is None:
        raise UsageError(
            "not a vantage: {scheme}",
            hint="Use {forms}.",
            scheme=_harmless_scheme(scheme),
            forms=", ".join(_forms()),
        )
    body, _, fragment = rest.partition("#")
    try:
        vantage = Vantage(
            id=_vantage_id(scheme, fragment), kind=scheme, asn=asn, cc=cc, dns=module.NAMES_RESOLVED
        )
        link: VantageLink = module.open_link(body, vantage)
    except ValueError as exc:
        raise UsageError(
            "not a vantage of the kind {scheme}: {why}",
            hint="Write {form}.",
            scheme=scheme,
            why=_reason(exc),
            form=module.FORM,
        ) from None
    return link


def is_vantage(text: str) -> bool:
    """True for what looks like the URI of a vantage and not like the name of a file."""
    return _OPAQUE.match(text) is not None or _URI.match(text) is not None


def _kind(scheme: str) -> ModuleType | None:
    from kzmitm.netio import links  # noqa: PLC0415 - links of each kind are made of what stands here

    return load(links, scheme) if scheme in _kinds(links) else None


def _kinds(links: ModuleType) -> list[str]:
    return [name for name in names_in(links) if not name.startswith("_")]


def _forms() -> list[str]:
    from kzmitm.netio import links  # noqa: PLC0415 - as above

    return [load(links, name).FORM for name in _kinds(links)]


def _reason(exc: ValueError) -> str:
    # urlsplit quotes what it cannot read, and that may be the password.
    return str(exc) if isinstance(exc, AddressError) else Wording("it cannot be read as a URI")


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
    return scheme if re.fullmatch(r"[a-z][a-z0-9+.-]{0,15}", scheme) else Wording("the scheme is missing")
