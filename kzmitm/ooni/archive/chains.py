"""Chains as a measurement holds them, each distinct one decoded once."""

from base64 import b64decode
from binascii import Error
from hashlib import sha256
from itertools import takewhile
from typing import Any

import msgspec

from kzmitm.ooni.archive.loose_json import UNREADABLE, decode_loosely

MAX_CERTIFICATES = 64
"""Of one chain; real ones have up to six."""
MAX_DER = 128 << 10
"""Octets of a certificate; the largest that were ever public had some tens of thousands."""
MAX_CACHED = 6 << 20
"""Octets of chains as text that are remembered: the thousand that an archive repeats most."""


class _Usual(msgspec.Struct, gc=False):
    data: bytes
    """Out of base64, a third of the time that the standard library takes."""


class _Certificate(msgspec.Struct, gc=False):
    data: str | None = None


_decode_usual = msgspec.json.Decoder(list[_Usual]).decode
_decode = msgspec.json.Decoder(list[_Certificate]).decode


class Chain:
    """A chain: `id` names the sequence, `ders` are its certificates, `hashes` their SHA-256 as hex."""

    __slots__ = ("ders", "hashes", "id")

    def __init__(self, ders: tuple[bytes, ...]) -> None:
        digests = [sha256(der).digest() for der in ders]
        self.ders = ders
        self.hashes = [digest.hex() for digest in digests]
        self.id = sha256(b"".join(digests)).hexdigest()[:32] if ders else ""


NONE = Chain(())


class ChainReader:
    """Reads `peer_certificates`.

    What was read before is known by its text, compared whole: a hash of it would cost as much as all else.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[bytes, Chain]] = {}
        self._octets = 0

    def read(self, text: bytes) -> Chain:
        """The chain in a JSON list; certificates behind one that cannot be read are left out."""
        if len(text) < 16:  # null, or a list without a certificate
            return NONE
        key = text[20:140] + text[-32:-8]  # of the first certificate: serial and issuer
        known = self._known.get(key)
        if known is not None and known[0] == text:
            return known[1]
        return self._remember(key, text, Chain(tuple(_ders(text))))

    def _remember(self, key: bytes, text: bytes, chain: Chain) -> Chain:
        if len(text) > MAX_CACHED // 8:
            return chain  # no real one is so long
        if self._octets > MAX_CACHED:
            self._known.clear()
            self._octets = 0
        self._known[key] = text, chain
        self._octets += 2 * len(text)
        return chain


def texts_of(value: Any) -> list[str]:
    """The certificates in a decoded list, in base64, up to the first that lost its data.

    Long texts may have been cut out of the file (oonidata's --max-string-size).
    """
    texts = []
    for each in value[:MAX_CERTIFICATES] if isinstance(value, list) else ():
        data = each.get("data") if isinstance(each, dict) else None
        if not isinstance(data, str):
            break
        texts.append(data)
    return texts


def _texts(text: bytes) -> list[str]:
    try:
        return [each.data or "" for each in _decode(text)[:MAX_CERTIFICATES]]
    except UNREADABLE:
        pass
    try:
        return texts_of(decode_loosely(text))
    except UNREADABLE:
        return []


def _ders(text: bytes) -> list[bytes]:
    try:
        ders = [each.data for each in _decode_usual(text)[:MAX_CERTIFICATES]]
    except UNREADABLE:
        return _ders_until_damage(text)
    return list(takewhile(lambda der: 0 < len(der) <= MAX_DER, ders))


def _ders_until_damage(text: bytes) -> list[bytes]:
    ders = []
    for data in _texts(text):
        try:
            der = b64decode(data, validate=True)
        except (Error, ValueError):
            break
        if not 0 < len(der) <= MAX_DER:
            break
        ders.append(der)
    return ders
