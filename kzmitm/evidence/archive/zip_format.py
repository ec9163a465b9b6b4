"""The records of a zip archive, as APPNOTE.TXT 6.3 has them, and the one form in which we write them.

https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

import struct
from dataclasses import dataclass

LOCAL = struct.Struct("<IHHHHHIIIHH")
"""Local file header (4.3.7): signature, version needed, flags, method, time, date, CRC-32, sizes, lengths."""
CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
"""Central directory header (4.3.12)."""
END = struct.Struct("<IHHHHIIH")
"""End of central directory record (4.3.16)."""

LOCAL_SIGNATURE = 0x04034B50
CENTRAL_SIGNATURE = 0x02014B50
END_SIGNATURE = 0x06054B50
DESCRIPTOR_SIGNATURE = b"PK\x07\x08"

STORED = 0
DEFLATED = 8

FLAG_ENCRYPTED = 0x0001
FLAG_DESCRIPTOR = 0x0008
FLAG_UTF8 = 0x0800
FLAGS_HARMLESS = 0x0006 | FLAG_DESCRIPTOR | FLAG_UTF8
"""How hard deflate tried, sizes behind the data, and the encoding of names: what re-packing leaves."""

CREATOR_UNIX = 3
MODE_TYPE = 0o170000
MODE_REGULAR = 0o100000
ATTRIBUTES_SPECIAL = 0x18
"""MS-DOS: volume label and folder."""

EXTRAS_HARMLESS = frozenset({0x000A, 0x5455, 0x5855, 0x7855, 0x7875})
"""Extra fields (4.5.2) with times and owners: NTFS, and those of Info-ZIP. Others give a member a second name
(0x7075), second sizes (0x0001) or make a link of it (0x000D, 0x756E), for those readers that know them."""

MAX_ARCHIVE = 0xFFFF_FFFE
"""Octets without Zip64 extensions, whose second set of sizes is a second truth."""

VERSION_NEEDED = 10
MADE_BY = CREATOR_UNIX << 8 | 20
DATE = 1 << 5 | 1
"""1980-01-01, the earliest date there is; the time of day is 0."""
ATTRIBUTES = (MODE_REGULAR | 0o644) << 16


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive as its central header tells it."""

    name: bytes
    method: int
    flags: int
    crc: int
    packed: int
    size: int
    offset: int
    made_by: int = MADE_BY
    needed: int = VERSION_NEEDED
    time: int = 0
    date: int = DATE
    internal: int = 0
    attributes: int = ATTRIBUTES
    extra: bytes = b""
    comment: bytes = b""
    disk: int = 0

    def local_header(self) -> bytes:
        return LOCAL.pack(
            LOCAL_SIGNATURE, self.needed, self.flags, self.method, self.time, self.date, self.crc,
            self.packed, self.size, len(self.name), 0,
        ) + self.name  # fmt: skip

    def central_header(self) -> bytes:
        return CENTRAL.pack(
            CENTRAL_SIGNATURE, self.made_by, self.needed, self.flags, self.method, self.time, self.date,
            self.crc, self.packed, self.size, len(self.name), len(self.extra), len(self.comment), self.disk,
            self.internal, self.attributes, self.offset,
        ) + self.name + self.extra + self.comment  # fmt: skip


def canonical_member(name: bytes, size: int, crc: int, offset: int) -> Member:
    """The member as we write it: stored, without date, mode 0644."""
    return Member(name=name, method=STORED, flags=0, crc=crc, packed=size, size=size, offset=offset)


def end_record(count: int, size: int, offset: int) -> bytes:
    return END.pack(END_SIGNATURE, 0, 0, count, count, size, offset, 0)
