"""Extensions of the laboratory's certificates (RFC 5280, 4.2)."""

import ipaddress

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

DOMAIN = "test"
"""What the CAs are held to. RFC 6761 reserves `.test`: no resolver of the Internet answers for it."""

PERMITTED_NETWORKS = ("127.0.0.0/8", "203.0.113.0/24", "198.51.100.0/24", "::1/128", "fd77::/16")
"""Loopback, and the addresses of the network of namespaces.

Only these and not "no address at all": mitmproxy puts the address it relays to into the leaf.
"""

COMMENT = "kzmitm LAB ONLY - not real, trust nothing signed by this!"
NETSCAPE_COMMENT = x509.ObjectIdentifier("2.16.840.1.113730.1.13")
DOMAIN_VALIDATED = x509.ObjectIdentifier("2.23.140.1.2.1")
"""CA/Browser Forum Baseline Requirements, 7.1.6.1."""
SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
"""RFC 6962, 3.3."""


def name_constraints() -> x509.NameConstraints:
    networks = [x509.IPAddress(ipaddress.ip_network(network)) for network in PERMITTED_NETWORKS]
    return x509.NameConstraints(permitted_subtrees=[x509.DNSName(DOMAIN), *networks], excluded_subtrees=None)


def ia5_string(text: str) -> bytes:
    """DER of a short IA5String (X.690, 8.23); under 128 octets."""
    return bytes((0x16, len(text))) + text.encode("ascii")


def authority_key_id(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """The issuer's own key identifier, or what it would be where it has none."""
    try:
        key_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        key_id = x509.SubjectKeyIdentifier.from_public_key(issuer.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)


def authority_access(ocsp: str, issuers: str) -> x509.AuthorityInformationAccess:
    return x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp)),
            x509.AccessDescription(
                AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuers)
            ),
        ]
    )


def crl(url: str) -> x509.CRLDistributionPoints:
    location = [x509.UniformResourceIdentifier(url)]
    return x509.CRLDistributionPoints([x509.DistributionPoint(location, None, None, None)])


def leaf_key_usage() -> x509.KeyUsage:
    return key_usage(digital_signature=True)


def ca_key_usage() -> x509.KeyUsage:
    return key_usage(key_cert_sign=True, crl_sign=True)


def key_usage(**asserted: bool) -> x509.KeyUsage:
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
