"""DER, read within strict bounds (X.690, 8 and 10): one element at a time, no recursion, no copies.

Only what certificates need. Every function raises `DERError` and nothing else on any octets.
"""

from functools import lru_cache

from kzmitm.errors import WordedError

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OID = 0x06
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
SET = 0x31

MAX_OID_OCTETS = 128
"""Longer object identifiers are nobody's: the longest in use have about 30 octets."""


class DERError(WordedError, ValueError):
    """These octets are not the DER that was expected here."""


def read_tlv(data: bytes, pos: int, end: int) -> tuple[int, int, int]:
    """The element at `pos`: its tag octet, where its content starts, and where it ends (at most `end`)."""
    start = pos + 2
    if start > end:
        raise DERError("element cut short at octet {pos}", pos=pos)
    tag = data[pos]
    if tag & 0x1F == 0x1F:
        raise DERError("tag of several octets at octet {pos}", pos=pos)
    length = data[pos + 1]
    if length > 0x7F:
        start, length = _long_length(data, start, end)
    stop = start + length
    if stop > end:
        raise DERError("element at octet {pos} reaches past its container", pos=pos)
    return tag, start, stop


def _long_length(data: bytes, start: int, end: int) -> tuple[int, int]:
    count = data[start - 1] & 0x7F
    if not 1 <= count <= 4 or start + count > end:
        raise DERError("length not definite or not sane at octet {start}", start=start - 1)
    length = int.from_bytes(data[start : start + count], "big")
    if length < 0x80 or not data[start]:
        raise DERError("length not minimal at octet {start}", start=start - 1)
    return start + count, length


def expect(data: bytes, pos: int, end: int, tag: int) -> tuple[int, int]:
    """Start and end of the content of the element at `pos`, which must have this tag."""
    start = pos + 2  # read_tlv, written out: half of all time spent on a certificate is spent here
    if start > end:
        raise DERError("element cut short at octet {pos}", pos=pos)
    if data[pos] != tag:
        raise DERError(
            "tag {data} instead of {tag} at octet {pos}", data=f"{data[pos]:#04x}", tag=f"{tag:#04x}", pos=pos
        )
    length = data[pos + 1]
    if length > 0x7F:
        start, length = _long_length(data, start, end)
    stop = start + length
    if stop > end:
        raise DERError("element at octet {pos} reaches past its container", pos=pos)
    return start, stop


def whole(data: bytes, tag: int) -> tuple[int, int]:
    """Start and end of the content of the one element that `data` must be."""
    start, stop = expect(data, 0, len(data), tag)
    if stop != len(data):
        raise DERError("{count} octets after the end", count=len(data) - stop)
    return start, stop


def elements(data: bytes, pos: int, end: int) -> list[tuple[int, int, int, int]]:
    """All elements from `pos` to `end`: (tag, where the element starts, content start, content end)."""
    found = []
    while pos < end:
        tag, start, stop = read_tlv(data, pos, end)
        found.append((tag, pos, start, stop))
        pos = stop
    return found


def read_boolean(data: bytes, start: int, stop: int) -> bool:
    """A BOOLEAN's content: DER knows 00 and FF only (X.690, 11.1)."""
    if stop - start != 1 or data[start] not in (0x00, 0xFF):
        raise DERError("not a DER boolean at octet {start}", start=start)
    return data[start] == 0xFF


def read_integer(data: bytes, start: int, stop: int) -> int:
    """A signed INTEGER's content, which must be minimal (X.690, 8.3.2)."""
    if start == stop:
        raise DERError("empty integer at octet {start}", start=start)
    if stop - start > 1 and (
        (data[start] == 0 and data[start + 1] < 0x80) or (data[start] == 0xFF and data[start + 1] >= 0x80)
    ):
        raise DERError("integer not minimal at octet {start}", start=start)
    return int.from_bytes(data[start:stop], "big", signed=True)


def read_bits(data: bytes, start: int, stop: int) -> tuple[int, bytes]:
    """A BIT STRING's content: number of unused bits (which must be zero bits) and the octets."""
    if start == stop:
        raise DERError("empty bit string at octet {start}", start=start)
    unused, octets = data[start], data[start + 1 : stop]
    if unused > 7 or (unused and (not octets or octets[-1] & ((1 << unused) - 1))):
        raise DERError("unused bits wrong at octet {start}", start=start)
    return unused, octets


@lru_cache(maxsize=4096)  # the few hundred identifiers of the field, and room for nonsense
def oid_text(content: bytes) -> str:
    """The dotted form of an object identifier's content."""
    if not content or content[-1] & 0x80 or len(content) > MAX_OID_OCTETS:
        raise DERError("object identifier cut short, empty or too long")
    arcs, value, fresh = [], 0, True
    for octet in content:
        if fresh and octet == 0x80:
            raise DERError("object identifier with a padded arc")
        value, fresh = value << 7 | octet & 0x7F, not octet & 0x80
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def read_oid(data: bytes, pos: int, end: int) -> tuple[str, int]:
    """The object identifier at `pos` in dotted form, and the end of the element."""
    start, stop = expect(data, pos, end, OID)
    return oid_text(data[start:stop]), stop
