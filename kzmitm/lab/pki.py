"""Certificates of the laboratory: a small public CA, and a look-alike of the Kazakh chain of 2019.

Everything is made on the spot with fresh keys that are only ever in memory or in the laboratory's private
directory. Every CA is name-constrained (critical; `.test` names and loopback addresses only) and says in its
names and in a Netscape comment that it is not real, so that a copy that escapes is of no use to anyone.
"""

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from kzmitm.lab.sct import sct_list

DOMAIN = "test"
"""What the CAs are held to. RFC 6761 reserves `.test`: no resolver of the Internet answers for it."""

PERMITTED_NETWORKS = ("127.0.0.0/8", "::1/128")
"""Only these and not "no address at all": mitmproxy puts the address it relays to into the leaf."""

COMMENT = "kzmitm LAB ONLY - not real, trust nothing signed by this!"
NETSCAPE_COMMENT = x509.ObjectIdentifier("2.16.840.1.113730.1.13")
DOMAIN_VALIDATED = x509.ObjectIdentifier("2.23.140.1.2.1")
"""CA/Browser Forum Baseline Requirements, 7.1.6.1."""
SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
"""RFC 6962, 3.3."""

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
    oids = {"C": NameOID.COUNTRY_NAME, "O": NameOID.ORGANIZATION_NAME, "CN": NameOID.COMMON_NAME}
    return x509.Name([x509.NameAttribute(oids[key], value) for key, value in attributes.items()])


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What a leaf of the public CA shall say; None stands for the ordinary value."""

    hostname: str
    """Whose site it is."""
    certified: str | None = None
    """The name in it, if another one."""
    not_before: datetime | None = None
    not_after: datetime | None = None


class PublicCA:
    """The laboratory's own Web PKI: a root, an issuing CA and leaves like those of real sites."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._log_key = ec_key()
        self.root = make_ca(
            distinguished_name(C="ZZ", O="kzmitm LAB", CN="Lab Public Root X1"), key=ec_key(), now=now
        )
        self.issuing = make_ca(
            distinguished_name(C="ZZ", O="kzmitm LAB", CN="Lab Issuing R3"),
            key=ec_key(),
            now=now,
            issuer=self.root,
        )

    @property
    def store_pem(self) -> bytes:
        """What the scan pins in place of the public roots."""
        return pem(self.root.certificate)

    def issue(self, leaf: Leaf) -> Credential:
        """A leaf as a public CA of today makes them: ECDSA, 90 days, AIA, CRL, policy, two SCTs."""
        key = ec_key()
        name = leaf.certified or leaf.hostname
        not_before = leaf.not_before or self._now - LEAF_AGE
        builder = _builder(
            subject=distinguished_name(CN=name),
            issuer=self.issuing.certificate.subject,
            key=key,
            validity=(not_before, leaf.not_after or not_before + LEAF_LIFETIME),
            serial=x509.random_serial_number(),
        )
        for extension, critical in (
            (_leaf_key_usage(), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (_authority_key_id(self.issuing), False),
            (_access("http://r3.o.lab.test", "http://r3.i.lab.test/"), False),
            (x509.SubjectAlternativeName([x509.DNSName(name)]), False),
            (x509.CertificatePolicies([x509.PolicyInformation(DOMAIN_VALIDATED, None)]), False),
            (_crl("http://r3.c.lab.test/1.crl"), False),
            (x509.UnrecognizedExtension(SCT_LIST, sct_list(self._log_key, not_before)), False),
        ):
            builder = builder.add_extension(extension, critical=critical)
        certificate = builder.sign(self.issuing.key, hashes.SHA256())
        return Credential(certificate, key, (self.issuing.certificate,))

    def self_signed(self, hostname: str) -> Credential:
        """What `openssl req -x509` leaves on a server that nobody looked after."""
        key = ec_key()
        name = distinguished_name(CN=hostname)
        builder = _builder(
            subject=name,
            issuer=name,
            key=key,
            validity=(self._now - LEAF_AGE, self._now - LEAF_AGE + LEAF_LIFETIME),
        )
        san = x509.SubjectAlternativeName([x509.DNSName(hostname)])
        certificate = builder.add_extension(san, critical=False).sign(key, hashes.SHA256())
        return Credential(certificate, key)


class LookAlikeCA:
    """A chain with the look of the Kazakh one of 2019: Qaznet Trust Network, Security Certificate.

    RSA throughout, as the interceptors need it. The root has 2048 bits where the real one has 4096:
    nothing that is shown depends on it, and it is made eight times faster.
    """

    def __init__(self, now: datetime) -> None:
        marks = {"C": "KZ", "O": "LAB LOOK-ALIKE"}
        self.root = make_ca(distinguished_name(**marks, CN="Qaznet Trust Network"), key=rsa_key(), now=now)
        self.intermediate = make_ca(
            distinguished_name(**marks, CN="Security Certificate"),
            key=rsa_key(),
            now=now,
            issuer=self.root,
        )

    def forge(self, genuine: x509.Certificate) -> Credential:
        """A leaf as in 2019 (Raman et al., IMC 2020), presented with the intermediate but not the root.

        Subject and names are copied, all else is dropped; RSA with exponent 3; the serial differs in its
        low 33 bits; the validity lies 24 hours earlier.
        """
        key = rsa_key(exponent=3)
        shift = timedelta(hours=24)
        builder = _builder(
            subject=genuine.subject,
            issuer=self.intermediate.certificate.subject,
            key=key,
            validity=(genuine.not_valid_before_utc - shift, genuine.not_valid_after_utc - shift),
            serial=genuine.serial_number + secrets.randbits(32) + 1,
        )
        names = genuine.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        certificate = builder.add_extension(names, critical=False).sign(
            self.intermediate.key, hashes.SHA256()
        )
        return Credential(certificate, key, (self.intermediate.certificate,))


def make_ca(
    subject: x509.Name, *, key: PrivateKey, now: datetime, issuer: Credential | None = None
) -> Credential:
    """A name-constrained CA that says that it is the laboratory's; self-signed without an issuer."""
    not_before = now - timedelta(days=1)
    builder = _builder(
        subject=subject,
        issuer=issuer.certificate.subject if issuer else subject,
        key=key,
        validity=(not_before, not_before + CA_LIFETIME),
    )
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=True, path_length=0 if issuer else None), True),
        (_ca_key_usage(), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (_name_constraints(), True),
        (x509.UnrecognizedExtension(NETSCAPE_COMMENT, _ia5_string(COMMENT)), False),
    ]
    if issuer:
        extensions.append((_authority_key_id(issuer), False))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    certificate = builder.sign((issuer.key if issuer else key), hashes.SHA256())
    return Credential(certificate, key, (*issuer.chain, issuer.certificate) if issuer else ())


def _builder(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    validity: Sequence[datetime],
    serial: int | None = None,
) -> x509.CertificateBuilder:
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


def _name_constraints() -> x509.NameConstraints:
    networks = [x509.IPAddress(ipaddress.ip_network(network)) for network in PERMITTED_NETWORKS]
    return x509.NameConstraints(permitted_subtrees=[x509.DNSName(DOMAIN), *networks], excluded_subtrees=None)


def _ia5_string(text: str) -> bytes:
    """DER of a short IA5String (X.690, 8.23); under 128 octets."""
    return bytes((0x16, len(text))) + text.encode("ascii")


def _authority_key_id(issuer: Credential) -> x509.AuthorityKeyIdentifier:
    key_id = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)


def _access(ocsp: str, issuers: str) -> x509.AuthorityInformationAccess:
    access = x509.AccessDescription
    return x509.AuthorityInformationAccess(
        [
            access(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp)),
            access(AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuers)),
        ]
    )


def _crl(url: str) -> x509.CRLDistributionPoints:
    location = [x509.UniformResourceIdentifier(url)]
    return x509.CRLDistributionPoints([x509.DistributionPoint(location, None, None, None)])


def _leaf_key_usage() -> x509.KeyUsage:
    return _key_usage(digital_signature=True)


def _ca_key_usage() -> x509.KeyUsage:
    return _key_usage(key_cert_sign=True, crl_sign=True)


def _key_usage(**asserted: bool) -> x509.KeyUsage:
    bits = (
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
    return x509.KeyUsage(**{bit: asserted.get(bit, False) for bit in bits})
