"""Key schedule (RFC 8446, 7.1) and record protection (RFC 8446, 5.2) of TLS 1.3's first flight.

HKDF is HMAC by the standard library's one-shot call: each output here fits one block (RFC 5869, 2.3).
"""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from kzmitm.wire.iana.alerts import BAD_RECORD_MAC, UNEXPECTED_MESSAGE
from kzmitm.wire.violation import ViolationError


def expand_label(algorithm: str, secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """HKDF-Expand-Label for outputs of at most one hash block."""
    return _expand(algorithm, secret, _label(label, size), context, size)


def _label(label: bytes, size: int) -> bytes:
    full = b"tls13 " + label
    return size.to_bytes(2, "big") + bytes((len(full),)) + full


def _expand(algorithm: str, secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    info = label + bytes((len(context),)) + context + b"\x01"
    return hmac.digest(secret, info, algorithm)[:size]


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite of TLS 1.3: its hash, its AEAD, and the schedule's constants for this hash."""

    algorithm: str
    hash_size: int
    aead: type[AESGCM] | type[ChaCha20Poly1305]
    derived: bytes
    """Derive-Secret(Early Secret, "derived", ""): constant, as we offer no PSK."""
    server_label: bytes
    client_label: bytes
    key_label: bytes
    key_size: int


def _suite(algorithm: str, aead: type[AESGCM] | type[ChaCha20Poly1305], key_size: int) -> Suite:
    size = hashlib.new(algorithm).digest_size
    early = hmac.digest(bytes(size), bytes(size), algorithm)
    return Suite(
        algorithm=algorithm,
        hash_size=size,
        aead=aead,
        derived=expand_label(algorithm, early, b"derived", hashlib.new(algorithm).digest(), size),
        server_label=_label(b"s hs traffic", size),
        client_label=_label(b"c hs traffic", size),
        key_label=_label(b"key", key_size),
        key_size=key_size,
    )


_IV_LABEL = _label(b"iv", 12)

SUITES: dict[int, Suite] = {
    0x1301: _suite("sha256", AESGCM, 16),
    0x1302: _suite("sha384", AESGCM, 32),
    0x1303: _suite("sha256", ChaCha20Poly1305, 32),
}
"""By number (RFC 8446, B.4)."""


class Protection:
    """One direction's record protection under a traffic secret."""

    __slots__ = ("_aead", "_iv", "_sequence")

    def __init__(self, suite: Suite, secret: bytes) -> None:
        algorithm = suite.algorithm
        self._aead = suite.aead(_expand(algorithm, secret, suite.key_label, b"", suite.key_size))
        self._iv = int.from_bytes(_expand(algorithm, secret, _IV_LABEL, b"", 12), "big")
        self._sequence = 0

    def open(self, header: bytes, body: bytes) -> tuple[int, bytes]:
        """Content type and content of a protected record; raises ViolationError if it is not authentic."""
        nonce = (self._iv ^ self._sequence).to_bytes(12, "big")
        self._sequence += 1
        try:
            inner = self._aead.decrypt(nonce, body, header)
        except InvalidTag as exc:
            raise ViolationError("a record does not decrypt", BAD_RECORD_MAC) from exc
        if not inner or not inner[-1]:
            inner = inner.rstrip(b"\x00")
            if not inner:
                raise ViolationError("a record is nothing but padding", UNEXPECTED_MESSAGE)
        return inner[-1], inner[:-1]

    def seal(self, kind: int, content: bytes) -> bytes:
        """A whole protected record."""
        header = b"\x17\x03\x03" + (len(content) + 17).to_bytes(2, "big")
        nonce = (self._iv ^ self._sequence).to_bytes(12, "big")
        self._sequence += 1
        return header + self._aead.encrypt(nonce, content + bytes((kind,)), header)


class HandshakeKeys:
    """The handshake secrets: `server` opens its flight at once, `client()` is derived when needed."""

    __slots__ = ("_secret", "_suite", "_transcript_hash", "server")

    def __init__(self, suite: Suite, shared_secret: bytes, transcript_hash: bytes) -> None:
        self._suite = suite
        self._secret = hmac.digest(suite.derived, shared_secret, suite.algorithm)
        self._transcript_hash = transcript_hash
        self.server = Protection(suite, self._traffic_secret(suite.server_label))

    def client(self) -> Protection:
        """What protects our own records."""
        return Protection(self._suite, self._traffic_secret(self._suite.client_label))

    def _traffic_secret(self, label: bytes) -> bytes:
        suite = self._suite
        return _expand(suite.algorithm, self._secret, label, self._transcript_hash, suite.hash_size)
