"""Java's own keystores: JKS, and JCEKS as far as its entries have lengths.

The password of such a store guards its keys and a checksum; certificates lie in clear, so none is needed
(`engineLoad` of JavaKeyStore.java and JceKeyStore.java in OpenJDK). The checksum is not looked at. Lengths
and counts are a stranger's: what was read before a wrong one is kept, and the time is linear in the octets.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from kzmitm.errors import WordedError
from kzmitm.roots.pem import first_element, read_certificates
from kzmitm.wording import Wording

MAGICS = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")
"""JKS and JCEKS."""
MAX_CERTIFICATES = 20_000
"""Certificates of one store, those of chains included; Java's own has about 150."""

MAX_SCATTERED = 1 << 16
"""Octets of a certificate that is looked for; the largest roots have three thousand."""

_TYPED = re.compile(rb"\0\x05X\.509(.{4})", re.DOTALL)
_KEY, _TRUSTED, _SECRET_KEY = 1, 2, 3
_VERSIONS = (1, 2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeystoreEntry:
    """A certificate in a keystore."""

    der: bytes
    label: str = ""
    """Its alias. Text of a stranger."""
    is_trusted: bool = True
    """Java would let a chain end with it; False for those that stand above a key's own."""
    added_at: datetime | None = None
    """When it was put there, as the store says."""


class _DamagedError(WordedError):
    """Not readable any further."""


class _Octets:
    """Fields of the store, one after another."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._pos = 0

    def take(self, count: int) -> bytes:
        start, self._pos = self._pos, self._pos + count
        if self._pos > len(self._octets):
            raise _DamagedError("a length in it reaches past its end, so it was not read to its end")
        return self._octets[start : self._pos]

    def number(self, octets: int) -> int:
        return int.from_bytes(self.take(octets), "big")

    def rest(self) -> bytes:
        return self._octets[self._pos :]

    def text(self) -> str:
        return _text(self.take(self.number(2)))


def read_jks(octets: bytes) -> tuple[tuple[KeystoreEntry, ...], str]:
    """The certificates, and what kept from reading more or ""; never raises."""
    entries: list[KeystoreEntry] = []
    try:
        _read_into(entries, _Octets(octets))
    except _DamagedError as exc:
        problem = str(exc)
    else:
        problem = ""
    held = [entry for entry in entries if entry.der]
    broken = len(entries) - len(held)
    if broken and not problem:
        problem = Wording("{broken} entries are no certificates and were passed over", broken=broken)
    return tuple(held), problem


def _read_into(entries: list[KeystoreEntry], fields: _Octets) -> None:
    for entry in _entries(fields):
        if len(entries) == MAX_CERTIFICATES:
            raise _DamagedError("more certificates than any store has, so it was not read to its end")
        entries.append(entry)


def _entries(fields: _Octets) -> Iterator[KeystoreEntry]:
    """The entries in order, at most as many as the octets have room for; without octets if they are none."""
    fields.take(4)
    version = fields.number(4)
    if version not in _VERSIONS:
        raise _DamagedError("version {version} of the format, so it was not read", version=version)
    for _ in range(fields.number(4)):
        kind, label, added_at = fields.number(4), fields.text(), _moment(fields.number(8))
        if kind == _TRUSTED:
            yield KeystoreEntry(der=_certificate(fields, version), label=label, added_at=added_at)
        elif kind == _KEY:
            fields.take(fields.number(4))
            for place in range(fields.number(4)):
                # TrustStoreUtil.java: of a key's chain the first one is trusted.
                der = _certificate(fields, version)
                yield KeystoreEntry(der=der, label=label, is_trusted=place == 0, added_at=added_at)
        elif kind == _SECRET_KEY:
            yield from _scattered(fields.rest())
            raise _DamagedError(
                "it has a secret key; certificates behind it were looked for by how they begin"
            )
        else:
            raise _DamagedError("an entry of kind {kind}, so it was not read to its end", kind=kind)


def _certificate(fields: _Octets, version: int) -> bytes:
    """A certificate, b"" if it is none; Java takes PEM there, too."""
    if version > 1:
        fields.text()
    found = read_certificates(fields.take(fields.number(4))).certificates
    return found[0].der if found else b""


def _scattered(octets: bytes) -> Iterator[KeystoreEntry]:
    """Certificates behind a secret key, which has no length but Java's serialised objects in it."""
    after = 0
    for mark in islice(_TYPED.finditer(octets), MAX_CERTIFICATES):
        if mark.start() < after:
            continue  # within the one before
        length = min(int.from_bytes(mark[1]), MAX_SCATTERED)
        der = first_element(octets[mark.end() : mark.end() + length])
        if der is not None:
            after = mark.end() + len(der)
            yield KeystoreEntry(der=der)


def _moment(milliseconds: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds) if milliseconds else None
    except OverflowError:
        return None


def _text(octets: bytes) -> str:
    """Java's own UTF-8 (DataInput.readUTF): zero in two octets, and pairs of surrogates."""
    try:
        text = octets.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    except UnicodeDecodeError:
        return octets.decode("utf-8", "replace")
