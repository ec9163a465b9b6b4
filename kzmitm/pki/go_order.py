"""OONI's single failure string, and the one certificate its engine keeps: Go's order of judgement.

Go (crypto/x509, Certificate.Verify) stops at the first of: critical extension and time of the leaf,
host name, path building (an issuer's own error, or nobody known), then name constraints and purposes.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from kzmitm.model.certificate import Certificate
from kzmitm.model.failure import Failure
from kzmitm.pki.report import NameStatus, PathReport, PathStatus, TimeStatus

UNPARSABLE = "unknown_failure: tls: failed to parse certificate from server"
NO_CERTIFICATE = "unknown_failure: tls: received empty certificates message"
CRITICAL_EXTENSION = "unknown_failure: tls: failed to verify certificate: x509: unhandled critical extension"

NOT_AN_ISSUER = frozenset(
    ("not_a_ca", "key_usage", "bad_signature", "weak_signature", "unsupported_signature", "weak_key")
)
"""Reasons for which Go does not take a certificate as the issuer at all, so that nobody known is left."""

Verdict = tuple[str, Certificate]


def go_verdict(report: PathReport, walked: Sequence[Certificate], now: datetime) -> Verdict:
    """Failure and stored certificate of an untrusted chain. `walked` is the best path there is."""
    leaf = walked[0]
    if "unparsable" in report.reasons:
        return UNPARSABLE, leaf
    if report.time is not TimeStatus.VALID:
        return Failure.SSL_INVALID_CERTIFICATE.value, leaf
    if report.name not in (NameStatus.MATCH, NameStatus.UNKNOWN):
        return Failure.SSL_INVALID_HOSTNAME.value, leaf
    return _path_verdict(report, walked, now)


def _path_verdict(report: PathReport, walked: Sequence[Certificate], now: datetime) -> Verdict:
    for child, issuer in pairwise(walked):
        if not may_sign(issuer):
            return Failure.SSL_UNKNOWN_AUTHORITY.value, child
        if not is_current(issuer, now):
            return Failure.SSL_INVALID_CERTIFICATE.value, issuer
    if "critical_extension" in report.reasons:
        return CRITICAL_EXTENSION, walked[0]
    if report.path is PathStatus.INVALID and NOT_AN_ISSUER.isdisjoint(report.reasons):
        return Failure.SSL_INVALID_CERTIFICATE.value, walked[0]
    return Failure.SSL_UNKNOWN_AUTHORITY.value, walked[-1]


def may_sign(issuer: Certificate) -> bool:
    """True if Go takes this certificate as an issuer: a CA, or of a version that could not say so."""
    if issuer.key_usage is not None and "key_cert_sign" not in issuer.key_usage:
        return False
    return issuer.is_ca or issuer.version < 3


def is_current(certificate: Certificate, now: datetime) -> bool:
    """True if `now` is in the validity of a certificate, both ends included."""
    return (
        certificate.not_before is not None
        and certificate.not_after is not None
        and certificate.not_before <= now <= certificate.not_after
    )
