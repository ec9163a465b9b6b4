"""Certificates out of files of strangers: PEM bundles as OpenSSL and p11-kit know them, and bare DER.

Every format comes down to the same values. What is no certificate is counted and passed over, as the programs
do that read such files; the time is linear in the octets, whatever they are.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kzmitm.pki import der
from kzmitm.pki.der import DERError
from kzmitm.wording import Wording

MAX_CERTIFICATES = 20_000
"""Of one file. All roots that public programmes ever carried are below 1000; intermediates some thousands."""
MAX_PURPOSES = 64
"""Object identifiers in one list of purposes; those in use have up to ten."""

CERTIFICATE_LABELS = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"})
"""What OpenSSL takes for a certificate (PEM_STRING_X509, _OLD and _TRUSTED in its pem.h)."""
_TRUSTED = b"TRUSTED CERTIFICATE"

_BOUNDARY = re.compile(rb"-----(BEGIN|END) ([A-Z0-9 .]{1,64})-----")
_HEADERS_END = re.compile(rb"\r?\n[ \t]*\r?\n")
_BLANKS = b" \t\r\n\v\f"
_UTF8_STRING = 0x0C
_REJECTED = 0xA0


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCertificate:
    """A certificate in a file, and what the file says of it."""

    der: bytes
    """Its first DER element, which is what programs take; nothing more is sure."""
    label: str = ""
    """Its alias. Text of a stranger."""
    is_anchor: bool | None = None
    """The file says that it is trusted, or that it is not; None where it says neither."""
    is_distrusted: bool = False
    """The file says that it is blocked for everything."""
    allowed: frozenset[str] | None = None
    """Dotted identifiers of the only purposes it is trusted for; None where the file has no such list."""
    rejected: frozenset[str] = frozenset()
    """Purposes it is blocked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFile:
    """What is in a file."""

    certificates: tuple[FoundCertificate, ...] = ()
    broken: int = 0
    """Blocks that say to be certificates and are none."""
    is_cut: bool = False
    """It has more certificates than were read."""

    @property
    def problem(self) -> str:
        """What is wrong with it in one line, or ""."""
        if self.is_cut:
            return Wording("more certificates than any store has, so it was not read to its end")
        if self.broken == 1:
            return Wording("1 block is no certificate and was passed over")
        return (
            Wording("{broken} blocks are no certificates and were passed over", broken=self.broken)
            if self.broken
            else ""
        )


@dataclass(frozen=True, slots=True)
class Block:
    """A PEM block (RFC 7468): its label, and its octets, None if they cannot be decoded."""

    label: bytes
    octets: bytes | None


def read_certificates(octets: bytes) -> CertificateFile:
    """The certificates of a PEM bundle or a DER file; never raises."""
    bare = first_element(octets)
    found = [] if bare is None else [FoundCertificate(der=bare)]
    broken = 0
    for block in blocks(octets):  # of a DER file, too: it may have been made to be both
        if block.label not in CERTIFICATE_LABELS:
            continue
        certificate = read_block(block)
        if certificate is None:
            broken += 1
        else:
            found.append(certificate)
            if len(found) > MAX_CERTIFICATES:
                break
    is_cut = len(found) > MAX_CERTIFICATES
    return CertificateFile(certificates=tuple(found[:MAX_CERTIFICATES]), broken=broken, is_cut=is_cut)


def blocks(octets: bytes) -> Iterator[Block]:
    """All PEM blocks in order; one that does not end, or not with its own label, has no octets."""
    opened: tuple[bytes, int] | None = None
    for boundary in _BOUNDARY.finditer(octets):
        is_begin, label = boundary[1] == b"BEGIN", boundary[2]
        if opened is not None:
            begun, start = opened
            is_whole = not is_begin and label == begun
            yield Block(begun, _decoded(octets[start : boundary.start()]) if is_whole else None)
        opened = (label, boundary.end()) if is_begin else None
    if opened is not None:
        yield Block(opened[0], None)


def _decoded(text: bytes) -> bytes | None:
    """The octets of a block, strictly: OpenSSL refuses a block with any other sign, so nobody trusts it."""
    if b":" in text:  # headers as of RFC 1421, which end with an empty line
        parts = _HEADERS_END.split(text, maxsplit=1)
        text = parts[-1] if len(parts) == 2 else text
    try:
        return binascii.a2b_base64(text.translate(None, _BLANKS), strict_mode=True)
    except binascii.Error:
        return None


def read_block(block: Block) -> FoundCertificate | None:
    """The certificate of a block with one of `CERTIFICATE_LABELS`, None if it holds none."""
    encoded = first_element(block.octets or b"")
    if block.octets is None or encoded is None:
        return None
    rest = block.octets[len(encoded) :]
    if block.label != _TRUSTED or not rest:
        return FoundCertificate(der=encoded)
    try:
        label, allowed, rejected = _auxiliary(rest)
    except DERError:
        return FoundCertificate(der=encoded)  # rather told of without its purposes than not at all
    return FoundCertificate(der=encoded, label=label, allowed=allowed, rejected=rejected)


def first_element(octets: bytes) -> bytes | None:
    """The first element if it may be a certificate: a sequence that begins with a sequence.

    More lengths are taken than DER has, as OpenSSL takes them: a certificate written in a way that only we
    refuse would be one that only we do not see. One of indefinite length is kept with all that follows.
    """
    if len(octets) < 4 or octets[0] != der.SEQUENCE:
        return None
    length, start = octets[1], 2
    if length == 0x80:
        return octets if octets[start] == der.SEQUENCE else None
    if length > 0x80:
        start += length & 0x7F
        length = int.from_bytes(octets[2:start], "big")
    end = start + length
    if not start < end <= len(octets) or octets[start] != der.SEQUENCE:
        return None
    return octets[:end]


def _auxiliary(octets: bytes) -> tuple[str, frozenset[str] | None, frozenset[str]]:
    """Alias, trusted and rejected purposes (OpenSSL's X509_CERT_AUX); raises DERError."""
    pos, end = der.expect(octets, 0, len(octets), der.SEQUENCE)
    label = ""
    allowed: frozenset[str] | None = None
    rejected: frozenset[str] = frozenset()
    for tag, _, start, stop in der.elements(octets, pos, end):
        if tag == der.SEQUENCE:
            allowed = purposes(octets, start, stop)
        elif tag == _REJECTED:
            rejected = purposes(octets, start, stop)
        elif tag == _UTF8_STRING:
            label = octets[start:stop].decode("utf-8", "replace")
    return label, allowed, rejected


def purposes(octets: bytes, start: int, stop: int) -> frozenset[str]:
    """The object identifiers in a list of them; raises DERError."""
    found = set()
    while start < stop:
        oid, start = der.read_oid(octets, start, stop)
        found.add(oid)
        if len(found) > MAX_PURPOSES:
            raise DERError("more than {max_purposes} purposes", max_purposes=MAX_PURPOSES)
    return frozenset(found)
