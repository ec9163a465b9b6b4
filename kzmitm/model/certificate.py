"""A certificate as read from DER: the fields of RFC 5280 that judging needs, and nothing judged.

`kzmitm.pki.parse` makes these. Text in names comes from strangers: make it harmless before printing.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class NameAttribute:
    r"""One attribute of a distinguished name: dotted OID and text (undecodable octets as `\\xNN`)."""

    oid: str
    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name: `der` for comparing, `attributes` in the order of the encoding."""

    der: bytes
    attributes: tuple[NameAttribute, ...]

    def first(self, oid: str) -> str | None:
        """The first value of an attribute type, None if it has none."""
        return next((a.value for a in self.attributes if a.oid == oid), None)

    @property
    def common_name(self) -> str | None:
        return self.first("2.5.4.3")

    @property
    def organization(self) -> str | None:
        return self.first("2.5.4.10")

    @property
    def country(self) -> str | None:
        return self.first("2.5.4.6")

    def __str__(self) -> str:
        return ", ".join(f"{SHORT_NAMES.get(a.oid, a.oid)}={a.value}" for a in self.attributes)


SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.42": "GN",
    "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}
"""RFC 4514 short names, and emailAddress as OpenSSL prints it: the spelling of the registry's patterns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key: `kind` is `rsa`, `ec`, `ed25519`, `ed448`, `dsa` or `other`; `exponent` is RSA's."""

    kind: str
    bits: int
    spki_sha256: str
    exponent: int | None = None
    curve: str | None = None

    def __str__(self) -> str:
        return {"rsa": f"rsa{self.bits}", "ec": self.curve or "ec"}.get(self.kind, self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate: `sha256` and `sha1` of the DER as lower-case hex, `serial` as the signed integer it is.

    When `parse_error` is set, the fields hold what could still be read: the names are empty or the key
    None where even that failed. `san_dns` and `san_ip` are None when there is no subjectAltName at all.
    Times are aware UTC. `extensions` are (dotted OID, critical) in the order of the encoding.
    """

    der: bytes
    sha256: str
    sha1: str
    parse_error: str | None = None
    version: int = 3
    serial: int = 0
    subject: Name = Name(b"", ())
    issuer: Name = Name(b"", ())
    not_before: datetime | None = None
    not_after: datetime | None = None
    public_key: PublicKey | None = None
    signature_algorithm: str = ""
    """Dotted OID."""
    san_dns: tuple[str, ...] | None = None
    san_ip: tuple[str, ...] | None = None
    is_ca: bool = False
    path_length: int | None = None
    key_usage: frozenset[str] | None = None
    """Names of RFC 5280, 4.2.1.3 in snake_case (`key_cert_sign`, …); None without the extension."""
    ext_key_usage: frozenset[str] | None = None
    """Dotted OIDs; None without the extension."""
    subject_key_id: bytes | None = None
    authority_key_id: bytes | None = None
    extensions: tuple[tuple[str, bool], ...] = ()

    @property
    def is_self_issued(self) -> bool:
        """Subject and issuer are the same name (RFC 5280, 3.2); says nothing of the signature."""
        return self.subject.der == self.issuer.der

    @property
    def spki_sha256(self) -> str | None:
        """SHA-256 of the SubjectPublicKeyInfo as lower-case hex."""
        return self.public_key.spki_sha256 if self.public_key else None
