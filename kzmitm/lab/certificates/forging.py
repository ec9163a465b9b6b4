"""How a forged leaf is made from a genuine one: what is copied, shifted, minted and forgotten.

The habits of 2019 are those that Raman et al. measured (IMC 2020, https://doi.org/10.1145/3419394.3423665);
`fingerprints/forgers/kazakhstan-*.toml` says the same from the side of the scan.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from kzmitm.lab.certificates.extensions import authority_key_id, key_usage
from kzmitm.lab.certificates.pki import Credential

SERIAL_BITS = 33
"""A random 32-bit number is added to the serial, so that a carry may reach the 33rd bit."""

MAX_SERIAL_BITS = 159
"""A serial number has 20 octets at most and is positive (RFC 5280, 4.1.2.2)."""


class LeafRule(StrEnum):
    """How an operator made its leaves."""

    EARLY_2019 = "2019-early"
    """17 to about 19 July 2019: RSA-1024, exponent 3; dates six hours earlier."""
    LATE_2019 = "2019-late"
    """Until 7 August 2019: RSA-2048, exponent 3; dates 24 hours earlier."""
    OF_2024 = "2024"
    """2021 to 2024: the genuine dates are all that is known; the rest is as stock products have it."""


@dataclass(frozen=True, slots=True)
class _Habits:
    key_bits: int
    exponent: int
    shift: timedelta
    has_own_extensions: bool


_HABITS: Mapping[LeafRule, _Habits] = {
    LeafRule.EARLY_2019: _Habits(1024, 3, timedelta(hours=6), has_own_extensions=False),
    LeafRule.LATE_2019: _Habits(2048, 3, timedelta(hours=24), has_own_extensions=False),
    LeafRule.OF_2024: _Habits(2048, 65537, timedelta(0), has_own_extensions=True),
}


def new_key(rule: LeafRule) -> rsa.RSAPrivateKey:
    """A fresh key of the rule's kind; takes up to half a second."""
    habits = _HABITS[rule]
    return rsa.generate_private_key(habits.exponent, habits.key_bits)


def forge(
    genuine: x509.Certificate,
    *,
    issuer: Credential,
    rule: LeafRule,
    key: rsa.RSAPrivateKey,
    with_root: bool = False,
) -> Credential:
    """The leaf that stands in for `genuine`, presented with `issuer` and its chain.

    Subject and names come from the genuine certificate, never from the SNI. The self-issued end of the
    chain is left out unless `with_root`. Raises ValueError for a certificate that cannot be copied.
    """
    habits = _HABITS[rule]
    serial = x509.random_serial_number() if habits.has_own_extensions else near_serial(genuine.serial_number)
    builder = (
        x509.CertificateBuilder()
        .subject_name(genuine.subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(genuine.not_valid_before_utc - habits.shift)
        .not_valid_after(genuine.not_valid_after_utc - habits.shift)
    )
    for extension, critical in _extensions(genuine, issuer.certificate, key, habits):
        builder = builder.add_extension(extension, critical=critical)
    certificate = builder.sign(issuer.key, hashes.SHA256())
    sent = (issuer.certificate, *issuer.chain)
    chain = tuple(one for one in sent if with_root or one.subject != one.issuer)
    return Credential(certificate, key, chain)


def near_serial(genuine: int) -> int:
    """A serial number that differs from the genuine one, in its low 33 bits only.

    Numbers that RFC 5280 does not allow are brought into its bounds first.
    """
    allowed = abs(genuine) % (1 << MAX_SERIAL_BITS)
    low = allowed % (1 << SERIAL_BITS)
    other = (low + secrets.randbits(32) + 1) % (1 << SERIAL_BITS)
    return (allowed - low + other) or 1


def _extensions(
    genuine: x509.Certificate, issuer: x509.Certificate, key: rsa.RSAPrivateKey, habits: _Habits
) -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions and whether each is critical."""
    copied: list[tuple[x509.ExtensionType, bool]] = []
    try:
        names = genuine.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        copied.append((names.value, names.critical))
    except (x509.ExtensionNotFound, ValueError):
        pass  # a genuine leaf without names, or with extensions that cannot be read, has none to copy
    if not habits.has_own_extensions:
        return copied
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage(digital_signature=True, key_encipherment=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (authority_key_id(issuer), False),
        *copied,
    ]
