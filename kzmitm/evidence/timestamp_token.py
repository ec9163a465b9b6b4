"""A timestamp taken apart: TimeStampResp (RFC 3161, 2.4.2) over SignedData (RFC 5652, 5) over TSTInfo.

What is read here is what its signer says; whose signer that is, `kzmitm.evidence.timestamps` finds out. The
order of sets is not looked at: authorities are known that do not sort them, and say nothing wrong by it.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kzmitm.model.certificate import Certificate
from kzmitm.pki import der
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.der import DERError, elements, expect
from kzmitm.pki.names import name_key
from kzmitm.pki.parse import dissect
from kzmitm.pki.signatures import is_signature_valid, load_key
from kzmitm.pki.validity import parse_digits

DIGESTS = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
"""The hashes that a stamp may be made with; SHA-1 can be collided, so that it would date two texts."""

SIGNED_DATA = "1.2.840.113549.1.7.2"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")
"""rsaEncryption: many signers name the key's algorithm only (RFC 3370, 3.2); the hash is the digest's."""
_RSA_WITH = {
    name: bytes.fromhex(f"300d06092a864886f70d0101{arc}0500")
    for name, arc in (("sha256", "0b"), ("sha384", "0c"), ("sha512", "0d"))
}
"""sha256WithRSAEncryption and so on (RFC 4055, 5)."""

_TIME = re.compile(rb"(\d{14})(?:\.(\d+))?Z", re.ASCII)
"""RFC 3161, 2.4.2: with seconds, perhaps with fractions, always Z."""

GRANTED = 0
GRANTED_WITH_MODS = 1
FAILURES = {
    0: "badAlg",
    2: "badRequest",
    5: "badDataFormat",
    14: "timeNotAvailable",
    15: "unacceptedPolicy",
    16: "unacceptedExtension",
    17: "addInfoNotAvailable",
    25: "systemFailure",
}
"""Bits of PKIFailureInfo (RFC 3161, 2.4.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """PKIStatusInfo, and the token's octets (empty without one). `said` is a stranger's text."""

    status: int
    said: str
    token: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token says, whoever signed it; `certificates` are those that it carries."""

    at: datetime
    imprint: tuple[str, bytes]
    """Name of the hash, and its value; the name is "" for a hash that we do not accept."""
    nonce: int | None
    signer: Certificate | None
    """The one that the signature names, if the token carries it."""
    certificates: tuple[Anatomy, ...]
    is_signature_valid: bool | None
    """False for a signature that is wrong; None where the algorithm is unknown or the signer absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _SignerInfo:
    """RFC 5652, 5.3, with the attributes as they are signed."""

    issuer: bytes
    serial: int
    digest: str
    signed_attributes: bytes
    algorithm: bytes
    signature: bytes


def read_response(octets: bytes) -> Response:
    """Take a TimeStampResp apart; raises DERError."""
    pos, end = der.whole(octets, der.SEQUENCE)
    start, stop = expect(octets, pos, end, der.SEQUENCE)
    (tag, _, first, last), *rest = elements(octets, start, stop) or [(0, 0, 0, 0)]
    if tag != der.INTEGER:
        raise DERError("no PKIStatus")
    said = [text for each in rest for text in _texts(octets, *each)]
    return Response(
        status=der.read_integer(octets, first, last), said=", ".join(said), token=octets[stop:end]
    )


def _texts(octets: bytes, tag: int, _at: int, start: int, stop: int) -> list[str]:
    """What statusString and failInfo say."""
    if tag == der.SEQUENCE:
        return [octets[s:e].decode("utf-8", "replace") for _, _, s, e in elements(octets, start, stop)]
    if tag != der.BIT_STRING:
        raise DERError("neither statusString nor failInfo")
    _, bits = der.read_bits(octets, start, stop)
    set_bits = (n for n in range(8 * len(bits)) if bits[n // 8] & 0x80 >> n % 8)
    return [FAILURES.get(n, f"failure {n}") for n in set_bits]


def read_token(octets: bytes) -> Token:
    """Take a TimeStampToken apart and check its signature with the certificate in it; raises DERError."""
    pos, end = der.whole(octets, der.SEQUENCE)
    pos, end = expect(octets, _known(octets, pos, end, SIGNED_DATA), end, 0xA0)
    pos, end = expect(octets, pos, end, der.SEQUENCE)
    pos = _version(octets, pos, end, 3)  # RFC 5652, 5.1: with any content that is not plain data
    pos = expect(octets, pos, end, der.SET)[1]
    start, stop = expect(octets, pos, end, der.SEQUENCE)
    start, _ = expect(octets, _known(octets, start, stop, TST_INFO), stop, 0xA0)
    content = _content(octets, start, stop, der.OCTET_STRING)
    certificates, signers = _certificates_and_signers(octets, stop, end)
    if len(signers) != 1:
        raise DERError("not one signer (RFC 3161, 2.4.2)")
    info = _signer_info(signers[0])
    signer = next((each for each in certificates if _is_named(each.certificate, info)), None)
    at, imprint, nonce = _tst_info(content)
    return Token(
        at=at,
        imprint=imprint,
        nonce=nonce,
        signer=signer.certificate if signer else None,
        certificates=tuple(certificates),
        is_signature_valid=_is_signed(info, content, signer) if signer else None,
    )


def _certificates_and_signers(octets: bytes, pos: int, end: int) -> tuple[list[Anatomy], list[bytes]]:
    certificates: list[Anatomy] = []
    signers: list[bytes] = []
    for tag, _, start, stop in elements(octets, pos, end):
        parts = [octets[at:last] for _, at, _, last in elements(octets, start, stop)]
        if tag == 0xA0:
            certificates += map(dissect, parts)
        elif tag == der.SET:
            signers += parts
        elif tag != 0xA1:  # revocation lists
            raise DERError("tag {tag} in SignedData", tag=f"{tag:#04x}")
    return certificates, signers


def _signer_info(octets: bytes) -> _SignerInfo:
    pos, end = der.whole(octets, der.SEQUENCE)
    pos = _version(octets, pos, end, 1)  # RFC 5652, 5.3: with issuerAndSerialNumber
    start, stop = expect(octets, pos, end, der.SEQUENCE)
    name_end = expect(octets, start, stop, der.SEQUENCE)[1]
    serial = der.read_integer(octets, *expect(octets, name_end, stop, der.INTEGER))
    digest, pos = _digest(octets, stop, end)
    attributes_end = expect(octets, pos, end, 0xA0)[1]
    algorithm_end = expect(octets, attributes_end, end, der.SEQUENCE)[1]
    return _SignerInfo(
        issuer=octets[start:name_end],
        serial=serial,
        digest=digest,
        # RFC 5652, 5.4: what is signed is a SET OF, whatever tag stands before it in the message.
        signed_attributes=bytes([der.SET]) + octets[pos + 1 : attributes_end],
        algorithm=octets[attributes_end:algorithm_end],
        signature=_content(octets, algorithm_end, end, der.OCTET_STRING),
    )


def _is_named(certificate: Certificate, info: _SignerInfo) -> bool:
    return certificate.issuer.der == info.issuer and certificate.serial == info.serial


def _is_signed(info: _SignerInfo, content: bytes, signer: Anatomy) -> bool | None:
    """True if the signer signed the attributes, and these hold the hash of the content (RFC 5652, 5.6)."""
    if not info.digest:
        return None
    attributes = _attributes(info.signed_attributes)
    digest = hashlib.new(info.digest, content).digest()
    if attributes.get(_MESSAGE_DIGEST) != bytes([der.OCTET_STRING, len(digest)]) + digest:
        return False
    kind = attributes.get(_CONTENT_TYPE, b"")
    if der.read_oid(kind, 0, len(kind))[0] != TST_INFO:
        return False
    algorithm = _RSA_WITH[info.digest] if info.algorithm == _RSA else info.algorithm
    return is_signature_valid(load_key(signer.spki), algorithm, info.signature, info.signed_attributes)


def _attributes(octets: bytes) -> dict[str, bytes]:
    """The only value of each signed attribute, by type; raises DERError where one has several."""
    found: dict[str, bytes] = {}
    for _, _, start, stop in elements(octets, *der.whole(octets, der.SET)):
        oid, pos = der.read_oid(octets, start, stop)
        values = expect(octets, pos, stop, der.SET)
        if oid in found or len(elements(octets, *values)) != 1:
            raise DERError("signed attribute {oid} with several values (RFC 5652, 11)", oid=oid)
        found[oid] = octets[slice(*values)]
    return found


def _tst_info(octets: bytes) -> tuple[datetime, tuple[str, bytes], int | None]:
    """`genTime`, `messageImprint` and `nonce` of a TSTInfo (RFC 3161, 2.4.2)."""
    pos, end = der.whole(octets, der.SEQUENCE)
    pos = der.read_oid(octets, _version(octets, pos, end, 1), end)[1]
    start, stop = expect(octets, pos, end, der.SEQUENCE)
    name, start = _digest(octets, start, stop)
    imprint = _content(octets, start, stop, der.OCTET_STRING)
    pos = expect(octets, stop, end, der.INTEGER)[1]
    start, stop = expect(octets, pos, end, der.GENERALIZED_TIME)
    rest = {tag: (first, last) for tag, _, first, last in elements(octets, stop, end)}
    nonce = rest.get(der.INTEGER)
    return (
        _gen_time(octets[start:stop]),
        (name, imprint),
        der.read_integer(octets, *nonce) if nonce else None,
    )


def _gen_time(text: bytes) -> datetime:
    match = _TIME.fullmatch(text)
    if match is None:
        raise DERError("not a time of RFC 3161")
    fraction = (match[2] or b"").ljust(6, b"0")[:6]
    return parse_digits(match[1] + b"Z").replace(microsecond=int(fraction))


def _known(octets: bytes, pos: int, end: int, oid: str) -> int:
    found, pos = der.read_oid(octets, pos, end)
    if found != oid:
        raise DERError("{found} instead of {oid}", found=found, oid=oid)
    return pos


def _version(octets: bytes, pos: int, end: int, number: int) -> int:
    start, stop = expect(octets, pos, end, der.INTEGER)
    if der.read_integer(octets, start, stop) != number:
        raise DERError("not version {number}", number=number)
    return stop


def _digest(octets: bytes, pos: int, end: int) -> tuple[str, int]:
    """The name of the hash of an AlgorithmIdentifier ("" for another than ours), and where it ends."""
    start, stop = expect(octets, pos, end, der.SEQUENCE)
    return DIGESTS.get(der.read_oid(octets, start, stop)[0], ""), stop


def _content(octets: bytes, pos: int, end: int, tag: int) -> bytes:
    start, stop = expect(octets, pos, end, tag)
    return octets[start:stop]


def anchors_of(token: Token, roots: Sequence[bytes]) -> list[Certificate]:
    """The roots (DER) that issued what the signer leads to by name, and were valid at the time of the stamp.

    A root of the same name alone says nothing: authorities renew their roots, with another key.
    """
    by_subject: dict[object, list[Anatomy]] = {}
    for each in token.certificates:
        by_subject.setdefault(name_key(each.certificate.subject), []).append(each)
    reached: dict[object, list[Anatomy]] = {}
    waiting = [each for each in token.certificates if each.certificate is token.signer]
    while waiting:
        each = waiting.pop()
        issuer = name_key(each.certificate.issuer)
        if issuer not in reached:
            waiting += by_subject.get(issuer, [])
        reached.setdefault(issuer, []).append(each)
    found = map(dissect, roots)
    return [
        r.certificate for r in found if _is_anchor(r, reached.get(name_key(r.certificate.subject)), token)
    ]


def _is_anchor(root: Anatomy, issued: list[Anatomy] | None, token: Token) -> bool:
    begin, end = root.certificate.not_before, root.certificate.not_after
    if not issued or root.certificate.parse_error or not begin or not end or not begin <= token.at <= end:
        return False
    key = load_key(root.spki)
    return any(is_signature_valid(key, each.algorithm, each.signature, each.tbs) for each in issued)
