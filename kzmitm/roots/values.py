"""What readers of trust stores return. A store that cannot be read is a value too: the others still are."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kzmitm.roots.system import System


class Platform(StrEnum):
    """Whose places are looked at."""

    LINUX = "linux"
    MACOS = "macos"
    WINDOWS = "windows"
    ANDROID = "android"


class Trust(StrEnum):
    """What a store says of a certificate for servers on the web. The three are never mixed."""

    TRUSTED = "trusted"
    """A chain may end here."""
    DISTRUSTED = "distrusted"
    """Blocked: a chain with it is refused, which is good news of an interception root."""
    PRESENT = "present"
    """Kept, and neither trusted nor blocked as a root for servers."""


class Purpose(StrEnum):
    """What a root may vouch for (RFC 5280, 4.2.1.12)."""

    SERVER = "server_auth"
    CLIENT = "client_auth"
    EMAIL = "email_protection"
    CODE = "code_signing"


class Origin(StrEnum):
    """Who put a root where it is."""

    VENDOR = "vendor"
    """The system or program came with it."""
    ADMIN = "admin"
    """Somebody with the rights of an administrator: an owner, an employer, a program's installer."""
    USER = "user"
    """Somebody or something with the rights of the user."""
    POLICY = "policy"
    """An organisation's rules for this computer or program."""
    ENVIRONMENT = "environment"
    """A variable or a setting of a tool points at it."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A place where roots are kept."""

    kind: str
    """The reader's own name for places of this kind, in snake_case; removal steps are told by it."""
    application: str
    """Whose it is, as people call it: `Firefox`, `this system (Debian, Ubuntu)`, `Java`."""
    path: str
    """The file or folder, or registry key, as it is called inside the system that is looked at."""
    profile: str = ""
    """Which one of several: a browser's profile, a user's name; "" where there is one only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRoot:
    """A certificate in a store."""

    der: bytes
    """As it is kept; it may be no certificate at all."""
    trust: Trust
    origin: Origin
    purposes: frozenset[Purpose] | None = None
    """What it is trusted for; None where the store knows no purposes."""
    label: str = ""
    """What the store calls it: nickname, alias. Text of a stranger."""
    place: str = ""
    """The file of its own, if it has one beside the store's path."""
    names: tuple[str, ...] = ()
    """Domains and networks that the store limits it to; () for no such limit. Text of a stranger."""
    added_at: datetime | None = None
    """When it was put there, as far as the store or its file tells; aware UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReading:
    """A store with what is in it."""

    store: Store
    roots: tuple[StoredRoot, ...] = ()
    problem: str = ""
    """Why it was not read, or not to its end: one line, in English, may hold text of strangers."""


class Reader(Protocol):
    """A module of `readers/`."""

    PLATFORMS: frozenset[Platform]
    """Where it looks; on others it is not asked."""

    def read(self, system: "System") -> Iterator[StoreReading]:
        """Every store of its kind that is there; one that is absent is not told of.

        Raises nothing that a hostile store could cause: what cannot be read is a reading with a problem.
        """
