"""Where Windows keeps certificates in its registry, and the live registry itself.

https://learn.microsoft.com/windows/win32/seccrypto/system-store-locations
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from kzmitm.roots.system import UnreadableError
from kzmitm.roots.values import Origin, Trust
from kzmitm.roots.windows_blob import moment
from kzmitm.wording import Wording, reason_of

MAX_CERTIFICATES = 5_000
"""Certificates of one store; Windows with all roots it knows has some five hundred."""


class Hive(StrEnum):
    """A tree of the registry, as people call it."""

    USER = "HKCU"
    MACHINE = "HKLM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A key with a key for each store below it."""

    name: str
    application: str
    hive: Hive
    key: str
    origin: Origin


LOCATIONS = (
    Location(
        name="user",
        application=Wording("Windows (this user)"),
        hive=Hive.USER,
        key=r"Software\Microsoft\SystemCertificates",
        origin=Origin.USER,
    ),
    Location(
        name="user_policy",
        application=Wording("Windows (policy for this user)"),
        hive=Hive.USER,
        key=r"Software\Policies\Microsoft\SystemCertificates",
        origin=Origin.POLICY,
    ),
    Location(
        name="machine",
        application=Wording("Windows (this computer)"),
        hive=Hive.MACHINE,
        key=r"SOFTWARE\Microsoft\SystemCertificates",
        origin=Origin.ADMIN,
    ),
    Location(
        name="policy",
        application=Wording("Windows (policy for this computer)"),
        hive=Hive.MACHINE,
        key=r"SOFTWARE\Policies\Microsoft\SystemCertificates",
        origin=Origin.POLICY,
    ),
    Location(
        name="enterprise",
        application=Wording("Windows (from the organisation's directory)"),
        hive=Hive.MACHINE,
        key=r"SOFTWARE\Microsoft\EnterpriseCertificates",
        origin=Origin.POLICY,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStore:
    """A store of one location: what its certificates are trusted for by lying there."""

    name: str
    trust: Trust
    origin: Origin | None = None
    """Who puts certificates there, if that is not who may write to the location."""


DISALLOWED = SystemStore(name="Disallowed", trust=Trust.DISTRUSTED)
STORES = (
    SystemStore(name="ROOT", trust=Trust.TRUSTED),
    SystemStore(name="AuthRoot", trust=Trust.TRUSTED, origin=Origin.VENDOR),
    SystemStore(name="CA", trust=Trust.PRESENT, origin=Origin.UNKNOWN),
    SystemStore(name="TrustedPeople", trust=Trust.PRESENT),
    DISALLOWED,
)
"""In CA Windows keeps intermediates that it met; what is in TrustedPeople is for signing in and for mail."""


@dataclass(frozen=True, slots=True)
class KeptBlob:
    """A key of a certificate: its name, which is a SHA-1, its value `Blob`, and when it was written."""

    name: str
    blob: bytes
    written_at: datetime | None


class Registry(Protocol):
    """A registry, live or of another system."""

    def kept(self, hive: Hive, key: str) -> Iterator[KeptBlob]:
        """The certificates below a key; raises FileNotFoundError, UnreadableError."""


class WinReg(Protocol):
    """What is used of the module `winreg` of the standard library."""

    HKEY_CURRENT_USER: Any
    HKEY_LOCAL_MACHINE: Any
    KEY_READ: int

    def OpenKey(self, key: Any, sub_key: str, reserved: int = 0, access: int = ..., /) -> Any: ...  # noqa: N802
    def EnumKey(self, key: Any, index: int, /) -> str: ...  # noqa: N802
    def QueryInfoKey(self, key: Any, /) -> tuple[int, int, int]: ...  # noqa: N802
    def QueryValueEx(self, key: Any, name: str, /) -> tuple[Any, int]: ...  # noqa: N802


class LiveRegistry:
    """The registry of this computer."""

    def __init__(self, winreg: WinReg) -> None:
        self._winreg = winreg

    def kept(self, hive: Hive, key: str) -> Iterator[KeptBlob]:
        """The certificates below a key; raises FileNotFoundError, UnreadableError."""
        reg = self._winreg
        tree = reg.HKEY_CURRENT_USER if hive is Hive.USER else reg.HKEY_LOCAL_MACHINE
        try:
            with reg.OpenKey(tree, key, 0, reg.KEY_READ) as opened:
                count = min(reg.QueryInfoKey(opened)[0], MAX_CERTIFICATES)
                for name in [reg.EnumKey(opened, index) for index in range(count)]:
                    yield self._kept(opened, name)
        except FileNotFoundError:
            raise
        except OSError as exc:
            raise UnreadableError(reason_of(exc)) from None

    def _kept(self, opened: Any, name: str) -> KeptBlob:
        reg = self._winreg
        with reg.OpenKey(opened, name, 0, reg.KEY_READ) as entry:
            try:
                blob, _ = reg.QueryValueEx(entry, "Blob")
            except FileNotFoundError:
                blob = b""
            written_at = moment(reg.QueryInfoKey(entry)[2])
        return KeptBlob(name, blob if isinstance(blob, bytes) else b"", written_at)
