"""Certificates out of a file that the user named: PEM with anything between, or DER."""

import re
from base64 import b64decode

from kzmitm.errors import UsageError

_BLOCK = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([^-]*)-----END", re.ASCII)

DER_SEQUENCE = 0x30
"""First octet of every certificate as DER (X.690, 8.9)."""


def certificates_of(content: bytes, *, origin: str) -> tuple[bytes, ...]:
    """The certificates in a file as DER, in order; raises UsageError if it holds none."""
    found = tuple(der for block in _BLOCK.findall(content) if (der := _decoded(block)))
    if not found and content[:1] == bytes([DER_SEQUENCE]):
        found = (content,)
    if not found:
        raise UsageError(
            "{origin}: no certificate is in it", hint="give a certificate as PEM or DER", origin=origin
        )
    return found


def _decoded(block: bytes) -> bytes:
    try:
        return b64decode(b"".join(block.split()), validate=True)
    except ValueError:
        return b""
