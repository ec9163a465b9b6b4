"""Signed messages (RFC 5652): the content and the certificates, nothing verified.

Encoders of profiles write BER with indefinite lengths (`security cms -S`, `openssl smime -stream`).
Signatures are not looked at: whoever signed a profile, what it would install is the question.
"""

from dataclasses import dataclass

from kzmitm.pki.der import DERError
from kzmitm.roots.ber import EXPLICIT, OID, SEQUENCE, Reader

SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
"""The object identifier 1.2.840.113549.1.7.2, content only."""
PEM_LABELS = frozenset({b"PKCS7", b"CMS", b"PKCS #7 SIGNED DATA"})
"""What stands behind BEGIN where such a message is text (RFC 7468, 8 and 9; OpenSSL)."""


@dataclass(frozen=True, slots=True)
class SignedData:
    """The parts that are used; `content` is None if the message has none."""

    content: bytes | None
    certificates: tuple[bytes, ...]


def read_signed_data(octets: bytes) -> SignedData:
    """The message; raises DERError if it is none or is damaged."""
    ber = Reader(octets)
    kind, wrapped, *_ = ber.parts(ber.first(), SEQUENCE, 2)
    if kind.tag != OID or ber.content(kind) != SIGNED_DATA:
        raise DERError("not a signed message")
    signed = ber.parts(wrapped, EXPLICIT, 1)[0]
    _version, _digests, inner, *others = ber.parts(signed, SEQUENCE, 3)
    _kind, *content = ber.parts(inner, SEQUENCE, 1)
    kept = next((one for one in others if one.tag == EXPLICIT), None)
    return SignedData(
        ber.string(ber.parts(content[0], EXPLICIT, 1)[0]) if content else None,
        # Other forms than certificates have tags of their own (RFC 5652, 10.2.2).
        tuple(
            octets[one.begin : one.after]
            for one in (ber.parts(kept, EXPLICIT, 0) if kept else ())
            if one.tag == SEQUENCE
        ),
    )
