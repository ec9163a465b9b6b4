"""The strict profile: what RFC 5280, 4 and the Baseline Requirements demand of issuers.

A relying party is no safer for refusing these, and private CAs break them daily (a leaf of `openssl
x509 -req` has no key identifiers), so only suites and audits ask for it. One function per rule.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kzmitm.pki import extensions as ext
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.constraints import read_name_constraints
from kzmitm.pki.der import DERError
from kzmitm.pki.report import Purpose

MAX_SERIAL_OCTETS = 20
"""RFC 5280, 4.1.2.2."""

TLS_PURPOSES = frozenset((Purpose.SERVER.value, Purpose.CLIENT.value))
STRONG_CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True, slots=True)
class Place:
    """A certificate in its place on a path."""

    parts: Anatomy
    is_leaf: bool
    is_anchor: bool

    def critical(self, oid: str) -> bool | None:
        """Whether an extension is critical; None if there is none."""
        return next((critical for o, critical in self.parts.certificate.extensions if o == oid), None)


Rule = Callable[[Place], bool]
"""True if the rule is broken."""


def serial(place: Place) -> bool:
    """RFC 5280, 4.1.2.2: positive, at most 20 octets. Zero is an anchor's sin of old and harms no one."""
    number = place.parts.certificate.serial
    return number <= 0 or number.bit_length() > MAX_SERIAL_OCTETS * 8 - 1


def key_strength(place: Place) -> bool:
    """Baseline Requirements, 6.1.5: RSA of 2048 bits or more in whole octets, NIST curves, nothing else."""
    key = place.parts.certificate.public_key
    if key is not None and key.kind == "rsa":
        return key.bits < 2048 or key.bits % 8 != 0
    return key is None or (key.kind != "other" and key.curve not in STRONG_CURVES)


def basic_constraints(place: Place) -> bool:
    """RFC 5280, 4.2.1.9: critical in CAs; Baseline Requirements, 7.1.2.7.8: no CA as leaf."""
    if place.is_leaf:
        return place.parts.certificate.is_ca and not place.is_anchor
    return place.critical(ext.BASIC_CONSTRAINTS) is not True


def key_usage(place: Place) -> bool:
    """RFC 5280, 4.2.1.9: keyCertSign for CAs only."""
    usage = place.parts.certificate.key_usage
    return usage is not None and "key_cert_sign" in usage and not place.parts.certificate.is_ca


def subject_key_id(place: Place) -> bool:
    """RFC 5280, 4.2.1.2: in every CA certificate."""
    return not place.is_leaf and place.parts.certificate.subject_key_id is None


def authority_key_id(place: Place) -> bool:
    """RFC 5280, 4.2.1.1: a key identifier in all but self-signed certificates.

    In roots the identifier alone, and equal to the subject's (Baseline Requirements, 7.1.2.1.3).
    """
    certificate = place.parts.certificate
    value = place.parts.values.get(ext.AUTHORITY_KEY_ID)
    if value is None:
        return not (place.is_anchor and certificate.is_self_issued)
    if certificate.authority_key_id is None:
        return True
    if not (place.is_anchor and certificate.is_self_issued):
        return False
    return certificate.authority_key_id != certificate.subject_key_id or ext.read_authority_key_id(value)[1]


def alt_names(place: Place) -> bool:
    """RFC 5280, 4.2.1.6 and Baseline Requirements, 7.1.2.7.12: critical if there is no subject, else not."""
    critical = place.critical(ext.SUBJECT_ALT_NAME)
    return (
        place.is_leaf
        and critical is not None
        and critical == bool(place.parts.certificate.subject.attributes)
    )


def host_names(place: Place) -> bool:
    """RFC 5280, 4.2.1.6: a dNSName in the preferred name syntax, which knows no underscore."""
    return any("_" in name for name in place.parts.certificate.san_dns or ())


def common_name(place: Place) -> bool:
    """Baseline Requirements, 7.1.4.3: a leaf's common name is one of its alternative names, to the letter."""
    certificate = place.parts.certificate
    name = certificate.subject.common_name
    if not place.is_leaf or certificate.is_ca or name is None or certificate.san_dns is None:
        return False
    return name not in certificate.san_dns and name not in (certificate.san_ip or ())


def ext_key_usage(place: Place) -> bool:
    """Baseline Requirements, 7.1.2.1.2 and 7.1.2.7.10: none in roots; in leaves TLS alone, uncritical."""
    purposes = place.parts.certificate.ext_key_usage
    if place.is_leaf:
        return purposes is None or not purposes <= TLS_PURPOSES or place.critical(ext.EXT_KEY_USAGE) is True
    return place.is_anchor and purposes is not None


def name_constraints(place: Place) -> bool:
    """RFC 5280, 4.2.1.10: a dNSName without a leading dot."""
    value = place.parts.values.get(ext.NAME_CONSTRAINTS)
    if value is None:
        return False
    try:
        return read_name_constraints(value).has_leading_dot
    except DERError:
        return True


def policy_constraints(place: Place) -> bool:
    """RFC 5280, 4.2.1.11 and 4.2.1.14: critical."""
    return place.critical(ext.POLICY_CONSTRAINTS) is False or place.critical(ext.INHIBIT_ANY_POLICY) is False


def version(place: Place) -> bool:
    """Baseline Requirements, 7.1.1: version 3."""
    return place.parts.certificate.version != 3


RULES: tuple[Rule, ...] = (
    serial,
    key_strength,
    basic_constraints,
    key_usage,
    subject_key_id,
    authority_key_id,
    alt_names,
    host_names,
    common_name,
    ext_key_usage,
    name_constraints,
    policy_constraints,
    version,
)


def path_faults(path: Sequence[Anatomy], *, anchored: bool = True) -> list[str]:
    """The codes (`profile_` and the rule's name) of the rules that a path breaks, leaf first."""
    top = len(path) - 1
    places = [Place(parts, n == 0, anchored and n == top) for n, parts in enumerate(path)]
    return [f"profile_{rule.__name__}" for rule in RULES if any(rule(place) for place in places)]
