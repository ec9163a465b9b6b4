"""Certificates of every shape, right and wrong, written octet by octet: no library refuses to make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha1
from ipaddress import ip_address, ip_network
from itertools import count
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.path import validate_path
from kzmitm.pki.report import PathReport
from kzmitm.pki.store import TrustStore

NOW = datetime(2026, 6, 1, tzinfo=UTC)
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)

SERVER_AUTH, CLIENT_AUTH, ANY_PURPOSE = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0"
UNKNOWN = "1.3.6.1.4.1.55738.666.1"

_serials = count(1000)


# --- DER, written


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def seq(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    out = b""
    for arc in (first * 40 + second, *rest):
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.append(0x80 | arc & 0x7F)
        out += bytes(reversed(octets))
    return tlv(6, out)


def integer(value: int) -> bytes:
    return tlv(2, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True))


def bits(content: bytes, unused: int = 0) -> bytes:
    return tlv(3, bytes((unused,)), content)


TRUE = b"\x01\x01\xff"


_RDN = {
    "CN": "2.5.4.3",
    "O": "2.5.4.10",
    "C": "2.5.4.6",
    "OU": "2.5.4.11",
    "email": "1.2.840.113549.1.9.1",
}


def rdn(kind: str, value: str | bytes, tag: int = 0x0C) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return tlv(0x31, seq(oid(_RDN.get(kind, kind)), tlv(tag, content)))


def name(text: str) -> bytes:
    """A name from `C=KZ, CN=x`; empty for ""."""
    return seq(*(rdn(*part.strip().split("=", 1)) for part in text.split(",") if part.strip()))


def time(moment: datetime) -> bytes:
    if 1950 <= moment.year < 2050:
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


# --- extensions: each an Extension in DER


def ext(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    return seq(oid(dotted), TRUE if critical else b"", tlv(4, value))


def basic_constraints(*, ca: bool = True, length: int | None = None, critical: bool = True) -> bytes:
    inner = (TRUE if ca else b"") + (integer(length) if length is not None else b"")
    return ext("2.5.29.19", seq(inner), critical=critical)


def key_usage(*numbers: int, critical: bool = True) -> bytes:
    mask = sum(0x8000 >> number for number in numbers)
    octets = mask.to_bytes(2, "big").rstrip(b"\0")
    unused = (octets[-1] & -octets[-1]).bit_length() - 1 if octets else 0
    return ext("2.5.29.15", bits(octets, unused), critical=critical)


CERT_SIGN, DIGITAL_SIGNATURE = 5, 0


def purposes(*dotted: str, critical: bool = False) -> bytes:
    return ext("2.5.29.37", seq(*map(oid, dotted)), critical=critical)


def general_name(text: str) -> bytes:
    """A GeneralName from `DNS:x`, `IP:1.2.3.4` (or a network), `email:`, `URI:`, `DN:CN=x`, `other:OID`."""
    kind, _, value = text.partition(":")
    if kind == "IP":
        if "/" in value:
            network = ip_network(value)
            return tlv(0x87, network.network_address.packed + network.netmask.packed)
        return tlv(0x87, ip_address(value).packed)
    if kind == "DN":
        return tlv(0xA4, name(value))
    if kind == "other":
        return tlv(0xA0, oid(value), tlv(0xA0, b"\x05\x00"))
    return tlv({"email": 0x81, "DNS": 0x82, "URI": 0x86}[kind], value.encode())


def alt_names(*names: str | bytes, critical: bool = False) -> bytes:
    return ext(
        "2.5.29.17",
        seq(*(n if isinstance(n, bytes) else general_name(n) for n in names)),
        critical=critical,
    )


def name_constraints(
    permitted: Sequence[str | bytes] = (), excluded: Sequence[str | bytes] = (), *, critical: bool = True
) -> bytes:
    def subtrees(tag: int, names: Sequence[str | bytes]) -> bytes:
        trees = [seq(n if isinstance(n, bytes) else general_name(n)) for n in names]
        return tlv(tag, *trees) if trees else b""

    return ext("2.5.29.30", seq(subtrees(0xA0, permitted), subtrees(0xA1, excluded)), critical=critical)


def subject_key_id(value: bytes, *, critical: bool = False) -> bytes:
    return ext("2.5.29.14", tlv(4, value), critical=critical)


def authority_key_id(
    value: bytes | None, *, issuer: str = "", serial: int | None = None, critical: bool = False
) -> bytes:
    parts = tlv(0x80, value) if value is not None else b""
    parts += tlv(0xA1, tlv(0xA4, name(issuer))) if issuer else b""
    parts += tlv(0x82, b"\x01") if serial is not None else b""
    return ext("2.5.29.35", seq(parts), critical=critical)


def info_access(*, critical: bool = False) -> bytes:
    issuers = seq(oid("1.3.6.1.5.5.7.48.2"), tlv(0x86, b"http://ca.example/ca.crt"))
    return ext("1.3.6.1.5.5.7.1.1", seq(issuers), critical=critical)


def receipts() -> bytes:
    """An empty list of signed certificate timestamps (RFC 6962, 3.3)."""
    return ext("1.3.6.1.4.1.11129.2.4.2", tlv(0x04, b"\0\0"))


def policies(*dotted: str) -> bytes:
    return ext("2.5.29.32", seq(*(seq(oid(policy)) for policy in dotted)))


def policy_constraints(
    require: int | None = None, inhibit: int | None = None, *, critical: bool = True
) -> bytes:
    parts = tlv(0x80, bytes((require,))) if require is not None else b""
    parts += tlv(0x81, bytes((inhibit,))) if inhibit is not None else b""
    return ext("2.5.29.36", seq(parts), critical=critical)


def policy_mappings(*pairs: tuple[str, str]) -> bytes:
    return ext("2.5.29.33", seq(*(seq(oid(a), oid(b)) for a, b in pairs)), critical=True)


def inhibit_any_policy(after: int) -> bytes:
    return ext("2.5.29.54", integer(after), critical=True)


# --- keys and signatures


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key(bits_: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits_)


def spki_of(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(key: Any) -> bytes:
    return sha1(spki_of(key), usedforsecurity=False).digest()


ECDSA_SHA256, ECDSA_SHA384, ECDSA_SHA1 = (
    seq(oid(o)) for o in ("1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.1")
)
RSA_SHA256, RSA_SHA1, RSA_MD5 = (
    seq(oid(o), b"\x05\x00")
    for o in ("1.2.840.113549.1.1.11", "1.2.840.113549.1.1.5", "1.2.840.113549.1.1.4")
)
_HASHES: dict[bytes, Any] = {
    ECDSA_SHA256: hashes.SHA256,
    ECDSA_SHA384: hashes.SHA384,
    ECDSA_SHA1: hashes.SHA1,
    RSA_SHA256: hashes.SHA256,
    RSA_SHA1: hashes.SHA1,
    RSA_MD5: hashes.MD5,
}
DIRECT = {ed25519.Ed25519PrivateKey: "1.3.101.112", ed448.Ed448PrivateKey: "1.3.101.113"}


def pss(digest: str = "2.16.840.1.101.3.4.2.1", salt: int = 32, mask: str | None = None) -> bytes:
    hash_algorithm = seq(oid(digest))
    mask_algorithm = seq(oid("1.2.840.113549.1.1.8"), seq(oid(mask or digest)))
    parameters = (tlv(0xA0, hash_algorithm), tlv(0xA1, mask_algorithm), tlv(0xA2, integer(salt)))
    return seq(oid("1.2.840.113549.1.1.10"), seq(*parameters))


def default_algorithm(key: Any) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return RSA_SHA256
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ECDSA_SHA256
    return seq(oid(DIRECT[next(kind for kind in DIRECT if isinstance(key, kind))]))


def sign(key: Any, algorithm: bytes, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        if algorithm not in _HASHES:
            scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
            return key.sign(data, scheme, hashes.SHA256())
        return key.sign(data, padding.PKCS1v15(), _HASHES[algorithm]())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(_HASHES[algorithm]()))
    return key.sign(data)


# --- certificates


@dataclass
class Issued:
    """A certificate with its key, ready to sign others."""

    der: bytes
    key: Any
    subject: bytes
    spki: bytes = b""

    @property
    def key_id(self) -> bytes:
        return sha1(self.spki, usedforsecurity=False).digest()


@dataclass
class Plan:
    """All parts of a certificate; replace any."""

    subject: bytes
    issuer: bytes
    key: Any
    signer: Any
    extensions: list[bytes] = field(default_factory=list)
    not_before: datetime | bytes = START
    not_after: datetime | bytes = END
    serial: int | bytes = 0
    version: int | None = 3
    spki: bytes = b""
    algorithm: bytes = b""
    inner_algorithm: bytes = b""
    signature: bytes | None = None

    def make(self) -> Issued:
        spki = self.spki or spki_of(self.key)
        outer = self.algorithm or default_algorithm(self.signer)
        inner = self.inner_algorithm or outer
        start = self.not_before if isinstance(self.not_before, bytes) else time(self.not_before)
        end = self.not_after if isinstance(self.not_after, bytes) else time(self.not_after)
        number = self.serial if isinstance(self.serial, bytes) else integer(self.serial)
        body = seq(
            tlv(0xA0, integer(self.version - 1)) if self.version is not None else b"",
            number,
            inner,
            self.issuer,
            seq(start, end),
            self.subject,
            spki,
            tlv(0xA3, seq(*self.extensions)) if self.extensions else b"",
        )
        signature = sign(self.signer, outer, body) if self.signature is None else self.signature
        return Issued(seq(body, outer, bits(signature)), self.key, self.subject, spki)


def ca_extensions(identifier: bytes, length: int | None = None) -> list[bytes]:
    return [basic_constraints(length=length), key_usage(CERT_SIGN), subject_key_id(identifier)]


def root(text: str = "O=Test Trust, CN=Root", **changes: Any) -> Issued:
    key = changes.pop("key", None) or ec_key()
    subject = name(text)
    plan = Plan(subject, subject, key, key, ca_extensions(key_id(key)), serial=next(_serials))
    return changed(plan, changes).make()


def intermediate(
    parent: Issued,
    text: str = "",
    *,
    length: int | None = None,
    **changes: Any,
) -> Issued:
    key = changes.pop("key", None) or ec_key()
    number = next(_serials)
    extensions = [*ca_extensions(key_id(key), length), authority_key_id(parent.key_id)]
    subject = name(text or f"O=Test Trust, CN=Intermediate {number}")
    plan = Plan(subject, parent.subject, key, parent.key, extensions, serial=number)
    return changed(plan, changes).make()


def leaf(
    parent: Issued,
    *names: str | bytes,
    text: str = "CN=example.com",
    **changes: Any,
) -> Issued:
    key = changes.pop("key", None) or ec_key()
    extensions = [
        alt_names(*(names or ("DNS:example.com",))),
        key_usage(DIGITAL_SIGNATURE),
        purposes(SERVER_AUTH),
        authority_key_id(parent.key_id),
    ]
    plan = Plan(name(text), parent.subject, key, parent.key, extensions, serial=next(_serials))
    return changed(plan, changes).make()


def changed(plan: Plan, changes: dict[str, Any]) -> Plan:
    """The plan with fields replaced; `without` takes extensions out by dotted OID, `extra` adds some."""
    for oid_ in changes.pop("without", ()):
        plan.extensions = [e for e in plan.extensions if oid(oid_) not in e[:16]]
    plan.extensions += changes.pop("extra", ())
    for key, value in changes.items():
        assert hasattr(plan, key), key
        setattr(plan, key, value)
    return plan


def days(number: int) -> datetime:
    return NOW + timedelta(days=number)


# --- judging


def store_of(*anchors: Issued, cache_: CertificateCache | None = None) -> TrustStore:
    parsed = cache_ or CertificateCache()
    return TrustStore(
        name="test",
        version="1",
        date="2026-01-01",
        sha256="",
        anchors=tuple(parsed.parse(a.der) for a in anchors),
    )


def judge(
    chain: Sequence[Issued | bytes],
    *anchors: Issued,
    hostname: str | None = "example.com",
    now: datetime = NOW,
    known: Sequence[Issued] = (),
    **options: Any,
) -> PathReport:
    cache_ = CertificateCache()
    parsed = [cache_.parse(c if isinstance(c, bytes) else c.der) for c in chain]
    return validate_path(
        parsed,
        store=store_of(*anchors, cache_=cache_),
        hostname=hostname,
        now=now,
        cache=cache_,
        intermediates=[cache_.parse(k.der) for k in known],
        **options,
    )
