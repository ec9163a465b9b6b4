"""Chromium's own store of certificates: `ServerCertificate` in a profile, since version 131.

A SQLite table of certificates, each with a message of Protocol Buffers that says what it is good for:
components/server_certificate_database/server_certificate_database.proto of Chromium.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address
from pathlib import Path

from kzmitm.pki.extensions import BASIC_CONSTRAINTS
from kzmitm.pki.parse import parse_certificate
from kzmitm.roots.sqlite_tables import read_table
from kzmitm.roots.values import Origin, Purpose, StoredRoot, Trust
from kzmitm.wording import Wording

MAX_FIELDS = 10_000
"""Fields of one message: a name or address of a constraint is one."""

_VARINT, _FIXED64, _OCTETS, _GROUP, _END, _FIXED32 = range(6)
_COLUMNS = ("der_cert", "trust_settings")


class TrustType(IntEnum):
    """`CertificateTrustType` of the message; the names are Chromium's."""

    UNKNOWN = 0
    """An error: Chromium passes over the certificate."""
    UNSPECIFIED = 1
    DISTRUSTED = 2
    TRUSTED = 3


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """What the message says."""

    trust: TrustType
    names: tuple[str, ...] = ()
    """Domains and networks that the certificate is held to; () for every one."""


@dataclass(frozen=True, slots=True)
class ChromiumCertificate:
    """A certificate of the store."""

    der: bytes
    settings: TrustSettings


def read_certificates(path: Path) -> tuple[tuple[ChromiumCertificate, ...], str]:
    """The certificates of a copied database, and what went wrong, if anything."""
    table = read_table(path, "certificates", _COLUMNS)
    found: list[ChromiumCertificate] = []
    for der, message in table.rows:
        if not der:
            continue
        try:
            settings = read_settings(message or b"")
        except ValueError as exc:
            # Chromium leaves such an entry out.
            table.problems.append(Wording("the settings of a certificate: {why}", why=exc))
            settings = TrustSettings(TrustType.UNKNOWN)
        found.append(ChromiumCertificate(der, settings))
    return tuple(found), table.problem


def stored_root(certificate: ChromiumCertificate) -> StoredRoot:
    """A certificate of the store as all readers tell of it; only people put any in."""
    trust = Trust.PRESENT
    if certificate.settings.trust is TrustType.DISTRUSTED:
        trust = Trust.DISTRUSTED
    elif certificate.settings.trust is TrustType.TRUSTED and may_issue(certificate.der):
        trust = Trust.TRUSTED
    return StoredRoot(
        der=certificate.der,
        trust=trust,
        origin=Origin.USER,
        names=certificate.settings.names,
        purposes=frozenset({Purpose.SERVER} if trust is Trust.TRUSTED else ()),
    )


def may_issue(der: bytes) -> bool:
    """Chromium takes a trusted certificate for an anchor unless it says that it is no authority.

    GetUserCertificateTrust in server_certificate_database.cc; one of a server is then good for itself only.
    """
    certificate = parse_certificate(der)
    says = any(oid == BASIC_CONSTRAINTS for oid, _ in certificate.extensions)
    return certificate.is_ca or not says or certificate.parse_error is not None


def read_settings(message: bytes) -> TrustSettings:
    """`CertificateMetadata`; raises ValueError."""
    trust, names = TrustType.UNKNOWN, list[str]()
    for number, value in fields(message):
        if number == 1 and isinstance(value, bytes):
            for inner, code in fields(value):
                if inner == 1 and isinstance(code, int):
                    kept = code & 0xFFFFFFFF  # of an enumeration, the lower 32 bits count
                    trust = TrustType(kept) if kept <= TrustType.TRUSTED else TrustType.UNKNOWN
        elif number == 2 and isinstance(value, bytes):
            names += _constraints(value)
    return TrustSettings(trust, tuple(names))


def _constraints(message: bytes) -> Iterator[str]:
    for number, value in fields(message):
        if number == 1 and isinstance(value, bytes):
            yield value.decode("utf-8", "replace")
        elif number == 3 and isinstance(value, bytes):
            network = dict(fields(value))
            address, length = network.get(1), network.get(2, 0)
            # ip_address takes octets of either family.
            known = isinstance(address, bytes) and len(address) in (4, 16)
            yield f"{ip_address(address) if known and address else '?'}/{length!r}"


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message of Protocol Buffers with their numbers, those in groups left out.

    https://protobuf.dev/programming-guides/encoding/; raises ValueError.
    """
    pos = depth = 0
    for _ in range(MAX_FIELDS):
        if pos == len(message):
            if depth:
                raise ValueError(Wording("a group without an end"))
            return
        key, pos = _varint(message, pos)
        wire = key & 7
        value: int | bytes = b""
        if wire == _VARINT:
            value, pos = _varint(message, pos)
        elif wire in (_OCTETS, _FIXED32, _FIXED64):
            size, pos = _varint(message, pos) if wire == _OCTETS else (8 if wire == _FIXED64 else 4, pos)
            value, pos = message[pos : pos + size], pos + size
        elif wire in (_GROUP, _END):
            depth += 1 if wire == _GROUP else -1
        else:
            raise ValueError(Wording("wire type {wire}", wire=wire))
        if pos > len(message) or depth < 0 or not key >> 3:
            raise ValueError(Wording("a field that is cut off or out of place"))
        if not depth and wire in (_VARINT, _OCTETS):
            yield key >> 3, value
    raise ValueError(Wording("more than {max_fields} fields", max_fields=MAX_FIELDS))


def _varint(message: bytes, pos: int) -> tuple[int, int]:
    """Seven bits an octet, lowest first, at most 64 in ten; raises ValueError."""
    value = 0
    for shift, octet in enumerate(message[pos : pos + 10]):
        value |= (octet & 0x7F) << (7 * shift)
        if octet < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, pos + shift + 1
    raise ValueError(Wording("a number without an end"))
