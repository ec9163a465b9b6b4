"""Certificates with the names and habits of real issuers, made with keys of our own."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID as Access
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SHARED = Path(__file__).resolve().parents[4] / "shared" / "certs"
ATTRIBUTES = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}
RECEIPT = b"\0" + bytes(32) + (1685600000000).to_bytes(8) + b"\0\0\4\3\0\x08" + b"0\x06\2\1\1\2\1\1"
RECEIPTS = x509.UnrecognizedExtension(
    x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"),
    bytes((4, len(RECEIPT) + 4, 0, len(RECEIPT) + 2, 0, len(RECEIPT))) + RECEIPT,
)
"""A list of one receipt of a transparency log (RFC 6962, 3.3)."""


def name(text):
    """`C=KZ, O=A, Inc., CN=B` in the order of the encoding."""
    parts = [part.partition("=") for part in re.split(r", (?=[A-Za-z]+=)", text)]
    return x509.Name([x509.NameAttribute(ATTRIBUTES[short], value) for short, _, value in parts])


@cache
def key(label):
    return ec.generate_private_key(ec.SECP256R1())


def real(start):
    """A real certificate by the beginning of its SHA-256; None where these are not at hand."""
    found = list(SHARED.glob(f"{start}*.pem"))
    return x509.load_pem_x509_certificate(found[0].read_bytes()) if found else None


def key_id(certificate_or_key):
    if isinstance(certificate_or_key, x509.Certificate):
        extensions = certificate_or_key.extensions
        return extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return x509.SubjectKeyIdentifier.from_public_key(certificate_or_key.public_key()).digest


@dataclass(frozen=True)
class Authority:
    """`public` ones put receipts of logs, and the place of their own certificate, into what they sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    public: bool = False

    @property
    def subject(self):
        return self.certificate.subject

    def sub(self, text, born="2018-01-01", days=5000, *, public=None):
        own = key(text)
        made = build(name(text), self.subject, own, self.key, born, days, ca=True)
        return Authority(made, own, self.public if public is None else public)

    def leaf(self, subject, names, born, days=90):
        """`names` are those of the subjectAltName."""
        more = {"located": True, "logged": True} if self.public else {}
        own = key(f"{subject}/{names}")
        return build(name(subject), self.subject, own, self.key, born, days, names=names, **more)

    def site(self, host, born, days=90):
        return self.leaf(f"CN={host}", (host,), born, days)

    def again(self, other, born, days):
        """Its certificate as another root signs it."""
        return build(self.subject, other.subject, self.key, other.key, born, days, ca=True, located=True)


def build(subject, issuer, own, signer, born, days, *, names=(), ca=False, **more):
    """A certificate; `more`: serial, issuer_id, located, logged, bare (no extensions but the names)."""
    start = datetime.fromisoformat(born)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(own.public_key())
        .serial_number(more.get("serial") or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )
    for extension, critical in _extensions(own, signer, names, ca, more):
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256())


def _extensions(own, signer, names, ca, more):
    if names:
        yield x509.SubjectAlternativeName([_general(each) for each in names]), False
    if more.get("bare"):
        return
    yield x509.BasicConstraints(ca, None), True
    yield x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False
    yield x509.AuthorityKeyIdentifier(more.get("issuer_id") or key_id(signer), None, None), False
    if more.get("located"):
        place = x509.UniformResourceIdentifier("http://ca.example/1.crt")
        yield x509.AuthorityInformationAccess([x509.AccessDescription(Access.CA_ISSUERS, place)]), False
    if more.get("logged"):
        yield RECEIPTS, False
    if not ca:
        yield x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False


def _general(text):
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@cache
def root(text, born="2015-01-01", days=7300, *, public=False):
    own = key(text)
    return Authority(build(name(text), name(text), own, own, born, days, ca=True), own, public)


@cache
def self_signed(subject, names=(), born="2021-01-01", days=3650, *, bare=False):
    own = key(f"{subject}/{names}")
    return build(name(subject), name(subject), own, own, born, days, names=names, bare=bare)


def pretended(subject, issuer, names, born, days, **more):
    """In the name of somebody whose key nobody here has: an issuer's name, or a certificate of his."""
    if isinstance(issuer, x509.Certificate):
        more["issuer_id"], issuer = key_id(issuer), issuer.subject
    else:
        issuer = name(issuer)
    return build(name(subject), issuer, key(subject), key("nobody's"), born, days, names=names, **more)


def octets(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def text(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)
