"""What a root may not do by its own certificate, and what is weak about it, as short codes.

Programs differ in what they honour of a root: RFC 5280, 6.1.1 (d) takes of an anchor its name and key only,
OpenSSL and Windows also apply its constraints. So these are shown, and never turn an alarm into none.
"""

from datetime import datetime
from enum import StrEnum

from kzmitm.model.certificate import Certificate, PublicKey
from kzmitm.pki.extensions import NAME_CONSTRAINTS

MIN_RSA_BITS = 2048
"""Baseline Requirements of the CA/Browser Forum, 6.1.5."""
MIN_CURVE_BITS = 224

_SERVER_PURPOSES = frozenset({"1.3.6.1.5.5.7.3.1", "2.5.29.37.0"})
_WEAK_SIGNATURES = frozenset(
    {
        "1.2.840.113549.1.1.2",  # md2WithRSAEncryption (RFC 3279)
        "1.2.840.113549.1.1.4",  # md5WithRSAEncryption
        "1.2.840.113549.1.1.5",  # sha1WithRSAEncryption
        "1.3.14.3.2.29",  # sha1WithRSASignature of OIW, as eDellRoot has it
        "1.2.840.10040.4.3",  # dsa-with-sha1
        "1.2.840.10045.4.1",  # ecdsa-with-SHA1
    }
)


class Limit(StrEnum):
    """A limit or a weakness of a root."""

    NAME_CONSTRAINTS = "name_constraints"
    """It may sign for some names only (RFC 5280, 4.2.1.10)."""
    EXT_KEY_USAGE = "ext_key_usage"
    """It may be used for some purposes only; servers are among them."""
    NO_SERVER_AUTH = "no_server_auth"
    """It may be used for some purposes only, and not for servers."""
    PATH_LENGTH = "path_length"
    """The number of authorities below it is limited."""
    NOT_CA = "not_ca"
    """It is not marked as an authority, so most programs accept it for itself only, if at all."""
    EXPIRED = "expired"
    """Its time is over; some programs do not look at the dates of a root."""
    NOT_YET_VALID = "not_yet_valid"
    WEAK_KEY = "weak_key"
    """Shorter than 2048 bits of RSA, or 224 of a curve."""
    WEAK_SIGNATURE = "weak_signature"
    """Made with MD2, MD5 or SHA-1; of a self-signed root nobody checks it."""
    MALFORMED = "malformed"
    """It breaks the rules of its format, so that programs may read it differently."""


def limits_of(certificate: Certificate, now: datetime | None) -> tuple[str, ...]:
    """The codes of what holds, in the order of `Limit`; of the dates only if `now` is given."""
    is_whole = certificate.parse_error is None
    holds = {
        Limit.NAME_CONSTRAINTS: any(oid == NAME_CONSTRAINTS for oid, _ in certificate.extensions),
        **_purposes(certificate.ext_key_usage),
        Limit.PATH_LENGTH: certificate.path_length is not None,
        # Version 1 has no way to say it, and old roots are of that version.
        Limit.NOT_CA: is_whole and not certificate.is_ca and certificate.version == 3,
        **_dates(certificate, now),
        Limit.WEAK_KEY: _is_weak(certificate.public_key),
        Limit.WEAK_SIGNATURE: certificate.signature_algorithm in _WEAK_SIGNATURES,
        Limit.MALFORMED: not is_whole,
    }
    return tuple(limit.value for limit in Limit if holds[limit])


def _purposes(purposes: frozenset[str] | None) -> dict[Limit, bool]:
    is_limited = purposes is not None
    for_servers = purposes is None or not purposes.isdisjoint(_SERVER_PURPOSES)
    return {
        Limit.EXT_KEY_USAGE: is_limited and for_servers,
        Limit.NO_SERVER_AUTH: not for_servers,
    }


def _dates(certificate: Certificate, now: datetime | None) -> dict[Limit, bool]:
    start, end = certificate.not_before, certificate.not_after
    return {
        Limit.EXPIRED: now is not None and end is not None and end < now,
        Limit.NOT_YET_VALID: now is not None and start is not None and start > now,
    }


def _is_weak(key: PublicKey | None) -> bool:
    if key is None:
        return False
    return key.bits < {"rsa": MIN_RSA_BITS, "dsa": MIN_RSA_BITS, "ec": MIN_CURVE_BITS}.get(key.kind, 0)
