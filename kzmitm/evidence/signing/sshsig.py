"""SSH signatures with Ed25519, as `ssh-keygen -Y sign` makes them, byte for byte.

https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig
"""

import base64
import hashlib
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kzmitm.errors import WordedError

KEY_TYPE = b"ssh-ed25519"
MAX_SIGNATURE = 1_000
"""Characters of an armoured signature: ours have 311 with their longest namespace."""

_SIGN = 1 << 255
_P = 2**255 - 19
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_LOW_ORDER = frozenset({0, 1, _P - 1, _ORDER_8, _P - _ORDER_8})
"""y of the points of order 1, 2, 4 and 8 (RFC 8032, 5.1): anybody can make signatures for such a key."""

_MAGIC = b"SSHSIG"
_VERSION = struct.pack(">I", 1)
_HASH = b"sha512"
_BEGIN = "-----BEGIN SSH SIGNATURE-----\n"
_END = "-----END SSH SIGNATURE-----\n"
_WIDTH = 70
"""Characters of base64 in a line, as OpenSSH breaks it."""


class SignatureError(WordedError, ValueError):
    """No signature in this form, or one that does not verify; the message says which."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 key: its 32 octets."""

    raw: bytes

    @property
    def blob(self) -> bytes:
        """The key as SSH sends it (RFC 8709, 4)."""
        return _string(KEY_TYPE) + _string(self.raw)

    @property
    def fingerprint(self) -> str:
        """`SHA256:` and base64 without padding, as `ssh-keygen -l` tells it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def line(self) -> str:
        """`ssh-ed25519 AAAA…`, without a comment, which by custom tells user and host."""
        return f"{KEY_TYPE.decode()} {base64.b64encode(self.blob).decode()}"


def public_half(key: Ed25519PrivateKey) -> PublicKey:
    return PublicKey(key.public_key().public_bytes_raw())


def parse_public_key(blob: bytes) -> PublicKey:
    """The key of an SSH key blob; raises SignatureError for another kind, and one that proves nothing."""
    prefix = _string(KEY_TYPE) + struct.pack(">I", 32)
    if not blob.startswith(prefix) or len(blob) != len(prefix) + 32:
        raise SignatureError("no Ed25519 key")
    raw = blob[-32:]
    if (int.from_bytes(raw, "little") & ~_SIGN) % _P in _LOW_ORDER:
        raise SignatureError("a key of low order, under which everything is signed")
    return PublicKey(raw)


def sign(message: bytes, key: Ed25519PrivateKey, namespace: str) -> bytes:
    """The armoured signature; the same key, message and namespace always give the same octets."""
    signature = key.sign(_signed(message, namespace.encode("ascii")))
    return _armoured(public_half(key), namespace.encode("ascii"), signature)


def verify(message: bytes, armoured: bytes, namespace: str) -> PublicKey:
    """The key that made the signature over `message`; raises SignatureError.

    Only the one form that `sign` writes is taken, so that no octet can be changed unnoticed.
    """
    key, signature = _parse(armoured, namespace.encode("ascii"))
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(
            signature, _signed(message, namespace.encode("ascii"))
        )
    except InvalidSignature:
        raise SignatureError("it was not made over this") from None
    return key


def _parse(armoured: bytes, namespace: bytes) -> tuple[PublicKey, bytes]:
    """(key, 64 octets of signature) of what `_armoured` writes for this namespace."""
    if len(armoured) > MAX_SIGNATURE:
        raise SignatureError("too long")
    text = armoured.decode("ascii", "replace")
    try:
        blob = base64.b64decode(text.removeprefix(_BEGIN).removesuffix(_END).replace("\n", ""), validate=True)
    except ValueError:
        raise SignatureError("not in OpenSSH's form") from None
    head = len(_MAGIC) + len(_VERSION)
    key_size = 4 + len(KEY_TYPE) + 4 + 32
    key = parse_public_key(blob[head + 4 : head + 4 + key_size])
    signature = blob[-64:]
    if _armoured(key, namespace, signature) != armoured:
        raise SignatureError("not in our form, or not for {namespace}", namespace=namespace.decode())
    return key, signature


def _armoured(key: PublicKey, namespace: bytes, signature: bytes) -> bytes:
    blob = (
        _MAGIC
        + _VERSION
        + _string(key.blob)
        + _string(namespace)
        + _string(b"")
        + _string(_HASH)
        + _string(_string(KEY_TYPE) + _string(signature))
    )
    text = base64.b64encode(blob).decode()
    lines = [text[i : i + _WIDTH] + "\n" for i in range(0, len(text), _WIDTH)]
    return (_BEGIN + "".join(lines) + _END).encode()


def _signed(message: bytes, namespace: bytes) -> bytes:
    """What the key signs in place of the message."""
    digest = hashlib.sha512(message).digest()
    return _MAGIC + _string(namespace) + _string(b"") + _string(_HASH) + _string(digest)


def _string(octets: bytes) -> bytes:
    """A string of SSH (RFC 4251, 5)."""
    return struct.pack(">I", len(octets)) + octets
