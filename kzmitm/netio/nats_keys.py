"""Keys by which a NATS server knows its users (nkeys): Ed25519, in base32 with a prefix and a checksum.

https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth
"""

import base64
import binascii
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kzmitm.errors import WordedError

_SEED, _USER = 18 << 3, 20 << 3
"""Prefixes, so that the text begins with S and U."""
_PUBLIC_OCTETS = 32


class NkeyError(WordedError, ValueError):
    """No seed of a user."""


@dataclass(frozen=True, slots=True)
class Nkey:
    """A user's key: `seed` is kept by the user, `public` stands in the server's configuration."""

    private: Ed25519PrivateKey

    @property
    def seed(self) -> str:
        head = bytes((_SEED | _USER >> 5, (_USER & 31) << 3))
        return _text(head + self.private.private_bytes_raw())

    @property
    def public(self) -> str:
        return _text(bytes((_USER,)) + self.private.public_key().public_bytes_raw())

    def sign(self, nonce: str) -> bytes:
        """What proves to a server that sent `nonce` that we have the key."""
        return base64.b64encode(self.private.sign(nonce.encode()))


def new_nkey() -> Nkey:
    return Nkey(Ed25519PrivateKey.generate())


def parse_nkey(seed: str) -> Nkey:
    """The key of a seed (`SU…`); raises NkeyError."""
    try:
        octets = base64.b32decode(seed + "=" * (-len(seed) % 8))
    except (binascii.Error, ValueError):
        raise NkeyError("not in base32") from None
    body, checksum = octets[:-2], octets[-2:]
    if len(body) != 2 + _PUBLIC_OCTETS or binascii.crc_hqx(body, 0).to_bytes(2, "little") != checksum:
        raise NkeyError("damaged: its checksum is wrong")
    if body[0] & 0xF8 != _SEED or (body[0] & 7) << 5 | body[1] >> 3 != _USER:
        raise NkeyError("a key, but not of a user")
    return Nkey(Ed25519PrivateKey.from_private_bytes(body[2:]))


def _text(octets: bytes) -> str:
    checked = octets + binascii.crc_hqx(octets, 0).to_bytes(2, "little")
    return base64.b32encode(checked).decode().rstrip("=")
