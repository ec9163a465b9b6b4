"""The value `Blob` of a certificate in a Windows store: what Windows keeps with it, and what that means.

Properties one after another, each with its number, a 1, its length and its octets, little-endian; the numbers
are the CERT_*_PROP_ID of wincrypt.h. A root without properties is trusted for everything by the store it is
in; properties only take away.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kzmitm.pki import der
from kzmitm.pki.der import DERError
from kzmitm.roots.certificate_files import Place, trust_of
from kzmitm.roots.pem import FoundCertificate, purposes
from kzmitm.roots.values import Origin, StoredRoot, Trust

MAX_BLOB = 1 << 20
"""Octets; a certificate with all that Windows keeps has some thousands."""
MAX_PROPERTIES = 200
MAX_LABEL = 200

_HEAD = 12
_USAGE, _FRIENDLY_NAME, _DATE_STAMP, _CERTIFICATE = 9, 11, 27, 32
_DISALLOWED_SINCE, _DISALLOWED_USAGE = 104, 122
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobCertificate:
    """A certificate of a Windows store, and what is kept with it as far as it decides about trust."""

    der: bytes = b""
    """Empty if the value holds none."""
    label: str = ""
    """Its friendly name. Text of a stranger."""
    stamped_at: datetime | None = None
    """When Windows says that it was put there, which it seldom does."""
    allowed: frozenset[str] | None = None
    """Dotted identifiers of the only purposes it may have (“Properties” of certmgr); None without a list."""
    rejected: frozenset[str] = frozenset()
    """Purposes that Microsoft's programme took from it."""
    is_disallowed: bool = False
    """Microsoft's programme took every purpose from it."""
    is_damaged: bool = False
    """A length in the value reaches past its end, so more may have been kept with it."""


def read_blob(blob: bytes) -> BlobCertificate:
    """The certificate of a value; never raises."""
    kept: dict[int, bytes] = {}
    is_damaged = len(blob) > MAX_BLOB
    for number, octets in _properties(blob[:MAX_BLOB]):
        if octets is None:
            is_damaged = True
        else:
            kept.setdefault(number, octets)
    rejected = _list(kept.get(_DISALLOWED_USAGE))
    return BlobCertificate(
        der=kept.get(_CERTIFICATE, b""),
        label=_text(kept.get(_FRIENDLY_NAME, b"")),
        stamped_at=moment(int.from_bytes(kept.get(_DATE_STAMP, b"")[:8], "little")),
        allowed=_list(kept.get(_USAGE)),
        rejected=rejected or frozenset(),
        is_disallowed=_DISALLOWED_SINCE in kept and rejected is None,
        is_damaged=is_damaged,
    )


def _properties(blob: bytes) -> Iterator[tuple[int, bytes | None]]:
    """Number and octets of each property; no octets for one that is cut short, which is the last."""
    pos = 0
    for _ in range(MAX_PROPERTIES):
        start = pos + _HEAD
        if start > len(blob):
            if pos < len(blob):
                yield 0, None
            return
        number = int.from_bytes(blob[pos : pos + 4], "little")
        pos = start + int.from_bytes(blob[pos + 8 : start], "little")
        if pos > len(blob):
            yield number, None
            return
        yield number, blob[start:pos]


def stored_root(
    certificate: BlobCertificate, trust: Trust, origin: Origin, *, place: str, written_at: datetime | None
) -> StoredRoot:
    """A certificate as a root of a store that gives this trust, unless its properties take it away."""
    found = FoundCertificate(
        der=certificate.der,
        is_distrusted=certificate.is_disallowed,
        allowed=certificate.allowed,
        rejected=certificate.rejected,
    )
    said, known = trust_of(found, Place.BLOCKLIST if trust is Trust.DISTRUSTED else Place.BUNDLE)
    return StoredRoot(
        der=certificate.der,
        trust=trust if said is Trust.TRUSTED else said,
        origin=origin,
        purposes=known,
        label=certificate.label,
        place=place,
        added_at=certificate.stamped_at or written_at,
    )


def moment(ticks: int) -> datetime | None:
    """A FILETIME: tenths of microseconds since 1601; None for none, or one that no calendar has."""
    try:
        return _EPOCH + timedelta(microseconds=ticks // 10) if ticks else None
    except OverflowError:
        return None


def _list(encoded: bytes | None) -> frozenset[str] | None:
    """A list of purposes (CERT_ENHKEY_USAGE); None if there is none or it cannot be read."""
    if encoded is None:
        return None
    try:
        return purposes(encoded, *der.whole(encoded, der.SEQUENCE))
    except DERError:
        return None


def _text(octets: bytes) -> str:
    return octets.decode("utf-16-le", "replace").partition("\0")[0][:MAX_LABEL]
