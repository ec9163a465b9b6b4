"""Ephemeral key shares of TLS 1.3: X25519, the NIST curves, X25519MLKEM768."""

from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kzmitm.wire.iana import groups
from kzmitm.wire.iana.alerts import ILLEGAL_PARAMETER
from kzmitm.wire.violation import ViolationError

try:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
except ImportError:  # pragma: no cover - cryptography before 47
    MLKEM768PrivateKey = None  # type: ignore[assignment,misc]

Random = Callable[[int], bytes]

_BAD_SHARE = "the server's key share is not a valid one"

MLKEM_CIPHERTEXT = 1088
"""Octets of an ML-KEM-768 ciphertext (FIPS 203, table 3)."""
HYBRID_SHARE = 1216
"""Octets of our X25519MLKEM768 share: encapsulation key and X25519 key."""


class KeyShare(Protocol):
    """Our half of a key exchange; `public` is the key_exchange of our KeyShareEntry."""

    public: bytes

    def agree(self, peer: bytes) -> bytes:
        """The shared secret with the server's key_exchange; raises ViolationError for a bad one."""
        ...


class X25519Share:
    """RFC 7748; RFC 8446, 4.2.8.2."""

    __slots__ = ("_key", "public")

    def __init__(self, rng: Random) -> None:
        self._key = X25519PrivateKey.from_private_bytes(rng(32))
        self.public = self._key.public_key().public_bytes_raw()

    def agree(self, peer: bytes) -> bytes:
        try:
            return self._key.exchange(X25519PublicKey.from_public_bytes(peer))
        except ValueError as exc:
            raise ViolationError(_BAD_SHARE, ILLEGAL_PARAMETER) from exc


class CurveShare:
    """ECDH over a NIST curve, points uncompressed (RFC 8446, 4.2.8.2)."""

    __slots__ = ("_curve", "_key", "public")

    def __init__(self, curve: ec.EllipticCurve, rng: Random) -> None:
        self._curve = curve
        # Below the order of each of the three curves and above zero; a bias of 2^-32 harms nobody here.
        scalar = int.from_bytes(rng(curve.key_size // 8), "big") >> 32 | 1
        self._key = ec.derive_private_key(scalar, curve)
        self.public = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def agree(self, peer: bytes) -> bytes:
        try:
            return self._key.exchange(
                ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(self._curve, peer)
            )
        except ValueError as exc:
            raise ViolationError(_BAD_SHARE, ILLEGAL_PARAMETER) from exc


class HybridShare:
    """X25519MLKEM768: ML-KEM first, in the shares and in the secret (draft-ietf-tls-ecdhe-mlkem)."""

    __slots__ = ("_kem", "_x25519", "public")

    def __init__(self, rng: Random, x25519: X25519Share | None = None) -> None:
        self._kem = MLKEM768PrivateKey.from_seed_bytes(rng(64))
        self._x25519 = x25519 or X25519Share(rng)
        self.public = self._kem.public_key().public_bytes_raw() + self._x25519.public

    def agree(self, peer: bytes) -> bytes:
        try:
            secret = self._kem.decapsulate(peer[:MLKEM_CIPHERTEXT])
        except ValueError as exc:
            raise ViolationError(_BAD_SHARE, ILLEGAL_PARAMETER) from exc
        return secret + self._x25519.agree(peer[MLKEM_CIPHERTEXT:])


def _mlkem_supported() -> bool:
    if MLKEM768PrivateKey is None:  # pragma: no cover - cryptography before 47
        return False
    try:
        MLKEM768PrivateKey.from_seed_bytes(bytes(64))
    except UnsupportedAlgorithm:  # pragma: no cover - a cryptography built on an old OpenSSL
        return False
    return True


HYBRID_SUPPORTED = _mlkem_supported()
"""Whether the installed `cryptography` has ML-KEM; if not, hellos hide a GREASE share of its size."""

_CURVES: dict[int, ec.EllipticCurve] = {
    groups.SECP256R1: ec.SECP256R1(),
    groups.SECP384R1: ec.SECP384R1(),
    groups.SECP521R1: ec.SECP521R1(),
}


def generate_share(group: int, rng: Random) -> KeyShare | None:
    """A fresh share for a group, None for a group that we do not speak."""
    if group == groups.X25519:
        return X25519Share(rng)
    if group in _CURVES:
        return CurveShare(_CURVES[group], rng)
    if group == groups.X25519MLKEM768 and HYBRID_SUPPORTED:
        return HybridShare(rng)
    return None
