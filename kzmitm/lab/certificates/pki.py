"""Certificates of the laboratory's own Web PKI, and how its CAs are kept harmless.

Everything is made on the spot with fresh keys that are only ever in memory. Every CA is name-constrained
(critical; `.test` names and addresses of the laboratory only) and says in its
names and in a Netscape comment that it is not real, so that a copy that escapes is of no use to anyone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kzmitm.lab.certificates import extensions
from kzmitm.lab.certificates.sct import sct_list

CA_LIFETIME = timedelta(days=7)
LEAF_LIFETIME = timedelta(days=90)
LEAF_AGE = timedelta(days=10)

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate with its private key and the CA certificates that are presented after it."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return pem(self.certificate)

    @property
    def presented(self) -> tuple[bytes, ...]:
        """DER of all that a server shows, the leaf first."""
        issuers = (certificate.public_bytes(serialization.Encoding.DER) for certificate in self.chain)
        return (self.der, *issuers)

    @property
    def chain_pem(self) -> bytes:
        """The CA certificates after the first one."""
        return b"".join(pem(certificate) for certificate in self.chain)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key(exponent: int = 65537) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(exponent, 2048)


def distinguished_name(**attributes: str) -> x509.Name:
    """A name of the attributes in the order given, by their short names (`C`, `O`, `CN`)."""
    oids = {
        "C": NameOID.COUNTRY_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "CN": NameOID.COMMON_NAME,
    }
    return x509.Name([x509.NameAttribute(oids[key], value) for key, value in attributes.items()])


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What a leaf of the public CA shall say; None stands for the ordinary value."""

    hostname: str
    """Whose site it is."""
    certified: str | None = None
    """The name in it, if another one."""
    more: tuple[str, ...] = ()
    """Names besides."""
    not_before: datetime | None = None
    not_after: datetime | None = None
    is_rsa: bool = False
    """RSA with 2048 bits, the twin that CDNs keep for old clients, instead of P-256."""
    is_logged: bool = True
    """With timestamps of two logs, as browsers ask for."""


class PublicCA:
    """A Web PKI of the laboratory's own: a root, an issuing CA and leaves like those of real sites."""

    def __init__(
        self,
        now: datetime,
        *,
        organization: str = "kzmitm LAB",
        root: str = "Lab Public Root X1",
        issuing: str = "Lab Issuing R3",
    ) -> None:
        self._now = now
        self._log_key = ec_key()
        whose = {"C": "ZZ", "O": organization}
        self.root = make_ca(distinguished_name(**whose, CN=root), key=ec_key(), now=now)
        self.issuing = make_ca(
            distinguished_name(**whose, CN=issuing), key=ec_key(), now=now, issuer=self.root
        )

    @property
    def store_pem(self) -> bytes:
        """What the scan pins in place of the public roots."""
        return pem(self.root.certificate)

    def issue(self, leaf: Leaf) -> Credential:
        """A leaf as a public CA of today makes them: 90 days, AIA, CRL, policy, two SCTs."""
        key = rsa_key() if leaf.is_rsa else ec_key()
        name = leaf.certified or leaf.hostname
        not_before = leaf.not_before or self._now - LEAF_AGE
        builder = certificate_builder(
            subject=distinguished_name(CN=name),
            issuer=self.issuing.certificate.subject,
            key=key,
            validity=(not_before, leaf.not_after or not_before + LEAF_LIFETIME),
        )
        for extension, critical in self._extensions(
            (name, *leaf.more), key, not_before, is_logged=leaf.is_logged
        ):
            builder = builder.add_extension(extension, critical=critical)
        certificate = builder.sign(self.issuing.key, hashes.SHA256())
        return Credential(certificate, key, (self.issuing.certificate,))

    def _extensions(
        self, names: Sequence[str], key: PrivateKey, issued_at: datetime, *, is_logged: bool
    ) -> Iterator[tuple[x509.ExtensionType, bool]]:
        yield extensions.leaf_key_usage(), True
        yield x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False
        yield x509.BasicConstraints(ca=False, path_length=None), True
        yield x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
        yield extensions.authority_key_id(self.issuing.certificate), False
        yield extensions.authority_access("http://r3.o.lab.test", "http://r3.i.lab.test/"), False
        yield x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False
        yield x509.CertificatePolicies([x509.PolicyInformation(extensions.DOMAIN_VALIDATED, None)]), False
        yield extensions.crl("http://r3.c.lab.test/1.crl"), False
        if is_logged:
            yield x509.UnrecognizedExtension(extensions.SCT_LIST, sct_list(self._log_key, issued_at)), False

    def self_signed(self, hostname: str) -> Credential:
        """What `openssl req -x509` leaves on a server that nobody looked after."""
        key = ec_key()
        name = distinguished_name(CN=hostname)
        builder = certificate_builder(
            subject=name,
            issuer=name,
            key=key,
            validity=(self._now - LEAF_AGE, self._now - LEAF_AGE + LEAF_LIFETIME),
        )
        san = x509.SubjectAlternativeName([x509.DNSName(hostname)])
        certificate = builder.add_extension(san, critical=False).sign(key, hashes.SHA256())
        return Credential(certificate, key)


def make_ca(
    subject: x509.Name,
    *,
    key: PrivateKey,
    now: datetime,
    issuer: Credential | None = None,
    ended: timedelta = timedelta(),
) -> Credential:
    """A name-constrained CA that says that it is the laboratory's; self-signed without an issuer.

    It runs out in six days, or ran out `ended` ago.
    """
    not_before = now - timedelta(days=1) if not ended else now - ended - CA_LIFETIME
    builder = certificate_builder(
        subject=subject,
        issuer=issuer.certificate.subject if issuer else subject,
        key=key,
        validity=(not_before, not_before + CA_LIFETIME),
    )
    for extension, critical in _ca_extensions(key, issuer):
        builder = builder.add_extension(extension, critical=critical)
    certificate = builder.sign((issuer.key if issuer else key), hashes.SHA256())
    return Credential(certificate, key, (*issuer.chain, issuer.certificate) if issuer else ())


def _ca_extensions(key: PrivateKey, issuer: Credential | None) -> Iterator[tuple[x509.ExtensionType, bool]]:
    comment = extensions.ia5_string(extensions.COMMENT)
    yield x509.BasicConstraints(ca=True, path_length=0 if issuer else None), True
    yield extensions.ca_key_usage(), True
    yield x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
    yield extensions.name_constraints(), True
    yield x509.UnrecognizedExtension(extensions.NETSCAPE_COMMENT, comment), False
    if issuer:
        yield extensions.authority_key_id(issuer.certificate), False


def certificate_builder(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    validity: Sequence[datetime],
    serial: int | None = None,
) -> x509.CertificateBuilder:
    """A certificate without extensions, not signed yet; `validity` is its first and its last moment."""
    not_before, not_after = validity
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() if serial is None else serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
