"""The form of a signature, by which most keys are told not to have made it before anything is computed."""

from functools import lru_cache

from kzmitm.model.certificate import Certificate
from kzmitm.pki.entries import KnownCertificate


def signature_fits(child: Certificate, signer: KnownCertificate) -> bool:
    """Whether the certificate ends in a signature of the form that the signer's key makes.

    An RSA signature has the octets of the modulus (RFC 8017, 8.2.1), so that nearly all wrong keys are left
    out without arithmetic. Other signatures have no fixed length and are told by the algorithm.
    """
    octets = signer.signature_octets
    if octets is None:
        return child.signature_algorithm.startswith(_ECDSA)
    return child.der[:-octets].endswith(_bit_string_header(octets + 1))


_ECDSA = "1.2.840.10045.4."


@lru_cache(maxsize=16)
def _bit_string_header(length: int) -> bytes:
    """Tag, DER length and the zero count of unused bits (X.690, 8.1.3 and 8.6.2)."""
    if length < 0x80:
        return bytes((0x03, length, 0))
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((0x03, 0x80 | len(octets), *octets, 0))
