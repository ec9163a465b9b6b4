"""Chains as a measurement holds them, each distinct one decoded once."""

from base64 import b64decode
from binascii import Error
from hashlib import sha256
from itertools import takewhile

import msgspec

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
        if self._octets > MAX_CACHED:
            self._known.clear()
            self._octets = 0
        self._known[key] = text, chain
        self._octets += 2 * len(text)
        return chain


def _ders(text: bytes) -> list[bytes]:
    try:
        ders = [each.data for each in _decode_usual(text)]
    except msgspec.DecodeError:
        return _ders_until_damage(text)
    sound = takewhile(lambda der: 0 < len(der) <= MAX_DER, ders)
    return list(sound)


def _ders_until_damage(text: bytes) -> list[bytes]:
    try:
        certificates = _decode(text)
    except msgspec.DecodeError:
        return []
    ders = []
    for each in certificates:
        try:
            der = b64decode(each.data or "", validate=True)
        except (Error, ValueError):
            break
        if not 0 < len(der) <= MAX_DER:
            break
        ders.append(der)
    return ders
