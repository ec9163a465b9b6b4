"""Signatures of certificates, through `cryptography`: which algorithm, by which key, right or not."""

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kzmitm.pki import der
from kzmitm.pki.der import DERError, expect, read_tlv

Verifier = Callable[[Any, bytes, bytes], None]
"""Takes key, signature and the octets signed; raises InvalidSignature."""

Hash = Callable[[], hashes.HashAlgorithm]

SHA1 = "1.3.14.3.2.26"
_HASHES: dict[str, Hash] = {
    "1.2.840.113549.2.5": hashes.MD5,
    SHA1: hashes.SHA1,
    "2.16.840.1.101.3.4.2.4": hashes.SHA224,
    "2.16.840.1.101.3.4.2.1": hashes.SHA256,
    "2.16.840.1.101.3.4.2.2": hashes.SHA384,
    "2.16.840.1.101.3.4.2.3": hashes.SHA512,
}
_RSA: dict[str, Hash] = {
    "1.2.840.113549.1.1.4": hashes.MD5,
    "1.2.840.113549.1.1.5": hashes.SHA1,
    "1.3.14.3.2.29": hashes.SHA1,
    "1.2.840.113549.1.1.14": hashes.SHA224,
    "1.2.840.113549.1.1.11": hashes.SHA256,
    "1.2.840.113549.1.1.12": hashes.SHA384,
    "1.2.840.113549.1.1.13": hashes.SHA512,
}
_ECDSA: dict[str, Hash] = {
    "1.2.840.10045.4.1": hashes.SHA1,
    "1.2.840.10045.4.3.1": hashes.SHA224,
    "1.2.840.10045.4.3.2": hashes.SHA256,
    "1.2.840.10045.4.3.3": hashes.SHA384,
    "1.2.840.10045.4.3.4": hashes.SHA512,
}
_PSS = "1.2.840.113549.1.1.10"
_MGF1 = "1.2.840.113549.1.1.8"
_DIRECT = {
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "2.16.840.1.101.3.4.3.17": "MLDSA44",
    "2.16.840.1.101.3.4.3.18": "MLDSA65",
    "2.16.840.1.101.3.4.3.19": "MLDSA87",
}
"""Algorithms without a separate hash (RFC 8410, RFC 9881), by the name of their key class."""

MAX_REMEMBERED = 80
"""Octets of an AlgorithmIdentifier whose verifier is remembered; RSASSA-PSS takes 67."""

WEAK_ALGORITHMS = frozenset(
    (
        "1.2.840.113549.1.1.2",
        "1.2.840.113549.1.1.3",
        "1.2.840.113549.1.1.4",
        "1.2.840.113549.1.1.5",
        "1.3.14.3.2.29",
        "1.2.840.10045.4.1",
        "1.2.840.10040.4.3",
    )
)
"""With MD2, MD4, MD5 or SHA-1: forgeable by collision, refused by Go since 1.18 and by every browser."""


def load_key(spki: bytes) -> Any | None:
    """The key as an object of `cryptography`, or None where that knows no such key or refuses it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated curves and short keys are for us to judge
            return load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def is_signature_valid(key: Any, algorithm: bytes, signature: bytes, signed: bytes) -> bool | None:
    """True if `key` made `signature` over `signed`; None where the algorithm is unknown or not the key's.

    `algorithm` is the AlgorithmIdentifier in DER. Weak algorithms are computed as well: who signed is
    a fact whatever it is worth.
    """
    try:
        find = _known_verifier if len(algorithm) <= MAX_REMEMBERED else _verifier
        verifier = find(algorithm, type(key))
        if verifier is None:
            return None
        verifier(key, signature, signed)
    except InvalidSignature:
        return False
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return True


def _verifier(algorithm: bytes, key_type: type) -> Verifier | None:
    start, stop = der.whole(algorithm, der.SEQUENCE)
    oid, parameters = der.read_oid(algorithm, start, stop)
    if issubclass(key_type, rsa.RSAPublicKey):
        if oid == _PSS:
            return _pss(algorithm, parameters, stop)
        return _pkcs1(_RSA[oid]()) if oid in _RSA else None
    if issubclass(key_type, ec.EllipticCurvePublicKey):
        return _ecdsa(_ECDSA[oid]()) if oid in _ECDSA else None
    if oid in _DIRECT and key_type.__name__.startswith(_DIRECT[oid]):
        return lambda key, signature, signed: key.verify(signature, signed)
    return None


_known_verifier = lru_cache(maxsize=64)(_verifier)
"""The checks against abstract classes are slow, and nearly all certificates are signed in one of few ways."""


def _pkcs1(algorithm: hashes.HashAlgorithm) -> Verifier:
    return lambda key, signature, signed: key.verify(signature, signed, padding.PKCS1v15(), algorithm)


def _ecdsa(algorithm: hashes.HashAlgorithm) -> Verifier:
    return lambda key, signature, signed: key.verify(signature, signed, ec.ECDSA(algorithm))


def _pss(algorithm: bytes, pos: int, end: int) -> Verifier | None:
    """The verifier of RSASSA-PSS-params (RFC 4055, 3.1), whose defaults are SHA-1 and 20 octets of salt."""
    digest: hashes.HashAlgorithm | None = _HASHES[SHA1]()
    mask: hashes.HashAlgorithm | None = _HASHES[SHA1]()
    salt = 20
    start, stop = expect(algorithm, pos, end, der.SEQUENCE)
    for tag, _, first, last in der.elements(algorithm, start, stop):
        if tag == 0xA0:
            digest = _hash(algorithm, first, last)
        elif tag == 0xA1:
            inner, inner_end = expect(algorithm, first, last, der.SEQUENCE)
            oid, pos = der.read_oid(algorithm, inner, inner_end)
            mask = _hash(algorithm, pos, inner_end) if oid == _MGF1 else None
        elif tag == 0xA2:
            salt = der.read_integer(algorithm, *expect(algorithm, first, last, der.INTEGER))
        else:
            return None
    if digest is None or mask is None or salt < 0:
        return None
    scheme, chosen = padding.PSS(mgf=padding.MGF1(mask), salt_length=salt), digest
    return lambda key, signature, signed: key.verify(signature, signed, scheme, chosen)


def is_weak(algorithm: bytes) -> bool:
    """True if the signature's hash can be collided (WEAK_ALGORITHMS, and PSS with SHA-1 or MD5)."""
    try:
        start, stop = der.whole(algorithm, der.SEQUENCE)
        oid, pos = der.read_oid(algorithm, start, stop)
        if oid != _PSS:
            return oid in WEAK_ALGORITHMS
        start, stop = expect(algorithm, pos, stop, der.SEQUENCE)
        for tag, _, first, last in der.elements(algorithm, start, stop):
            if tag == 0xA0:
                return isinstance(_hash(algorithm, first, last), hashes.SHA1 | hashes.MD5)
    except DERError:
        return False
    return True


def _hash(data: bytes, pos: int, end: int) -> hashes.HashAlgorithm | None:
    start, stop = expect(data, pos, end, der.SEQUENCE)
    oid, after = der.read_oid(data, start, stop)
    if after < stop:
        read_tlv(data, after, stop)
    return _HASHES[oid]() if oid in _HASHES else None
