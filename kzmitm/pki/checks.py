"""The rules of a path that are no matter of time: RFC 5280, 6.1, and what browsers add to it.

Each function gives the codes (`kzmitm.pki.report.REASONS`) of the rules that are broken, all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kzmitm.model.certificate import Certificate
from kzmitm.pki import extensions as ext
from kzmitm.pki import strict
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.constraints import read_name_constraints, violates
from kzmitm.pki.der import DERError
from kzmitm.pki.policies import breaks_policy
from kzmitm.pki.report import Profile, Purpose
from kzmitm.pki.signatures import is_weak

CRL_DISTRIBUTION_POINTS = "2.5.29.31"

PROCESSED = frozenset(
    (
        ext.BASIC_CONSTRAINTS,
        ext.KEY_USAGE,
        ext.EXT_KEY_USAGE,
        ext.SUBJECT_ALT_NAME,
        ext.NAME_CONSTRAINTS,
        ext.CERTIFICATE_POLICIES,
        ext.POLICY_MAPPINGS,
        ext.POLICY_CONSTRAINTS,
        ext.INHIBIT_ANY_POLICY,
        CRL_DISTRIBUTION_POINTS,  # revocation is out of our scope by design, not by ignorance
    )
)
"""The extensions that may be critical. Key identifiers and information access may not (RFC 5280,
4.2.1.1, 4.2.1.2, 4.2.2.1), and here they are hints: whoever makes one critical wants more of us."""

ANY_PURPOSE = "2.5.29.37.0"

MIN_RSA_BITS = 1024
"""Below this a path is refused (as by Go and Chrome); below STRONG_RSA_BITS it is only reported."""
MIN_EC_BITS = 224
"""The smallest curve that Go takes."""
STRONG_RSA_BITS = 2048
"""Baseline Requirements, 6.1.5; under the strict profile a shorter key breaks the path."""

NO_FAULTS: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """By which rules a path is judged; `max_intermediates` does not count self-issued ones."""

    purpose: Purpose = Purpose.SERVER
    profile: Profile = Profile.WEB
    max_intermediates: int | None = None


def path_faults(path: Sequence[Anatomy], rules: Rules, *, anchored: bool = True) -> tuple[str, ...]:
    """The rules that a path (leaf first) breaks. With `anchored` its last certificate is an anchor."""
    faults = certificate_faults(path[0], rules, signed=len(path) > 1 or not anchored)
    if ext.NAME_CONSTRAINTS in path[0].values and not path[0].certificate.is_ca:
        faults.append("name_constraint")  # RFC 5280, 4.2.1.10: in CAs only
    top = len(path) - 1
    below = 0  # intermediates under the issuer at hand that count for path lengths
    for number in range(1, top + 1):
        parts = path[number]
        issuer = parts.certificate
        is_anchor = anchored and number == top
        faults.extend(issuer_faults(parts, rules, is_anchor=is_anchor))
        if issuer.path_length is not None and below > issuer.path_length:
            faults.append("path_length")
        if ext.NAME_CONSTRAINTS in parts.values:
            faults.extend(_constraint_faults(path, number))
        if not (is_anchor or issuer.is_self_issued):
            below += 1
    if rules.max_intermediates is not None and below > rules.max_intermediates:
        faults.append("too_long")
    if breaks_policy(path, anchored=anchored):
        faults.append("policy")
    if rules.profile is Profile.STRICT:
        faults.extend(strict.path_faults(path, anchored=anchored))
    return tuple(dict.fromkeys(faults)) if faults else NO_FAULTS


def certificate_faults(parts: Anatomy, rules: Rules, *, signed: bool) -> list[str]:
    """What is wrong with any certificate of a path; `signed`: its own signature carries trust."""
    certificate = parts.certificate
    faults = list(parts.defects)
    if not parts.algorithms_agree:
        faults.append("signature_algorithm_mismatch")
    if signed and is_weak(parts.algorithm):
        faults.append("weak_signature")
    for oid, critical in certificate.extensions:
        if critical and oid not in PROCESSED:
            faults.append("critical_extension")
    purposes = certificate.ext_key_usage
    if purposes is not None and rules.purpose.value not in purposes and ANY_PURPOSE not in purposes:
        faults.append("ext_key_usage")
    if certificate.key_usage is not None and not certificate.key_usage:
        faults.append("key_usage")  # RFC 5280, 4.2.1.3: at least one bit
    if has_unusable_key(certificate):
        faults.append("weak_key")
    return faults


def issuer_faults(parts: Anatomy, rules: Rules, *, is_anchor: bool) -> list[str]:
    """What is wrong with a certificate that signs others."""
    issuer = parts.certificate
    faults = certificate_faults(parts, rules, signed=not is_anchor)
    if not issuer.is_ca and not (is_anchor and issuer.version == 1):  # an anchor is a CA by decree
        faults.append("not_a_ca")
    if issuer.key_usage is not None and "key_cert_sign" not in issuer.key_usage:
        faults.append("key_usage")
    if not issuer.subject.attributes:
        faults.append("empty_subject")
    return faults


def has_unusable_key(certificate: Certificate) -> bool:
    """True for a key that no browser takes: short RSA or EC, DSA, a curve of the holder's own making.

    Explicit curve parameters are forbidden by RFC 5480, 2.1.1, and let anyone own a CA's key
    (CVE-2020-0601).
    """
    key = certificate.public_key
    if key is None or key.kind == "dsa":
        return True
    if key.kind == "ec":
        return key.curve is None or key.bits < MIN_EC_BITS
    return key.kind == "rsa" and key.bits < MIN_RSA_BITS


def has_weak_key(parts: Anatomy) -> bool:
    """True for a key below today's minimum; a reason to report, not to refuse."""
    key = parts.certificate.public_key
    return key is not None and key.kind == "rsa" and key.bits < STRONG_RSA_BITS


def _constraint_faults(path: Sequence[Anatomy], number: int) -> tuple[str, ...]:
    try:
        constraints = read_name_constraints(path[number].values[ext.NAME_CONSTRAINTS])
    except DERError:
        return ("malformed_extension", "name_constraint")
    below = ((path[index], index == 0) for index in range(number))
    return ("name_constraint",) if violates(below, constraints) else ()
