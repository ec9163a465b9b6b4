"""What can still be read of a certificate that breaks the rules of DER or RFC 5280.

Real ones do: lengths not minimal, times without seconds, versions that do not exist, octets after
the end. Each field is read by itself, so that names, validity and the key's hash survive a bad
neighbour: attribution needs them. Never raises.
"""

import re
from datetime import datetime, timedelta
from hashlib import sha256

from kzmitm.model.certificate import Name, NameAttribute, PublicKey
from kzmitm.pki import der
from kzmitm.pki.der import DERError
from kzmitm.pki.draft import Draft
from kzmitm.pki.keys import read_public_key
from kzmitm.pki.names import MAX_NAME_ATTRIBUTES, parse_name, text_of
from kzmitm.pki.validity import parse_digits
from kzmitm.wording import Wording

Element = tuple[int, int, int, int]
"""Tag, where the element starts, where its content starts, where it ends."""

MAX_ELEMENTS = 256
"""Of one container: more than any real list of extensions has, and an end for nonsense."""


def salvage(data: bytes, why: str) -> Draft:
    """A draft with all that could be read; `why` is why the strict way failed."""
    draft = Draft()
    draft.blame("unparsable", why)
    outer = lenient(data, 0, len(data))
    parts = lenient(data, outer[0][2], outer[0][3]) if outer else []
    if not parts:
        return draft
    draft.tbs = data[parts[0][1] : parts[0][3]]
    if len(parts) >= 3:
        draft.outer_algorithm = data[parts[1][1] : parts[1][3]]
        draft.signature = data[parts[2][2] + 1 : parts[2][3]]
    _read_body(data, lenient(data, parts[0][2], parts[0][3]), draft)
    return draft


def lenient(data: bytes, pos: int, end: int) -> list[Element]:
    """The elements from `pos` to `end`, as far as they go: any definite length, the last one cut to fit."""
    found: list[Element] = []
    while end - pos >= 2 and len(found) < MAX_ELEMENTS:
        tag, length, start = data[pos], data[pos + 1], pos + 2
        if length > 0x7F:
            count = length & 0x7F
            length = int.from_bytes(data[start : start + count], "big") if count else end - start - count
            start += count
        stop = min(start + length, end)
        if start > end:
            break
        found.append((tag, pos, start, stop))
        pos = stop
    return found


def _read_body(data: bytes, fields: list[Element], draft: Draft) -> None:
    """Reads the fields of a body by their order, from the first integer on."""
    if fields and fields[0][0] == 0xA0:
        version = lenient(data, fields[0][2], fields[0][3])
        if version:
            draft.version = min(int.from_bytes(data[version[0][2] : version[0][3]][:4], "big") + 1, 1 << 31)
        fields = fields[1:]
    for element, read in zip(fields, _FIELDS, strict=False):
        read(data, element, draft)
    for tag, _, start, stop in fields[len(_FIELDS) :]:
        if tag == 0xA3:
            _read_extensions(data, start, stop, draft)


def _serial(data: bytes, element: Element, draft: Draft) -> None:
    draft.serial = int.from_bytes(data[element[2] : element[3]], "big", signed=True)


def _algorithm(data: bytes, element: Element, draft: Draft) -> None:
    draft.inner_algorithm = data[element[1] : element[3]]


def _issuer(data: bytes, element: Element, draft: Draft) -> None:
    draft.issuer = _name(data, element, draft)


def _subject(data: bytes, element: Element, draft: Draft) -> None:
    draft.subject = _name(data, element, draft)


def _name(data: bytes, element: Element, draft: Draft) -> Name:
    encoded = data[element[1] : element[3]]
    try:
        return parse_name(encoded)
    except DERError as error:
        draft.blame("unparsable", Wording("name: {why}", why=error))
    attributes = []
    for _, _, rdn, rdn_end in lenient(data, element[2], element[3]):
        for _, _, inner, inner_end in lenient(data, rdn, rdn_end):
            pair = lenient(data, inner, inner_end)
            if len(pair) < 2:
                continue
            (_, _, first, last), (tag, _, start, stop) = pair[:2]
            try:
                oid = der.oid_text(data[first:last])
            except DERError:
                oid = data[first:last].hex()
            attributes.append(NameAttribute(oid, text_of(tag, data[start:stop])))
    return Name(encoded, tuple(attributes[:MAX_NAME_ATTRIBUTES]))


def _validity(data: bytes, element: Element, draft: Draft) -> None:
    times = [_time(data, time, draft) for time in lenient(data, element[2], element[3])[:2]]
    draft.not_before, draft.not_after = (*times, None, None)[:2]


def _time(data: bytes, element: Element, draft: Draft) -> datetime | None:
    """A time, also without seconds or with an offset, as X.690 forbids and some write."""
    tag, _, start, stop = element
    match = _TIME[tag == der.UTC_TIME].fullmatch(data[start:stop])
    if match is None:
        draft.blame("unparsable", Wording("a time that is none"))
        return None
    year, rest, seconds, sign, offset = match.groups()
    if len(year) == 2:
        year = (b"19" if year >= b"50" else b"20") + year
    try:
        time = parse_digits(year + rest + (seconds or b"00") + b"Z")
        shift = timedelta(hours=int(offset[:2]), minutes=int(offset[2:])) if offset else timedelta()
        return time + shift if sign == b"-" else time - shift
    except (DERError, OverflowError) as error:
        draft.blame("unparsable", Wording("time: {why}", why=error))
        return None


def _key(data: bytes, element: Element, draft: Draft) -> None:
    draft.spki = data[element[1] : element[3]]
    try:
        draft.key = read_public_key(draft.spki)
    except DERError as error:
        draft.blame("unparsable", Wording("key: {why}", why=error))
        digest = sha256(draft.spki).hexdigest()
        draft.key = PublicKey(kind="other", bits=0, spki_sha256=digest)


def _read_extensions(data: bytes, start: int, stop: int, draft: Draft) -> None:
    for _, _, first, last in lenient(data, start, stop)[:1]:
        for _, _, inner, end in lenient(data, first, last):
            parts = lenient(data, inner, end)
            try:
                oid = der.oid_text(data[parts[0][2] : parts[0][3]]) if parts else ""
            except DERError:
                continue
            critical = len(parts) > 2 and any(data[parts[1][2] : parts[1][3]])
            if len(parts) > 1:
                draft.extensions.append((oid, critical, data[parts[-1][2] : parts[-1][3]]))


_FIELDS = (_serial, _algorithm, _issuer, _validity, _subject, _key)
_TIME = (
    re.compile(rb"(\d{4})(\d{8})(\d\d)?(?:\.\d+)?(?:Z|([+-])(\d{4}))?"),
    re.compile(rb"(\d{2})(\d{8})(\d\d)?(?:Z|([+-])(\d{4}))?"),
)
