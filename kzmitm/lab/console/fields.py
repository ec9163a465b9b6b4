"""The fields of a certificate as people read them. Pure; whatever the octets are, nothing raises."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from kzmitm.model.certificate import SHORT_NAMES, Certificate, Name, PublicKey
from kzmitm.pki import der
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.der import DERError
from kzmitm.pki.extensions import SIGNED_CERTIFICATE_TIMESTAMPS
from kzmitm.pki.parse import dissect
from kzmitm.report.language import _
from kzmitm.report.safe import harmless

MAX_PARTS = 24
"""Shown of one field; no honest certificate of the laboratory has as many names, and a screen ends."""
LOG_ID = slice(1, 33)
"""Where a timestamp names its log (RFC 6962, 3.2)."""
MAX_SCTS = 16

EXTENSIONS = {
    "2.5.29.14": "Subject Key Identifier",
    "2.5.29.15": "Key Usage",
    "2.5.29.17": "Subject Alternative Name",
    "2.5.29.19": "Basic Constraints",
    "2.5.29.30": "Name Constraints",
    "2.5.29.31": "CRL Distribution Points",
    "2.5.29.32": "Certificate Policies",
    "2.5.29.35": "Authority Key Identifier",
    "2.5.29.37": "Extended Key Usage",
    "1.3.6.1.5.5.7.1.1": "Authority Information Access",
    "1.3.6.1.5.5.7.1.24": "TLS Feature",
    "2.16.840.1.113730.1.13": "Netscape Comment",
    SIGNED_CERTIFICATE_TIMESTAMPS: "Signed Certificate Timestamps",
}
ALGORITHMS = {
    "1.2.840.113549.1.1.5": "RSA with SHA-1",
    "1.2.840.113549.1.1.10": "RSA-PSS",
    "1.2.840.113549.1.1.11": "RSA with SHA-256",
    "1.2.840.113549.1.1.12": "RSA with SHA-384",
    "1.2.840.113549.1.1.13": "RSA with SHA-512",
    "1.2.840.10045.4.3.2": "ECDSA with SHA-256",
    "1.2.840.10045.4.3.3": "ECDSA with SHA-384",
    "1.2.840.10045.4.3.4": "ECDSA with SHA-512",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
}
CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def fields_of(chain: Sequence[bytes]) -> Mapping[str, tuple[str, ...]]:
    """Label of each field -> its parts, all harmless; () where the certificate has nothing to say.

    `chain` is in DER, the leaf first; without a leaf there is no field.
    """
    if not chain:
        return {}
    anatomy = dissect(chain[0])
    leaf = anatomy.certificate
    key = leaf.public_key
    found: dict[str, Sequence[str]] = {
        _("Subject"): _name(leaf.subject),
        _("Issuer"): _name(leaf.issuer),
        _("Serial number"): (_grouped(f"{leaf.serial:x}"),),
        _("Valid from"): _time(leaf.not_before),
        _("Valid until"): _time(leaf.not_after),
        _("Key"): (_key(key),) if key else (),
        _("Exponent of the key"): (str(key.exponent),) if key and key.exponent is not None else (),
        _("SHA-256 of key"): (_grouped(key.spki_sha256),) if key else (),
        _("Names it is for"): leaf.san_dns or (),
        _("Addresses it is for"): leaf.san_ip or (),
        _("Signature"): (ALGORITHMS.get(leaf.signature_algorithm, leaf.signature_algorithm),),
        _("Extensions"): _extensions(leaf),
        _("Timestamps of logs (SCT)"): _timestamps(anatomy),
        _("Sent along"): tuple(str(dissect(one).certificate.subject) for one in chain[1:]),
        _("SHA-256 of certificate"): (_grouped(leaf.sha256),),
        _("Malformed"): (leaf.parse_error,) if leaf.parse_error else (),
    }
    return {label: _shown(parts) for label, parts in found.items()}


def codes() -> frozenset[str]:
    """The labels of the fields that hold hexadecimal digits."""
    return frozenset({_("Serial number"), _("SHA-256 of key"), _("SHA-256 of certificate")})


def _shown(parts: Sequence[str]) -> tuple[str, ...]:
    shown = [harmless(part) for part in parts[:MAX_PARTS] if part]
    more = len(parts) - MAX_PARTS
    return (*shown, _("and {} more").format(more)) if more > 0 else tuple(shown)


def _name(name: Name) -> list[str]:
    return [f"{SHORT_NAMES.get(one.oid, one.oid)} = {one.value}" for one in name.attributes]


def _time(moment: datetime | None) -> tuple[str, ...]:
    return (f"{moment:%Y-%m-%d %H:%M:%S} UTC",) if moment else ()


def _key(key: PublicKey) -> str:
    match key.kind:
        case "rsa" | "dsa":
            return _("{kind}, {bits} bits").format(kind=key.kind.upper(), bits=key.bits)
        case "ec":
            return _("elliptic curve {}").format(CURVES.get(key.curve or "", key.curve or "?"))
        case kind:
            return kind


def _grouped(digits: str) -> str:
    """Hex digits in fours, which an eye can compare."""
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def _extensions(leaf: Certificate) -> list[str]:
    marks = {True: _(" (critical)"), False: ""}
    return [EXTENSIONS.get(oid, oid) + marks[critical] for oid, critical in leaf.extensions]


def _timestamps(anatomy: Anatomy) -> tuple[str, ...]:
    value = anatomy.values.get(SIGNED_CERTIFICATE_TIMESTAMPS)
    if value is None:
        return ()
    try:
        return tuple(_("from log {}…").format(log.hex()[:12]) for log in _logs(value))
    except DERError:
        return (_("malformed"),)


def _logs(value: bytes) -> list[bytes]:
    """The logs that the timestamps of an SCT list are from; raises DERError."""
    start, stop = der.whole(value, der.OCTET_STRING)
    pos, logs = start + 2, list[bytes]()
    while pos < stop and len(logs) < MAX_SCTS:
        length = int.from_bytes(value[pos : pos + 2], "big")
        entry = value[pos + 2 : pos + 2 + length]
        if length < LOG_ID.stop or pos + 2 + length > stop:
            raise DERError("a timestamp is cut short")
        logs.append(entry[LOG_ID])
        pos += 2 + length
    return logs
