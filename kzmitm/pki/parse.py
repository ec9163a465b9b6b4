"""Certificates from DER. Whatever the octets are, a `Certificate` comes back: bad ones are evidence too.

The way of a well-formed certificate is one pass here; one that breaks the rules of DER or RFC 5280
goes to `kzmitm.pki.salvage`, which reads what is left and says why in `parse_error`.
"""

from kzmitm.model.certificate import Certificate
from kzmitm.pki import der
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.der import DERError, expect, read_tlv
from kzmitm.pki.draft import Draft, assemble
from kzmitm.pki.keys import read_public_key
from kzmitm.pki.memo import memo
from kzmitm.pki.names import parse_name
from kzmitm.pki.salvage import salvage
from kzmitm.pki.validity import read_time
from kzmitm.wording import Wording

MAX_CERTIFICATE_OCTETS = 1 << 17
"""Certificates in use have up to 50 KB; a longer one is kept by its hashes and not taken apart."""

MAX_EXTENSIONS = 256
"""Certificates in use have up to 20; each costs us fifty times its octets."""

_VERSION = 0xA0
_EXTENSIONS = 0xA3
_UNIQUE_IDS = (0x81, 0x82)


def parse_certificate(encoded: bytes) -> Certificate:
    """The certificate in these octets; never raises. `parse_error` says what is wrong with a bad one."""
    return dissect(encoded).certificate


def dissect(encoded: bytes) -> Anatomy:
    """The certificate in these octets with its parts; never raises."""
    draft = Draft()
    if len(encoded) > MAX_CERTIFICATE_OCTETS:
        draft.blame(
            "unparsable",
            Wording(
                "longer than {max_certificate_octets} octets", max_certificate_octets=MAX_CERTIFICATE_OCTETS
            ),
        )
        return assemble(encoded, draft)
    try:
        pos, end = _read_frame(encoded, draft)
        pos = _read_version(encoded, pos, end, draft)
        pos = _read_body(encoded, pos, end, draft)
        _read_extensions(encoded, pos, end, draft)
    except DERError as error:
        draft = salvage(encoded, str(error))
    return assemble(encoded, draft)


def _read_frame(data: bytes, draft: Draft) -> tuple[int, int]:
    """Reads body, algorithm and signature (RFC 5280, 4.1.1); start and end of the body's content."""
    start, stop = der.whole(data, der.SEQUENCE)
    pos, body_end = expect(data, start, stop, der.SEQUENCE)
    draft.tbs = data[start:body_end]
    _, algorithm_end = expect(data, body_end, stop, der.SEQUENCE)
    draft.outer_algorithm = data[body_end:algorithm_end]
    first, last = expect(data, algorithm_end, stop, der.BIT_STRING)
    unused, draft.signature = der.read_bits(data, first, last)
    if unused or last != stop:
        raise DERError("a certificate is a body, an algorithm and a signature of whole octets")
    return pos, body_end


def _read_version(data: bytes, pos: int, end: int, draft: Draft) -> int:
    if pos == end or data[pos] != _VERSION:
        return pos
    start, stop = expect(data, pos, end, _VERSION)
    first, last = expect(data, start, stop, der.INTEGER)
    draft.version = der.read_integer(data, first, last) + 1
    if last != stop or draft.version not in (1, 2, 3):
        raise DERError("version {version}", version=draft.version)
    return stop


def _read_body(data: bytes, pos: int, end: int, draft: Draft) -> int:
    """Reads serial to key (RFC 5280, 4.1.2); where that ends."""
    first, last = expect(data, pos, end, der.INTEGER)
    draft.serial = der.read_integer(data, first, last)
    _, stop = expect(data, last, end, der.SEQUENCE)
    draft.inner_algorithm = data[last:stop]
    _, issuer_end = expect(data, stop, end, der.SEQUENCE)
    draft.issuer = parse_name(data[stop:issuer_end])
    inner, stop = expect(data, issuer_end, end, der.SEQUENCE)
    draft.not_before, inner = read_time(data, inner, stop)
    draft.not_after, inner = read_time(data, inner, stop)
    if inner != stop:
        raise DERError("a validity is two times")
    _, subject_end = expect(data, stop, end, der.SEQUENCE)
    draft.subject = parse_name(data[stop:subject_end])
    _, stop = expect(data, subject_end, end, der.SEQUENCE)
    draft.spki = data[subject_end:stop]
    draft.key = read_public_key(draft.spki)
    return stop


def _read_extensions(data: bytes, pos: int, end: int, draft: Draft) -> None:
    while pos < end and data[pos] in _UNIQUE_IDS:
        _, _, pos = read_tlv(data, pos, end)
    if pos == end:
        return
    start, stop = expect(data, pos, end, _EXTENSIONS)
    first, last = expect(data, start, stop, der.SEQUENCE)
    if stop != end or last != stop or first == last:
        raise DERError("extensions are one sequence at the end of the body")
    while first < last:
        inner, after = expect(data, first, last, der.SEQUENCE)
        draft.extensions.append(read_extension(data[inner:after]))
        first = after
        if len(draft.extensions) > MAX_EXTENSIONS:
            raise DERError("more than {max_extensions} extensions", max_extensions=MAX_EXTENSIONS)


@memo(1024)
def read_extension(data: bytes) -> tuple[str, bool, bytes]:
    """The content of one Extension (RFC 5280, 4.1): dotted OID, critical, value."""
    end = len(data)
    oid, pos = der.read_oid(data, 0, end)
    critical = False
    if pos < end and data[pos] == der.BOOLEAN:
        start, stop = expect(data, pos, end, der.BOOLEAN)
        critical, pos = der.read_boolean(data, start, stop), stop
    start, stop = expect(data, pos, end, der.OCTET_STRING)
    if stop != end:
        raise DERError("extension {oid} goes on after its value", oid=oid)
    return oid, critical, data[start:stop]
