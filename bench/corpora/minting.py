"""Certificates that come out the same from the same seed: keys, serials and signatures are all derived.

RSA keys are made from primes that lie beside this file (they protect nothing); making them anew for every
seed would take a minute and change nothing for a reader.
"""

import base64
import datetime as dt
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PRIMES = Path(__file__).with_name("rsa_primes.json")
SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
DOMAIN_VALIDATED = x509.ObjectIdentifier("2.23.140.1.2.1")
SCT_OCTETS = 240
"""Two signed certificate timestamps, as leaves of public authorities bear."""
_OIDS = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
}
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@cache
def rsa_key(label: str) -> rsa.RSAPrivateKey:
    """The key that is called `label` in the file of primes."""
    p_hex, q_hex, exponent = json.loads(PRIMES.read_text())[label]
    p, q = int(p_hex, 16), int(q_hex, 16)
    d = pow(exponent, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(exponent, p * q)
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


@cache
def ec_key(label: str) -> ec.EllipticCurvePrivateKey:
    """A P-256 key whose private value is a hash of `label`."""
    digest = int.from_bytes(hashlib.sha512(label.encode()).digest())
    return ec.derive_private_key(digest % (_P256_ORDER - 1) + 1, ec.SECP256R1())


@cache
def name(text: str) -> x509.Name:
    """The name written `C=KZ, CN=x`, its attributes in the order of the encoding."""
    pairs = (part.split("=", 1) for part in text.split(", "))
    return x509.Name([x509.NameAttribute(_OIDS[key], value) for key, value in pairs])


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority that can sign; `base64` is its certificate as OONI writes it."""

    text: str
    key: Any
    der: bytes

    @property
    def base64(self) -> str:
        return base64.b64encode(self.der).decode()

    @property
    def spki(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when a certificate is valid."""

    start: dt.datetime
    end: dt.datetime

    @classmethod
    def days(cls, start: dt.datetime, number: float) -> "Span":
        return cls(start, start + dt.timedelta(days=number))


@cache
def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def key_id(public_key: Any) -> bytes:
    return x509.SubjectKeyIdentifier.from_public_key(public_key).digest


def serial_of_key(key: Any) -> int:
    """The serial number of the Kazakh roots: the key identifier without its highest bit."""
    return int.from_bytes(key_id(key.public_key())) & ((1 << 159) - 1)


def authority(
    text: str, key: Any, span: Span, *, serial: int, issuer: Issuer | None = None, key_ids: bool = True
) -> Issuer:
    """A root, or an intermediate of `issuer`."""
    signer = issuer.key if issuer else key
    builder = _builder(text, issuer.text if issuer else text, key.public_key(), span, serial)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=True, path_length=0 if issuer else None), critical=True
    ).add_extension(_usage(ca=True), critical=True)
    if key_ids:
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        ).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    return Issuer(text, key, _signed(builder, signer))


def leaf(
    hosts: Sequence[str],
    public_key: Any,
    issuer: Issuer,
    span: Span,
    *,
    rng: random.Random,
    public: bool = True,
) -> bytes:
    """A server's certificate; with `public` the extensions and the size that public authorities give."""
    builder = _builder(f"CN={hosts[0]}", issuer.text, public_key, span, rng.getrandbits(127) | 1 << 126)
    builder = (
        builder.add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
    )
    if public:
        builder = _public_extensions(builder, public_key, rng)
    return _signed(builder, issuer.key)


def self_signed(text: str, hosts: Sequence[str], key: Any, span: Span, serial: int) -> bytes:
    """A certificate signed by its own key and by nobody else."""
    builder = _builder(text, text, key.public_key(), span, serial)
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return _signed(builder, key)


def _public_extensions(
    builder: x509.CertificateBuilder, public_key: Any, rng: random.Random
) -> x509.CertificateBuilder:
    where = x509.UniformResourceIdentifier("http://ca.public-trust.example/issuing.crt")
    access = x509.AccessDescription(x509.AuthorityInformationAccessOID.CA_ISSUERS, where)
    return (
        builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        .add_extension(
            x509.CertificatePolicies([x509.PolicyInformation(DOMAIN_VALIDATED, None)]), critical=False
        )
        .add_extension(
            x509.UnrecognizedExtension(SCT_LIST, b"\x04\x82\x00\xf0" + rng.randbytes(SCT_OCTETS)),
            critical=False,
        )
    )


def _builder(subject: str, issuer: str, public_key: Any, span: Span, serial: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(span.start)
        .not_valid_after(span.end)
    )


def _signed(builder: x509.CertificateBuilder, key: Any) -> bytes:
    deterministic = True if isinstance(key, ec.EllipticCurvePrivateKey) else None
    certificate = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=deterministic)
    return certificate.public_bytes(serialization.Encoding.DER)
