"""Reading an archive of a stranger, which may be made to harm or to show two readers two things.

Nothing is ever extracted. Before any content is read, every octet of the file is accounted for by exactly one
record, and both records of a member agree. `zipfile` takes octets before and behind the archive, doubled
names and lying sizes without a word.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from kzmitm.evidence.archive import zip_format as form
from kzmitm.evidence.archive.zip_directory import (
    as_ours,
    check_extra,
    is_repacked,
    read_directory,
    root_of,
    shown_path,
)
from kzmitm.evidence.archive.zip_format import Member
from kzmitm.evidence.archive.zip_writer import BLOCK
from kzmitm.evidence.damage import Code, DamagedError
from kzmitm.evidence.files import open_regular
from kzmitm.wording import Wording


class ZipContainer:
    """The files of a bundle in an archive; `names` are relative to its folder `root`, in order.

    Raises DamagedError for anything that could mean two things, OSError.
    """

    is_folder = False

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = open(open_regular(path), "rb")  # noqa: PTH123, SIM115 (closed by close)
        try:
            members, directory = read_directory(self._file)
            self.root = root_of(members)
            self.is_repacked = is_repacked(members)
            self._members = {_relative(each, self.root): each for each in members}
            self._starts = _starts(self._file, members, directory)
        except BaseException:
            self._file.close()
            raise
        self.names = tuple(sorted(self._members))

    def size(self, name: str) -> int:
        """Octets of a file."""
        return self._members[name].size

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file, checked against its checksum; raises DamagedError."""
        member = self._members[name]
        crc, size = 0, 0
        blocks = self._stored(member) if member.method == form.STORED else self._inflated(member)
        for block in blocks:
            crc = zlib.crc32(block, crc)
            size += len(block)
            yield block
        if size != member.size or crc != member.crc:
            raise DamagedError(Code.ARCHIVE_DAMAGED, name, Wording("its content has another checksum"))

    def close(self) -> None:
        self._file.close()

    def _stored(self, member: Member) -> Iterator[bytes]:
        offset, rest = self._starts[member.offset], member.packed
        while rest:
            self._file.seek(offset)
            block = self._file.read(min(BLOCK, rest))
            if not block:
                return  # cut off while we read
            offset += len(block)
            rest -= len(block)
            yield block

    def _inflated(self, member: Member) -> Iterator[bytes]:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        left, name = member.size, shown_path(member)
        try:
            for block in self._stored(member):
                data, is_full = block, False
                # Where a piece is as long as it may be, more can wait inside, though all input is taken.
                while (data or is_full) and not inflate.eof:
                    most = min(BLOCK, left + 1)
                    piece = inflate.decompress(data, most)
                    left -= len(piece)
                    if left < 0:
                        raise DamagedError(Code.ARCHIVE_DAMAGED, name, Wording("longer than it says"))
                    yield piece
                    data, is_full = inflate.unconsumed_tail, len(piece) == most
                if data or inflate.unused_data:
                    break
        except zlib.error:
            raise DamagedError(Code.ARCHIVE_DAMAGED, name, Wording("its compression is broken")) from None
        if not inflate.eof or inflate.unused_data:
            raise DamagedError(Code.ARCHIVE_DAMAGED, name, Wording("its compression has no end"))


def _starts(file: BinaryIO, members: Sequence[Member], directory: int) -> dict[int, int]:
    """Where the data of each member begins, by the offset of its header; no octet is left over."""
    starts, at = {}, 0
    for member in sorted(members, key=lambda each: each.offset):
        if member.offset != at:
            code = Code.ARCHIVE_EXTRA_BYTES if member.offset > at else Code.ARCHIVE_DAMAGED
            raise DamagedError(code, shown_path(member), Wording("its record is not where it should be"))
        start = at + _local_size(file, member)
        starts[at] = start
        at = start + member.packed + _descriptor_size(file, member, start + member.packed)
    if at > directory:
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", Wording("its files reach into its directory"))
    if at < directory:
        raise DamagedError(Code.ARCHIVE_EXTRA_BYTES, "", Wording("between the files and the directory"))
    return starts


def _local_size(file: BinaryIO, member: Member) -> int:
    """Octets of the local header, which must tell what the central one does."""
    file.seek(member.offset)
    header = file.read(form.LOCAL.size + len(member.name))
    wrong = DamagedError(
        Code.ARCHIVE_DAMAGED, shown_path(member), Wording("its two records contradict each other")
    )
    if len(header) != form.LOCAL.size + len(member.name):
        raise wrong
    extra: int = form.LOCAL.unpack_from(header)[-1]
    told = member
    if member.flags & form.FLAG_DESCRIPTOR:
        told = replace(member, crc=0, packed=0, size=0)
    expected = told.local_header()
    if header[:28] != expected[:28] or header[30:] != expected[30:]:
        raise wrong
    if extra and as_ours(member) == member:
        raise wrong  # we write no extra fields
    octets = file.read(extra)
    if len(octets) != extra:
        raise wrong
    check_extra(member, octets)
    return len(header) + extra


def _descriptor_size(file: BinaryIO, member: Member, at: int) -> int:
    """Octets of the data descriptor behind the data (4.3.9), which must tell the same again."""
    if not member.flags & form.FLAG_DESCRIPTOR:
        return 0
    file.seek(at)
    told = struct.pack("<III", member.crc, member.packed, member.size)
    found = file.read(16)
    if found == form.DESCRIPTOR_SIGNATURE + told:
        return 16
    if found[:12] == told:
        return 12
    raise DamagedError(
        Code.ARCHIVE_DAMAGED, shown_path(member), Wording("its two records contradict each other")
    )


def _relative(member: Member, root: str) -> str:
    return member.name.decode("ascii").removeprefix(f"{root}/")
