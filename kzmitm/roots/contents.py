"""What readers of single files return, for `kzmitm inspect`: the certificates, and what the file asks for."""

from dataclasses import dataclass
from enum import StrEnum

from kzmitm.roots.values import Trust
from kzmitm.wording import Wording, joined


class Kind(StrEnum):
    """What a file is, by its octets; its name says nothing."""

    PEM = "pem"
    """Text with certificates in it, or p11-kit's objects."""
    DER = "der"
    PKCS7 = "pkcs7"
    """Certificates in a signed message without a message (.p7b)."""
    PKCS12 = "pkcs12"
    JAVA_KEYSTORE = "java_keystore"
    PROFILE = "profile"
    """Apple's configuration profile (.mobileconfig), signed or not."""
    APK = "apk"
    """A program for Android."""
    ZIP = "zip"
    REGISTRY_EXPORT = "registry_export"
    """A part of the Windows registry as text (.reg)."""
    UNKNOWN = "unknown"


class Note(StrEnum):
    """What else is known of a file."""

    NETWORK_SECURITY_CONFIG = "network_security_config"
    """An Android program with rules of its own for whom it trusts."""
    OWN_TRUST_ANCHORS = "own_trust_anchors"
    """These rules name the roots that it trusts."""
    SIGNED = "signed"
    """A profile in a signed message; the signature was not checked."""
    ENCRYPTED = "encrypted"
    """A part of it is for one device only and cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A certificate in a file."""

    der: bytes
    """As it is kept; it may be no certificate at all."""
    label: str = ""
    """Alias, name of the payload, path in the archive. Text of a stranger."""
    trust: Trust | None = None
    """What the file makes of it where it is installed; None where it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is in a file."""

    kind: Kind
    items: tuple[Item, ...] = ()
    """Each certificate once, or once for each trust that is said of it."""
    problem: str = ""
    """Why it was not read, or not to its end: one line in English, may hold text of strangers."""
    notes: tuple[Note, ...] = ()


def told(problems: list[str], most: int = 3) -> str:
    """Several problems in one line."""
    more = len(problems) - most
    rest = [Wording("and {more} more", more=more)] if more > 0 else []
    return joined("; ", [*problems[:most], *rest])
