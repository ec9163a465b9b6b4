"""Check of the server's signature over our nonce, at once and again at any later time."""

import hashlib
import hmac
from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kzmitm.model.observation import Proof, ProofKind
from kzmitm.wire.iana.messages import CLIENT_HELLO, SERVER_HELLO
from kzmitm.wire.limits import MESSAGE_HEADER

_Verifier = Callable[[Any, int, bytes, bytes], bool]
"""(key, scheme, signature, signed): True, False or InvalidSignature."""

RSA_MD5_SHA1 = 0xFF01
"""Stands for TLS 1.0's and 1.1's RSA signature over MD5 and SHA-1 (RFC 4346, 7.4.3); no registered scheme."""
ECDSA_SHA1 = 0x0203
DSA_SHA1 = 0x0202

_PKCS1 = PKCS1v15()
_HASHES: dict[int, hashes.HashAlgorithm] = {
    2: hashes.SHA1(),  # noqa: S303 - what servers of TLS 1.0 to 1.2 sign with
    3: hashes.SHA224(),
    4: hashes.SHA256(),
    5: hashes.SHA384(),
    6: hashes.SHA512(),
}
"""HashAlgorithm of RFC 5246, 7.4.1.4.1: the high octet of the older schemes."""

_PSS: dict[int, hashes.HashAlgorithm] = {
    4: _HASHES[4],
    5: _HASHES[5],
    6: _HASHES[6],
    9: _HASHES[4],
    10: _HASHES[5],
    11: _HASHES[6],
}
_PSS_PADDING = {low: PSS(MGF1(h), h.digest_size) for low, h in _PSS.items()}
"""The salt is as long as the digest (RFC 8446, 4.2.3)."""
_ECDSA = {number: ec.ECDSA(algorithm) for number, algorithm in _HASHES.items()}
_TLS13_SCHEMES = frozenset({0x0804, 0x0805, 0x0806, 0x0807, 0x0808, 0x0809, 0x080A, 0x080B})
_TLS13_CURVES = {0x0403: "secp256r1", 0x0503: "secp384r1", 0x0603: "secp521r1"}


def leaf_public_key(leaf_der: bytes) -> PublicKeyTypes | None:
    """The key of a certificate, None if it cannot be read or used, however broken the rest is.

    The key is taken by its position: loading the whole certificate refuses or warns of serials, names
    and versions that say nothing about the key.
    """
    try:
        return load_der_public_key(_subject_public_key_info(leaf_der))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def verify_proof(proof: Proof, leaf_der: bytes) -> bool | None:
    """Whether the leaf's key made the signature; None if its key cannot be read or used.

    For TLS13 the transcript must hash to what was signed, and its hellos hold both randoms; for TLS12
    the signed octets must begin with them. False for any mismatch. A scheme of PSS is taken for any RSA
    key, whichever of both OIDs the certificate gives it.
    """
    if not _binds_nonce(proof):
        return False
    return check_signature(leaf_der, proof.kind, proof.scheme, proof.signature, proof.signed)


def check_signature(
    leaf_der: bytes, kind: ProofKind, scheme: int, signature: bytes, signed: bytes
) -> bool | None:
    """Whether the leaf's key made `signature` over `signed`; None if the key cannot be read or used."""
    key = leaf_public_key(leaf_der)
    if key is None:
        return None
    try:
        if kind is ProofKind.TLS13 and not _fits_tls13(key, scheme):
            return False
        return _verify(key, scheme, signature, signed)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False


SERVER_CONTEXT = b" " * 64 + b"TLS 1.3, server CertificateVerify\x00"
"""What precedes the transcript hash in the signed octets (RFC 8446, 4.4.3)."""


def _binds_nonce(proof: Proof) -> bool:
    """Whether the signed octets hold both randoms where a server puts them."""
    if proof.kind is ProofKind.TLS12:
        return proof.signed.startswith(proof.client_random + proof.server_random)
    algorithm = {32: hashlib.sha256, 48: hashlib.sha384}.get(len(proof.signed) - len(SERVER_CONTEXT))
    if algorithm is None or proof.signed != SERVER_CONTEXT + algorithm(proof.transcript).digest():
        return False
    randoms = _randoms(proof.transcript)
    return randoms == {CLIENT_HELLO: proof.client_random, SERVER_HELLO: proof.server_random}


def _randoms(transcript: bytes) -> dict[int, bytes]:
    """The randoms of the last ClientHello and ServerHello of a transcript, by message type."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset + MESSAGE_HEADER <= len(transcript):
        kind = transcript[offset]
        body = offset + MESSAGE_HEADER
        if kind in (CLIENT_HELLO, SERVER_HELLO):
            found[kind] = transcript[body + 2 : body + 34]
        offset = body + int.from_bytes(transcript[offset + 1 : body], "big")
    return found


def _verify(key: PublicKeyTypes, scheme: int, signature: bytes, signed: bytes) -> bool:
    """True, False, or InvalidSignature."""
    verifier = _verifier(type(key))
    return verifier is not None and verifier(key, scheme, signature, signed)


def _fits_tls13(key: PublicKeyTypes, scheme: int) -> bool:
    """Whether TLS 1.3 has the scheme (RFC 8446, 4.2.3), and an ECDSA key is of the curve it names."""
    curve = _TLS13_CURVES.get(scheme)
    if curve is None:
        return scheme in _TLS13_SCHEMES
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == curve


def _verify_rsa(key: rsa.RSAPublicKey, scheme: int, signature: bytes, signed: bytes) -> bool:
    high, low = scheme >> 8, scheme & 0xFF
    if high == 8 and low in _PSS:
        algorithm = _PSS[low]
        key.verify(signature, signed, _PSS_PADDING[low], algorithm)
        return True
    if scheme == RSA_MD5_SHA1:
        digest = hashlib.md5(signed).digest() + hashlib.sha1(signed).digest()  # noqa: S324 - RFC 4346, 7.4.3
        return hmac.compare_digest(key.recover_data_from_signature(signature, _PKCS1, None), digest)
    if low != 1 or high not in _HASHES:
        return False
    key.verify(signature, signed, _PKCS1, _HASHES[high])
    return True


def _verify_ecdsa(key: ec.EllipticCurvePublicKey, scheme: int, signature: bytes, signed: bytes) -> bool:
    high, low = scheme >> 8, scheme & 0xFF
    if low != 3 or high not in _ECDSA:
        return False
    key.verify(signature, signed, _ECDSA[high])
    return True


def _verify_dsa(key: dsa.DSAPublicKey, scheme: int, signature: bytes, signed: bytes) -> bool:
    high, low = scheme >> 8, scheme & 0xFF
    if low != 2 or high not in _HASHES:
        return False
    key.verify(signature, signed, _HASHES[high])
    return True


def _verify_ed25519(key: ed25519.Ed25519PublicKey, scheme: int, signature: bytes, signed: bytes) -> bool:
    if scheme != 0x0807:
        return False
    key.verify(signature, signed)
    return True


def _verify_ed448(key: ed448.Ed448PublicKey, scheme: int, signature: bytes, signed: bytes) -> bool:
    if scheme != 0x0808:
        return False
    key.verify(signature, signed)
    return True


_VERIFIERS: tuple[tuple[type, _Verifier], ...] = (
    (rsa.RSAPublicKey, _verify_rsa),
    (ec.EllipticCurvePublicKey, _verify_ecdsa),
    (ed25519.Ed25519PublicKey, _verify_ed25519),
    (ed448.Ed448PublicKey, _verify_ed448),
    (dsa.DSAPublicKey, _verify_dsa),
)


@cache
def _verifier(key_type: type) -> _Verifier | None:
    """What verifies with keys of a type; cached, as the checks against abstract classes are slow."""
    return next((verify for abstract, verify in _VERIFIERS if issubclass(key_type, abstract)), None)


def _subject_public_key_info(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate (RFC 5280, 4.1); raises ValueError if it is cut off."""
    offset = _element(der, _element(der, 0)[0])[0]
    if der[offset : offset + 1] == b"\xa0":  # the version
        offset = _element(der, offset)[1]
    for _field in range(5):  # serial, signature, issuer, validity, subject
        offset = _element(der, offset)[1]
    return der[offset : _element(der, offset)[1]]


def _element(der: bytes, offset: int) -> tuple[int, int]:
    """Where the value of the element at `offset` begins and ends; raises ValueError if it does not fit."""
    start = offset + 2
    if start > len(der):
        raise ValueError("cut off")
    size = der[offset + 1]
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(der[offset + 2 : start], "big")
    end = start + size
    if end > len(der):
        raise ValueError("cut off")
    return start, end
