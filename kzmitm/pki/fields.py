"""The comparison of single fields of two certificates, for `kzmitm.pki.relations`. Pure; nothing raises."""

import hashlib
from datetime import datetime
from enum import StrEnum

from kzmitm.model.certificate import Certificate
from kzmitm.pki import der
from kzmitm.pki.der import DERError
from kzmitm.pki.parse import dissect

MAX_LOW_BITS = 64
"""A serial number that differs in more low bits than this is another number, not a changed one."""
MIN_COMMON_BITS = 32
"""High bits that must agree before "only the low bits differ" means anything: 2**-32 by chance."""


class SubjectRelation(StrEnum):
    """The forged subject against the genuine one."""

    COPIED = "copied"
    FROM_SNI = "from_sni"
    """The common name is the SNI, the rest is not the genuine name's."""
    REDUCED = "reduced"
    """Some of the genuine attributes, nothing else, in whatever order."""
    REWRITTEN = "rewritten"


class SANRelation(StrEnum):
    """The forged subjectAltName against the genuine one: DNS names and addresses."""

    COPIED = "copied"
    COPIED_PLUS_SNI = "copied_plus_sni"
    COPIED_PLUS_IP = "copied_plus_ip"
    COPIED_PLUS_SNI_AND_IP = "copied_plus_sni_and_ip"
    SNI_ONLY = "sni_only"
    SNI_AND_IP = "sni_and_ip"
    LOST = "lost"
    """There is none at all."""
    REWRITTEN = "rewritten"


class SerialRelation(StrEnum):
    """The forged serial number against the genuine one."""

    EQUAL = "equal"
    LOW_BITS = "low_bits"
    """The high bits agree; `serial_low_bits` says how many low ones may differ."""
    UNRELATED = "unrelated"


class ValidityRelation(StrEnum):
    """The forged validity against the genuine one, to the second."""

    EQUAL = "equal"
    SHIFT = "shift"
    """Both dates moved by the same time, `validity_shift_s`."""
    END_COPIED = "end_copied"
    START_COPIED = "start_copied"
    FRESH = "fresh"


def subject_by_sni(forged: Certificate, sni: str | None) -> SubjectRelation | None:
    """FROM_SNI if the common name is the SNI, else None."""
    name = forged.subject.common_name
    return SubjectRelation.FROM_SNI if sni and name and name.lower() == sni.lower() else None


def subject(forged: Certificate, genuine: Certificate, by_sni: SubjectRelation | None) -> SubjectRelation:
    """How the forged subject relates to the genuine one; `by_sni` from `subject_by_sni`."""
    if forged.subject.attributes == genuine.subject.attributes:
        return SubjectRelation.COPIED
    if set(forged.subject.attributes) <= set(genuine.subject.attributes):
        return SubjectRelation.REDUCED
    return by_sni or SubjectRelation.REWRITTEN


def san_by_sni(forged: Certificate, sni: str | None) -> SANRelation | None:
    """LOST, SNI_ONLY or SNI_AND_IP if so, else None: what the SAN shows without a genuine one."""
    if not forged.san_dns and not forged.san_ip:
        return SANRelation.LOST
    if sni is None or {name.lower() for name in forged.san_dns or ()} != {sni.lower()}:
        return None
    return SANRelation.SNI_AND_IP if forged.san_ip else SANRelation.SNI_ONLY


def san(forged: Certificate, genuine: Certificate, sni: str | None) -> SANRelation:
    """How the forged SAN relates to the genuine one, letter case apart."""
    dns = {name.lower() for name in forged.san_dns or ()}
    genuine_dns = {name.lower() for name in genuine.san_dns or ()}
    extra_ip = set(forged.san_ip or ()) - set(genuine.san_ip or ())
    missing = (genuine_dns - dns) or (set(genuine.san_ip or ()) - set(forged.san_ip or ()))
    by_sni = san_by_sni(forged, sni)
    if by_sni is SANRelation.LOST and (genuine_dns or genuine.san_ip):
        return SANRelation.LOST
    if missing or not dns - genuine_dns <= ({sni.lower()} if sni else set()):
        return by_sni or SANRelation.REWRITTEN
    return {
        (False, False): SANRelation.COPIED,
        (True, False): SANRelation.COPIED_PLUS_SNI,
        (False, True): SANRelation.COPIED_PLUS_IP,
        (True, True): SANRelation.COPIED_PLUS_SNI_AND_IP,
    }[bool(dns - genuine_dns), bool(extra_ip)]


def serial(forged: int, genuine: int) -> tuple[SerialRelation | None, int | None]:
    """The relation, and how many low bits the difference has; None where the genuine number is too short.

    The difference is arithmetic: sslsplit adds a random 32-bit word (ssl.c), whose carry may change any
    number of higher bits.
    """
    if forged == genuine:
        return SerialRelation.EQUAL, None
    if forged < 0 or genuine < 0:
        return SerialRelation.UNRELATED, None
    low_bits = abs(forged - genuine).bit_length()
    if low_bits > MAX_LOW_BITS:
        return SerialRelation.UNRELATED, None
    if genuine.bit_length() - low_bits >= MIN_COMMON_BITS:
        return SerialRelation.LOW_BITS, low_bits
    return None, None


def validity(forged: Certificate, genuine: Certificate) -> tuple[ValidityRelation | None, int | None]:
    """The relation, and the shift in seconds where there is one; None for unknown dates."""
    start = seconds_between(genuine.not_before, forged.not_before)
    end = seconds_between(genuine.not_after, forged.not_after)
    if start is None or end is None:
        return None, None
    match start == 0, end == 0:
        case True, True:
            return ValidityRelation.EQUAL, None
        case True, False:
            return ValidityRelation.START_COPIED, None
        case False, True:
            return ValidityRelation.END_COPIED, None
        case _:
            return (ValidityRelation.SHIFT, start) if start == end else (ValidityRelation.FRESH, None)


def seconds_between(first: datetime | None, second: datetime | None) -> int | None:
    """Whole seconds from the first to the second moment, None if one is unknown."""
    return None if first is None or second is None else int((second - first).total_seconds())


def same_key(one: Certificate, other: Certificate) -> bool | None:
    """Whether both have the same key, None if one has none that could be read."""
    if one.public_key is None or other.public_key is None:
        return None
    return one.public_key.spki_sha256 == other.public_key.spki_sha256


def key_equals_issuer_key(forged: Certificate, issuer: Certificate | None) -> bool | None:
    """By the issuer's key if it was presented, else by the authority key identifier.

    That one proves only equality: an issuer may make its identifier in another way than by SHA-1.
    """
    if issuer is not None:
        return same_key(forged, issuer)
    if forged.authority_key_id is None:
        return None
    return True if _key_identifier(dissect(forged.der).spki) == forged.authority_key_id else None


def _key_identifier(spki: bytes) -> bytes | None:
    """SHA-1 of the key's bits (RFC 5280, 4.2.1.2, method 1); None if there are none."""
    try:
        start, stop = der.whole(spki, der.SEQUENCE)
        _, algorithm_end = der.expect(spki, start, stop, der.SEQUENCE)
        first, last = der.expect(spki, algorithm_end, stop, der.BIT_STRING)
    except DERError:
        return None
    return hashlib.sha1(spki[first + 1 : last], usedforsecurity=False).digest()
