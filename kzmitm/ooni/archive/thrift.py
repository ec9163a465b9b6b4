"""Thrift's compact protocol, as far as the footers of Parquet need it.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Mapping, Sequence

Field = tuple[int, bytes]
"""The kind of a field, and the octets behind the kind."""

FALSE: Field = (2, b"")
NO_STRUCTS: Field = (9, b"\x0c")
"""An empty list of structures."""


def varint(number: int) -> bytes:
    """A number of 7 bits an octet, the lowest first."""
    octets = bytearray()
    while number > 127:
        octets.append(number & 127 | 128)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def number(value: int, kind: int = 5) -> Field:
    """A number of 32 bits that is not negative."""
    return kind, varint(value << 1)  # zigzag


def long(value: int) -> Field:
    """A number of 64 bits that is not negative."""
    return number(value, 6)


def text(value: str) -> Field:
    octets = value.encode()
    return 8, varint(len(octets)) + octets


def many(items: Sequence[Field]) -> Field:
    """A list; at least one, and all of one kind."""
    count, kind = len(items), items[0][0]
    head = bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + varint(count)
    return 9, head + b"".join(octets for _, octets in items)


def struct(fields: Mapping[int, Field]) -> Field:
    """`fields` by their numbers, rising by less than 16."""
    octets, last = bytearray(), 0
    for place, (kind, content) in fields.items():
        octets.append(place - last << 4 | kind)
        octets += content
        last = place
    return 12, bytes(octets) + b"\0"
