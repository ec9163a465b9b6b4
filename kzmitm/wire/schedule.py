"""Key schedule (RFC 8446, 7.1) and record protection (RFC 8446, 5.2) of TLS 1.3's first flight.

HKDF is HMAC by the standard library's one-shot call: each output here fits one block (RFC 5869, 2.3).
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from kzmitm.wire.iana.alerts import BAD_RECORD_MAC, UNEXPECTED_MESSAGE
from kzmitm.wire.violation import ViolationError

_BLOCK = b"\x01"
"""Number of the one block of HKDF-Expand."""


def _info(label: bytes, size: int, context_size: int) -> bytes:
    """The HkdfLabel up to its context."""
    full = b"tls13 " + label
    return size.to_bytes(2, "big") + bytes((len(full),)) + full + bytes((context_size,))


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite of TLS 1.3: its hash, its AEAD, and the schedule's constants for this hash."""

    algorithm: str
    hash: "Callable[[bytes], hashlib._Hash]"
    aead: type[AESGCM] | type[ChaCha20Poly1305]
    derived: bytes
    """Derive-Secret(Early Secret, "derived", ""): constant, as we offer no PSK."""
    server_info: bytes
    """HkdfLabels; these two want the transcript hash and the block number behind them."""
    client_info: bytes
    key_info: bytes
    key_size: int


def _suite(algorithm: str, aead: type[AESGCM] | type[ChaCha20Poly1305], key_size: int) -> Suite:
    constructor = hashlib.sha256 if algorithm == "sha256" else hashlib.sha384
    empty = constructor().digest()
    size = len(empty)
    early = hmac.digest(bytes(size), bytes(size), algorithm)
    return Suite(
        algorithm=algorithm,
        hash=constructor,
        aead=aead,
        derived=hmac.digest(early, _info(b"derived", size, size) + empty + _BLOCK, algorithm),
        server_info=_info(b"s hs traffic", size, size),
        client_info=_info(b"c hs traffic", size, size),
        key_info=_info(b"key", key_size, 0) + _BLOCK,
        key_size=key_size,
    )


_IV_INFO = _info(b"iv", 12, 0) + _BLOCK

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
        self._aead = suite.aead(hmac.digest(secret, suite.key_info, algorithm)[: suite.key_size])
        self._iv = int.from_bytes(hmac.digest(secret, _IV_INFO, algorithm)[:12], "big")
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
        self.server = Protection(suite, self._traffic_secret(suite.server_info))

    def client(self) -> Protection:
        """What protects our own records."""
        return Protection(self._suite, self._traffic_secret(self._suite.client_info))

    def _traffic_secret(self, info: bytes) -> bytes:
        return hmac.digest(self._secret, info + self._transcript_hash + _BLOCK, self._suite.algorithm)
