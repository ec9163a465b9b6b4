"""How a forged leaf relates to the genuine one, field by field: exact facts with names, nothing judged.

Interceptors leave habits behind: what they copy, shift, mint and forget (detection science, 3.3). Where no
genuine leaf is known, the relations that the forged one shows by itself remain; None = could not be told.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from kzmitm.model.certificate import Certificate, Name
from kzmitm.pki import der
from kzmitm.pki.der import DERError
from kzmitm.pki.parse import dissect

MAX_LOW_BITS = 64
"""A serial number that differs in more low bits than this is another number, not a changed one."""
MIN_COMMON_BITS = 32
"""High bits that must agree before "only the low bits differ" means anything: 2**-32 by chance."""


class SubjectRelation(StrEnum):
    COPIED = "copied"
    FROM_SNI = "from_sni"
    """The common name is the SNI, the rest is not the genuine name's."""
    REDUCED = "reduced"
    """Some of the genuine attributes, nothing else, in whatever order."""
    REWRITTEN = "rewritten"


class SANRelation(StrEnum):
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
    EQUAL = "equal"
    LOW_BITS = "low_bits"
    """The high bits agree; `serial_low_bits` says how many low ones may differ."""
    UNRELATED = "unrelated"


class ValidityRelation(StrEnum):
    EQUAL = "equal"
    SHIFT = "shift"
    """Both dates moved by the same time, `validity_shift_s`."""
    END_COPIED = "end_copied"
    START_COPIED = "start_copied"
    FRESH = "fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRelations:
    """The relation of every field. None = could not be told (no genuine leaf, no issuer, no SNI).

    `extensions` are the forged leaf's own, in order; `extensions_lost` and `extensions_added` are against
    the genuine leaf, as dotted OIDs. Shifts, durations and backdating are seconds; a shift is negative if
    the forged date is earlier. `key` and `genuine_key` are as `str(PublicKey)`: `rsa2048`, `secp256r1`, ….
    """

    subject: SubjectRelation | None = None
    subject_by_sni: SubjectRelation | None = None
    """FROM_SNI if the common name is the SNI, which a copied subject may be at the same time."""
    san: SANRelation | None = None
    san_by_sni: SANRelation | None = None
    """SNI_ONLY, SNI_AND_IP or LOST if so, which a copied SAN may be at the same time."""
    serial: SerialRelation | None = None
    serial_low_bits: int | None = None
    serial_bits: int = 0
    validity: ValidityRelation | None = None
    validity_shift_s: int | None = None
    duration_s: int | None = None
    backdated_s: int | None = None
    """From notBefore to the moment the leaf was seen: at least how far it was backdated when minted."""
    key: str | None = None
    genuine_key: str | None = None
    exponent: int | None = None
    key_is_genuine: bool | None = None
    """The same key as the genuine leaf's: then nothing was forged."""
    key_equals_issuer_key: bool | None = None
    signature_algorithm: str = ""
    signature_algorithm_kept: bool | None = None
    version: int = 3
    issuer: Name = field(default=Name(b"", ()), repr=False)
    issuer_kept: bool | None = None
    extensions: tuple[str, ...] = ()
    extensions_kept: tuple[str, ...] | None = None
    extensions_lost: tuple[str, ...] | None = None
    extensions_added: tuple[str, ...] | None = None

    def facts(self) -> tuple[str, ...]:
        """Every relation that could be told, as `field:relation`, in the order of the fields."""
        return (*self._against_genuine(), *self._of_key(), *self._of_extensions())

    def _against_genuine(self) -> list[str]:
        names = (("subject", self.subject or self.subject_by_sni), ("san", self.san or self.san_by_sni))
        found = [f"{name}:{value}" for name, value in names if value]
        if self.serial is SerialRelation.LOW_BITS:
            found.append(f"serial:low_bits({self.serial_low_bits})")
        elif self.serial:
            found.append(f"serial:{self.serial}")
        if self.validity is ValidityRelation.SHIFT:
            found.append(f"validity:shift({self.validity_shift_s})")
        elif self.validity:
            found.append(f"validity:{self.validity}")
        for name, seconds in (("duration", self.duration_s), ("backdated", self.backdated_s)):
            if seconds is not None:
                found.append(f"{name}:{seconds}")
        return found

    def _of_key(self) -> list[str]:
        found = [f"key:{self.key}"] if self.key else []
        if self.exponent is not None:
            found.append(f"exponent:{self.exponent}")
        for name, value in (
            ("key_is_genuine", self.key_is_genuine),
            ("key_equals_issuer_key", self.key_equals_issuer_key),
            ("signature_algorithm_kept", self.signature_algorithm_kept),
            ("issuer_kept", self.issuer_kept),
        ):
            if value is not None:
                found.append(f"{name}:{'yes' if value else 'no'}")
        return found

    def _of_extensions(self) -> list[str]:
        return [
            f"extension_{what}:{oid}"
            for what, oids in (("lost", self.extensions_lost), ("added", self.extensions_added))
            for oid in oids or ()
        ]


def relate(
    forged: Certificate,
    genuine: Certificate | None,
    *,
    issuer: Certificate | None = None,
    sni: str | None = None,
    seen_at: datetime | None = None,
) -> FieldRelations:
    """The relations of `forged` to `genuine`; with None for that, what the forged leaf shows by itself.

    `issuer` is the certificate that signed the forged leaf, if it was presented. `seen_at` is when the
    forged leaf was seen (aware UTC). Pure; never raises.
    """
    own = FieldRelations(
        subject_by_sni=_subject_by_sni(forged, sni),
        san_by_sni=_san_by_sni(forged, sni),
        serial_bits=abs(forged.serial).bit_length(),
        duration_s=_seconds_between(forged.not_before, forged.not_after),
        backdated_s=_seconds_between(forged.not_before, seen_at),
        key=str(forged.public_key) if forged.public_key else None,
        exponent=forged.public_key.exponent if forged.public_key else None,
        key_equals_issuer_key=_key_equals_issuer_key(forged, issuer),
        signature_algorithm=forged.signature_algorithm,
        version=forged.version,
        issuer=forged.issuer,
        extensions=tuple(oid for oid, _ in forged.extensions),
    )
    return own if genuine is None else _against(own, forged, genuine, sni)


def relate_closest(
    forged: Certificate,
    genuine: Sequence[Certificate],
    *,
    issuer: Certificate | None = None,
    sni: str | None = None,
    seen_at: datetime | None = None,
) -> FieldRelations:
    """The relations to that one of several genuine leaves which the forged one was most likely made from.

    A name has several genuine leaves at once. The strongest witness chooses: serial number, then validity,
    then SAN, then subject; among equals the first. Without any leaf as `relate(forged, None)`.
    """
    related = [relate(forged, one, issuer=issuer, sni=sni, seen_at=seen_at) for one in genuine]
    if not related:
        return relate(forged, None, issuer=issuer, sni=sni, seen_at=seen_at)
    return max(related, key=_closeness)


def _closeness(relations: FieldRelations) -> tuple[bool, ...]:
    return (
        relations.key_is_genuine is True,
        relations.serial in {SerialRelation.EQUAL, SerialRelation.LOW_BITS},
        relations.validity is ValidityRelation.EQUAL,
        relations.validity is ValidityRelation.SHIFT,
        relations.san in _SAN_COPIES,
        relations.subject is SubjectRelation.COPIED,
    )


_SAN_COPIES = frozenset(
    {
        SANRelation.COPIED,
        SANRelation.COPIED_PLUS_SNI,
        SANRelation.COPIED_PLUS_IP,
        SANRelation.COPIED_PLUS_SNI_AND_IP,
    }
)


def _against(
    own: FieldRelations, forged: Certificate, genuine: Certificate, sni: str | None
) -> FieldRelations:
    serial, low_bits = _serial(forged.serial, genuine.serial)
    validity, shift = _validity(forged, genuine)
    had = tuple(oid for oid, _ in genuine.extensions)
    return replace(
        own,
        subject=_subject(forged, genuine, own.subject_by_sni),
        san=_san(forged, genuine, sni),
        serial=serial,
        serial_low_bits=low_bits,
        validity=validity,
        validity_shift_s=shift,
        genuine_key=str(genuine.public_key) if genuine.public_key else None,
        key_is_genuine=_same_key(forged, genuine),
        signature_algorithm_kept=forged.signature_algorithm == genuine.signature_algorithm,
        issuer_kept=forged.issuer.attributes == genuine.issuer.attributes,
        extensions_kept=tuple(oid for oid in own.extensions if oid in had),
        extensions_lost=tuple(oid for oid in had if oid not in own.extensions),
        extensions_added=tuple(oid for oid in own.extensions if oid not in had),
    )


def _subject_by_sni(forged: Certificate, sni: str | None) -> SubjectRelation | None:
    name = forged.subject.common_name
    return SubjectRelation.FROM_SNI if sni and name and name.lower() == sni.lower() else None


def _subject(forged: Certificate, genuine: Certificate, by_sni: SubjectRelation | None) -> SubjectRelation:
    if forged.subject.attributes == genuine.subject.attributes:
        return SubjectRelation.COPIED
    if set(forged.subject.attributes) <= set(genuine.subject.attributes):
        return SubjectRelation.REDUCED
    return by_sni or SubjectRelation.REWRITTEN


def _san_by_sni(forged: Certificate, sni: str | None) -> SANRelation | None:
    if not forged.san_dns and not forged.san_ip:
        return SANRelation.LOST
    if sni is None or {name.lower() for name in forged.san_dns or ()} != {sni.lower()}:
        return None
    return SANRelation.SNI_AND_IP if forged.san_ip else SANRelation.SNI_ONLY


def _san(forged: Certificate, genuine: Certificate, sni: str | None) -> SANRelation:
    dns = {name.lower() for name in forged.san_dns or ()}
    genuine_dns = {name.lower() for name in genuine.san_dns or ()}
    extra_ip = set(forged.san_ip or ()) - set(genuine.san_ip or ())
    missing = (genuine_dns - dns) or (set(genuine.san_ip or ()) - set(forged.san_ip or ()))
    by_sni = _san_by_sni(forged, sni)
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


def _serial(forged: int, genuine: int) -> tuple[SerialRelation | None, int | None]:
    """The relation, and how many low bits differ; None where the genuine number is too short to tell."""
    if forged == genuine:
        return SerialRelation.EQUAL, None
    if forged < 0 or genuine < 0:
        return SerialRelation.UNRELATED, None
    low_bits = (forged ^ genuine).bit_length()
    if low_bits > MAX_LOW_BITS:
        return SerialRelation.UNRELATED, None
    if genuine.bit_length() - low_bits >= MIN_COMMON_BITS:
        return SerialRelation.LOW_BITS, low_bits
    return None, None


def _validity(forged: Certificate, genuine: Certificate) -> tuple[ValidityRelation | None, int | None]:
    start = _seconds_between(genuine.not_before, forged.not_before)
    end = _seconds_between(genuine.not_after, forged.not_after)
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


def _seconds_between(first: datetime | None, second: datetime | None) -> int | None:
    return None if first is None or second is None else int((second - first).total_seconds())


def _same_key(one: Certificate, other: Certificate) -> bool | None:
    if one.public_key is None or other.public_key is None:
        return None
    return one.public_key.spki_sha256 == other.public_key.spki_sha256


def _key_equals_issuer_key(forged: Certificate, issuer: Certificate | None) -> bool | None:
    """By the issuer's key if it was presented, else by the authority key identifier.

    That one proves only equality: an issuer may make its identifier in another way than by SHA-1.
    """
    if issuer is not None:
        return _same_key(forged, issuer)
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
