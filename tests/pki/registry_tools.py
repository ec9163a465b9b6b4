"""Certificates made to order, the shipped registry and the real certificates."""

import base64
import functools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from kzmitm.model.certificate import Certificate
from kzmitm.pki.parse import parse_certificate
from kzmitm.pki.registry import Registry, parse_registry
from kzmitm.resources import fingerprint_files

SHARED = Path(__file__).resolve().parents[3] / "shared"
CERTS = SHARED / "certs"
FACTS = SHARED / "facts"

OIDS = {
    "C": NameOID.COUNTRY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "CN": NameOID.COMMON_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
}
START = datetime(2024, 1, 1, tzinfo=UTC)
MINIMAL = b'id = "%s"\nkind = "state_interception"\n[names]\nen = "Example"\n'


@functools.cache
def shipped() -> Registry:
    return parse_registry(fingerprint_files())


@functools.cache
def rsa_key(name: str, bits: int = 2048, exponent: int = 65537) -> rsa.RSAPrivateKey:
    """A key for each name, made once."""
    return rsa.generate_private_key(exponent, bits)


@functools.cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def name(text: str) -> x509.Name:
    """`C=KZ, CN=Example` in the order of the encoding."""
    parts = [part.partition("=") for part in text.split(", ")] if text else []
    return x509.Name([x509.NameAttribute(OIDS[key], value, _validate=False) for key, _, value in parts])


def make(
    subject: str,
    issuer: str | None = None,
    *,
    key: Any = None,
    signer: Any = None,
    serial: int = 4711,
    start: datetime = START,
    length: timedelta = timedelta(days=90),
    san: Sequence[str] = (),
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Certificate:
    """A certificate; self-signed unless an issuer and its key are given."""
    key = key or rsa_key("any")
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(subject if issuer is None else issuer))
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + length)
    )
    if san:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(n) for n in san]), critical=False
        )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(signer or key, hashes.SHA256())
    return parse_certificate(made.public_bytes(serialization.Encoding.DER))


def spki(key: Any) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def usage(*wanted: str) -> x509.KeyUsage:
    fields = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{field: field in wanted for field in fields})


def real(prefix: str) -> Certificate:
    """A real certificate by the beginning of its SHA-256; skips the test where they are not at hand."""
    found = list(CERTS.glob(f"{prefix}*.pem"))
    if not found:
        pytest.skip("the real certificates (../shared/certs) are not here")
    return parse_pem(found[0].read_text())


def real_certificates() -> list[Certificate]:
    return [parse_pem(path.read_text()) for path in sorted(CERTS.glob("*.pem"))]


def parse_pem(text: str) -> Certificate:
    body = "".join(line for line in text.splitlines() if not line.startswith("-----"))
    return parse_certificate(base64.b64decode(body))
