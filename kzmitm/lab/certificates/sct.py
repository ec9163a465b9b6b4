"""Signed certificate timestamps for the laboratory's leaves: real ones carry them, forged ones lose them."""

import hashlib
from datetime import datetime

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SHA256_ECDSA = bytes((4, 3))
"""RFC 5246, 7.4.1.4.1, as RFC 6962, 3.2 uses it."""


def sct_list(log_key: ec.EllipticCurvePrivateKey, issued_at: datetime) -> bytes:
    """The extension value of RFC 6962, 3.3 with two timestamps.

    The structure is that of a real log's; what is signed is the timestamp alone, as nobody trusts the
    laboratory's log and only presence and shape are looked at.
    """
    entries = b"".join(_with_length(_timestamp(log_key, issued_at, log)) for log in range(2))
    body = _with_length(entries)
    return b"\x04" + _der_length(len(body)) + body


def _timestamp(log_key: ec.EllipticCurvePrivateKey, issued_at: datetime, log: int) -> bytes:
    spki = log_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    log_id = hashlib.sha256(spki + bytes((log,))).digest()
    head = b"\0" + log_id + int(issued_at.timestamp() * 1000).to_bytes(8, "big") + b"\0\0"
    signature = log_key.sign(head, ec.ECDSA(hashes.SHA256()))
    return head + SHA256_ECDSA + _with_length(signature)


def _with_length(data: bytes) -> bytes:
    """A TLS vector with a two-octet length (RFC 8446, 3.4)."""
    return len(data).to_bytes(2, "big") + data


def _der_length(length: int) -> bytes:
    """X.690, 8.1.3, for what two octets can count."""
    if length < 0x80:
        return bytes((length,))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets
