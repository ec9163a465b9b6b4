"""Public keys as facts: kind, size, curve, exponent, from a SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).

Nothing is checked here for use in a signature; that is for `kzmitm.pki.signatures`.
"""

from functools import lru_cache
from hashlib import sha256

from kzmitm.model.certificate import PublicKey
from kzmitm.pki import der
from kzmitm.pki.der import DERError

RSA = "1.2.840.113549.1.1.1"
RSA_PSS = "1.2.840.113549.1.1.10"
EC = "1.2.840.10045.2.1"
DSA = "1.2.840.10040.4.1"

CURVES = {
    "1.2.840.10045.3.1.1": ("secp192r1", 192),
    "1.3.132.0.33": ("secp224r1", 224),
    "1.2.840.10045.3.1.7": ("secp256r1", 256),
    "1.3.132.0.34": ("secp384r1", 384),
    "1.3.132.0.35": ("secp521r1", 521),
    "1.3.132.0.10": ("secp256k1", 256),
    "1.3.36.3.3.2.8.1.1.7": ("brainpoolP256r1", 256),
    "1.3.36.3.3.2.8.1.1.11": ("brainpoolP384r1", 384),
    "1.3.36.3.3.2.8.1.1.13": ("brainpoolP512r1", 512),
    "1.2.156.10197.1.301": ("sm2", 256),
}
"""Curve names as OpenSSL and IANA have them (RFC 5480, RFC 5639, GM/T 0006), and bits."""

_FIXED = {"1.3.101.112": ("ed25519", 256), "1.3.101.113": ("ed448", 456)}


_EC_PREFIXES = {
    (bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"), 91): ("secp256r1", 256),
    (bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004"), 120): ("secp384r1", 384),
}
_RSA_2048 = bytes.fromhex("30820122300d06092a864886f70d01010105000382010f003082010a0282010100")
_F4 = bytes.fromhex("0203010001")
"""Nine keys in ten are one of these, told by their first octets, their length and their end."""


def read_public_key(spki: bytes) -> PublicKey:
    """The facts of a key. Raises DERError if this is no SubjectPublicKeyInfo at all."""
    size = len(spki)
    for (prefix, length), (curve, bits) in _EC_PREFIXES.items():
        if size == length and spki.startswith(prefix):
            return PublicKey(kind="ec", bits=bits, spki_sha256=sha256(spki).hexdigest(), curve=curve)
    if size == 294 and spki.startswith(_RSA_2048) and spki.endswith(_F4) and spki[33] > 0x7F:
        return PublicKey(kind="rsa", bits=2048, spki_sha256=sha256(spki).hexdigest(), exponent=65537)
    return _read_any_key(spki)


def _read_any_key(spki: bytes) -> PublicKey:
    start, stop = der.whole(spki, der.SEQUENCE)
    inner, algorithm_end = der.expect(spki, start, stop, der.SEQUENCE)
    oid, parameters = der.read_oid(spki, inner, algorithm_end)
    first, last = der.expect(spki, algorithm_end, stop, der.BIT_STRING)
    if last != stop or first == last:
        raise DERError("a public key is an algorithm and a bit string")
    digest = sha256(spki).hexdigest()
    if oid in (RSA, RSA_PSS):
        return _rsa(spki, first + 1, last, digest)
    if oid == EC:
        curve, bits = _curve(spki[parameters:algorithm_end])
        return PublicKey(kind="ec", bits=bits, spki_sha256=digest, curve=curve)
    if oid in _FIXED:
        kind, bits = _FIXED[oid]
        return PublicKey(kind=kind, bits=bits, spki_sha256=digest)
    if oid == DSA:
        return PublicKey(kind="dsa", bits=_dsa_bits(spki, parameters, algorithm_end), spki_sha256=digest)
    return PublicKey(kind="other", bits=(last - first - 1) * 8, spki_sha256=digest)


def _rsa(spki: bytes, pos: int, end: int, digest: str) -> PublicKey:
    try:
        start, stop = der.expect(spki, pos, end, der.SEQUENCE)
        first, last = der.expect(spki, start, stop, der.INTEGER)
        modulus = int.from_bytes(spki[first:last], "big")
        exponent = der.read_integer(spki, *der.expect(spki, last, stop, der.INTEGER))
    except DERError:  # a key that nobody can use is still a key with a hash
        return PublicKey(kind="rsa", bits=0, spki_sha256=digest)
    return PublicKey(kind="rsa", bits=modulus.bit_length(), spki_sha256=digest, exponent=exponent)


@lru_cache(maxsize=64)
def _curve(parameters: bytes) -> tuple[str | None, int]:
    try:
        oid, _ = der.read_oid(parameters, 0, len(parameters))
    except DERError:  # explicit parameters (RFC 3279), which no one should accept
        return None, 0
    return CURVES.get(oid, (oid, 0))


def _dsa_bits(spki: bytes, pos: int, end: int) -> int:
    try:
        start, stop = der.expect(spki, pos, end, der.SEQUENCE)
        first, last = der.expect(spki, start, stop, der.INTEGER)
    except DERError:
        return 0
    return int.from_bytes(spki[first:last], "big").bit_length()
