"""What a ClientHello offers, as data."""

from dataclasses import dataclass

GREASE = 0x0A0A
"""Stands for a value of RFC 8701 that is drawn for each connection, wherever it occurs in a list."""

GREASE_LAST = 0x1A1A
"""A second such extension type: no type may occur twice in one hello."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HelloProfile:
    """What a ClientHello offers; lists in the order of the wire, numbers of the IANA registries.

    `extensions` gives the types and their order; the bodies follow from the other fields. Types in it
    that have nothing to say for a connection (server_name without a name, ALPN without protocols) are
    left out. To add a profile, put `PROFILE = HelloProfile(…)` into a new module of this package.
    """

    name: str
    cipher_suites: tuple[int, ...]
    extensions: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    key_shares: tuple[int, ...] = ()
    """Groups for which a share is sent at once; the other `groups` on HelloRetryRequest."""
    signature_schemes: tuple[int, ...] = ()
    versions: tuple[int, ...] = ()
    """Body of supported_versions; without it `legacy_version` is the highest version offered."""
    record_version: int = 0x0301
    legacy_version: int = 0x0303
    session_id_size: int = 32
    """Octets of the made-up session id: 32 is the compatibility mode of RFC 8446, D.4."""
    pad_to: int = 0
    """Octets that the ClientHello message is padded to (RFC 7685), header included; 0 for none."""
    ech_payload_size: int = 0
    """Octets of the payload of a GREASE encrypted_client_hello (RFC 9849, 6.2)."""

    @property
    def highest_version(self) -> int:
        """The highest version offered."""
        return max((v for v in self.versions if v & 0x0F0F != GREASE), default=self.legacy_version)

    def __str__(self) -> str:
        return self.name
