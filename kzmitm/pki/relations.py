"""How a forged leaf relates to the genuine one, field by field: exact facts with names, nothing judged.

Interceptors leave habits behind: what they copy, shift, mint and forget (detection science, 3.3). Where no
genuine leaf is known, the relations that the forged one shows by itself remain; None = could not be told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from kzmitm.model.certificate import Certificate, Name
from kzmitm.pki import fields
from kzmitm.pki.fields import SANRelation, SerialRelation, SubjectRelation, ValidityRelation

MAX_LISTED = 32
"""Extensions that are said one by one; certificates in use have up to a dozen."""


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
            for oid in (oids or ())[:MAX_LISTED]
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
        subject_by_sni=fields.subject_by_sni(forged, sni),
        san_by_sni=fields.san_by_sni(forged, sni),
        serial_bits=abs(forged.serial).bit_length(),
        duration_s=fields.seconds_between(forged.not_before, forged.not_after),
        backdated_s=fields.seconds_between(forged.not_before, seen_at),
        key=str(forged.public_key) if forged.public_key else None,
        exponent=forged.public_key.exponent if forged.public_key else None,
        key_equals_issuer_key=fields.key_equals_issuer_key(forged, issuer),
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
    serial, low_bits = fields.serial(forged.serial, genuine.serial)
    validity, shift = fields.validity(forged, genuine)
    had = dict.fromkeys(oid for oid, _ in genuine.extensions)
    has = dict.fromkeys(own.extensions)
    return replace(
        own,
        subject=fields.subject(forged, genuine, own.subject_by_sni),
        san=fields.san(forged, genuine, sni),
        serial=serial,
        serial_low_bits=low_bits,
        validity=validity,
        validity_shift_s=shift,
        genuine_key=str(genuine.public_key) if genuine.public_key else None,
        key_is_genuine=fields.same_key(forged, genuine),
        signature_algorithm_kept=forged.signature_algorithm == genuine.signature_algorithm,
        issuer_kept=forged.issuer.attributes == genuine.issuer.attributes,
        extensions_kept=tuple(oid for oid in has if oid in had),
        extensions_lost=tuple(oid for oid in had if oid not in has),
        extensions_added=tuple(oid for oid in has if oid not in had),
    )
