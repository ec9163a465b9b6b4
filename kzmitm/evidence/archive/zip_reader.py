"""Reading an archive of a stranger, which may be made to harm or to show two readers two things.

Nothing is ever extracted. Before any content is read, every octet of the file is accounted for by exactly one
record, and both records of a member agree. `zipfile` takes octets before and behind the archive, doubled
names and lying sizes without a word.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from kzmitm.evidence import layout
from kzmitm.evidence.archive import zip_format as form
from kzmitm.evidence.archive.shown import shown
from kzmitm.evidence.archive.zip_format import Member
from kzmitm.evidence.archive.zip_writer import BLOCK
from kzmitm.evidence.damage import Code, DamagedError
from kzmitm.evidence.files import open_regular

MAX_INFLATED = 64 << 20
"""Octets that a compressed archive may become: ours are stored, only re-packed ones are compressed."""
MAX_DIRECTORY = 1 << 20
"""Octets of the central directory: 2,000 members with names of 150 and some extra fields."""
_MAX_COMMENT = 0xFFFF


class ZipContainer:
    """The files of a bundle in an archive; `names` are relative to its folder `root`, in order.

    Raises DamagedError for anything that could mean two things, OSError.
    """

    is_folder = False

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = open(open_regular(path), "rb")  # noqa: PTH123, SIM115 (closed by close)
        try:
            members, directory = _directory(self._file)
            self.root = _root(members)
            self.is_repacked = _is_repacked(members)
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
            raise DamagedError(Code.ARCHIVE_DAMAGED, name, "its content has another checksum")

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
        left = member.size
        try:
            for block in self._stored(member):
                data, is_full = block, False
                # Where a piece is as long as it may be, more can wait inside, though all input is taken.
                while (data or is_full) and not inflate.eof:
                    most = min(BLOCK, left + 1)
                    piece = inflate.decompress(data, most)
                    left -= len(piece)
                    if left < 0:
                        raise DamagedError(Code.ARCHIVE_DAMAGED, _shown(member), "longer than it says")
                    yield piece
                    data, is_full = inflate.unconsumed_tail, len(piece) == most
                if data or inflate.unused_data:
                    break
        except zlib.error:
            raise DamagedError(Code.ARCHIVE_DAMAGED, _shown(member), "its compression is broken") from None
        if not inflate.eof or inflate.unused_data:
            raise DamagedError(Code.ARCHIVE_DAMAGED, _shown(member), "its compression has no end")


def _directory(file: BinaryIO) -> tuple[list[Member], int]:
    """The members in the order of the central directory, each checked for itself, and where it begins."""
    total = os.fstat(file.fileno()).st_size
    count, size, offset = _end(file, total)
    if count > layout.MAX_FILES:
        raise DamagedError(Code.ARCHIVE_TOO_MANY_FILES, "", f"{count}; at most {layout.MAX_FILES}")
    if offset + size > total - form.END.size or size > MAX_DIRECTORY:
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", "its directory does not fit")
    if offset + size < total - form.END.size:
        raise DamagedError(Code.ARCHIVE_EXTRA_BYTES, "", "before the archive or inside it")
    file.seek(offset)
    directory = file.read(size)
    members, at = [], 0
    for _ in range(count):
        member, at = _central(directory, at)
        members.append(member)
    if at != len(directory):
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", "its directory holds more than it says")
    _check_order(members, offset)
    return members, offset


def _end(file: BinaryIO, total: int) -> tuple[int, int, int]:
    """(count, size, offset) of the directory from the record at the very end of the file."""
    if total > form.MAX_ARCHIVE:
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", "more than 4 GiB")
    file.seek(max(0, total - form.END.size))
    tail = file.read(form.END.size)
    if len(tail) < form.END.size or not tail.startswith(struct.pack("<I", form.END_SIGNATURE)):
        raise _no_end(file, total)
    _, disk, first, here, count, size, offset, comment = form.END.unpack(tail)
    if disk or first or here != count or comment:
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", "its last record is wrong")
    return count, size, offset


def _no_end(file: BinaryIO, total: int) -> DamagedError:
    """Octets behind the end, or no end at all."""
    file.seek(max(0, total - form.END.size - _MAX_COMMENT))
    tail = file.read(form.END.size + _MAX_COMMENT)
    found = tail.rfind(struct.pack("<I", form.END_SIGNATURE))
    if 0 <= found <= len(tail) - form.END.size:
        return DamagedError(Code.ARCHIVE_EXTRA_BYTES, "", "behind the archive")
    return DamagedError(Code.ARCHIVE_DAMAGED, "", "no archive, or cut off")


def _central(directory: bytes, at: int) -> tuple[Member, int]:
    """The member whose central header stands at an offset, and where the next one does."""
    if at + form.CENTRAL.size > len(directory):
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", "its directory is cut off")
    (signature, made_by, needed, flags, method, time, date, crc, packed, size, name_length, extra_length,
     comment_length, disk, internal, attributes, offset,
     ) = form.CENTRAL.unpack_from(directory, at)  # fmt: skip
    name_end = at + form.CENTRAL.size + name_length
    extra_end = name_end + extra_length
    end = extra_end + comment_length
    if signature != form.CENTRAL_SIGNATURE or end > len(directory) or disk:
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", "its directory is broken")
    member = Member(
        name=directory[name_end - name_length : name_end], method=method, flags=flags, crc=crc, packed=packed,
        size=size, offset=offset, made_by=made_by, needed=needed, time=time, date=date, internal=internal,
        attributes=attributes, extra=directory[name_end:extra_end], comment=directory[extra_end:end],
    )  # fmt: skip
    _check_kind(member)
    return member, end


def _check_kind(member: Member) -> None:
    """A plain file that is stored or deflated, and nothing else."""
    name = _shown(member)
    mode = member.attributes >> 16
    if member.name.endswith(b"/") or member.attributes & form.ATTRIBUTES_SPECIAL:
        detail = "a folder entry; unpack the archive and verify the folder"
        raise DamagedError(Code.ARCHIVE_SPECIAL_FILE, name, detail)
    if mode & form.MODE_TYPE not in (0, form.MODE_REGULAR):  # whoever says that it made the archive
        raise DamagedError(Code.ARCHIVE_SPECIAL_FILE, name, "a link or device")
    if member.flags & ~form.FLAGS_HARMLESS:
        raise DamagedError(Code.ARCHIVE_SPECIAL_FILE, name, "encrypted or patched")
    if member.method not in (form.STORED, form.DEFLATED):
        raise DamagedError(Code.ARCHIVE_SPECIAL_FILE, name, f"compression method {member.method}")
    if member.method == form.STORED and member.packed != member.size:
        raise DamagedError(Code.ARCHIVE_DAMAGED, name, "its sizes contradict each other")
    if member.comment:
        raise DamagedError(Code.ARCHIVE_EXTRA_BYTES, name, "a comment")
    _check_extra(member, member.extra)


def _check_extra(member: Member, octets: bytes) -> None:
    """Extra fields that say nothing of the file's name, content or kind."""
    at = 0
    while at < len(octets):
        kind, size = struct.unpack("<HH", octets[at : at + 4].ljust(4, b"\xff"))
        at += 4 + size
        if kind not in form.EXTRAS_HARMLESS or at > len(octets):
            raise DamagedError(Code.ARCHIVE_SPECIAL_FILE, _shown(member), "an extra field")


def _check_order(members: Sequence[Member], directory: int) -> None:
    """Names once, and no more to inflate than fits."""
    names = set()
    for member in members:
        if member.name in names:
            raise DamagedError(Code.ARCHIVE_DUPLICATE_NAME, _shown(member))
        names.add(member.name)
        if member.offset >= directory:
            raise DamagedError(Code.ARCHIVE_DAMAGED, _shown(member), "lies behind the directory")
    inflated = sum(each.size for each in members if each.method == form.DEFLATED)
    if inflated > MAX_INFLATED:
        raise DamagedError(Code.ARCHIVE_BOMB, "", f"{inflated} octets; at most {MAX_INFLATED}")


def _root(members: Sequence[Member]) -> str:
    """The one folder that everything is in."""
    roots = set()
    for member in members:
        root, _, path = member.name.decode("ascii", "replace").partition("/")
        if not member.name.isascii() or not layout.is_safe_path(path) or not layout.is_safe_path(root):
            raise DamagedError(Code.ARCHIVE_UNSAFE_NAME, _shown(member))
        roots.add(root)
    if len(roots) != 1:
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", "not one folder" if roots else "empty")
    return roots.pop()


def _is_repacked(members: Sequence[Member]) -> bool:
    """Whether another program packed it: then no member is in our form.

    If some are and others are not, one of ours was changed, if only in a date.
    """
    ours = [each == _as_ours(each) for each in members]
    if any(ours) and not all(ours):
        odd = members[ours.index(False)]
        raise DamagedError(Code.ARCHIVE_DAMAGED, _shown(odd), "its record was changed")
    in_order = all(a.name < b.name for a, b in pairwise(members))
    return not all(ours) or not in_order


def _as_ours(member: Member) -> Member:
    return form.canonical_member(member.name, member.size, member.crc, member.offset)


def _starts(file: BinaryIO, members: Sequence[Member], directory: int) -> dict[int, int]:
    """Where the data of each member begins, by the offset of its header; no octet is left over."""
    starts, at = {}, 0
    for member in sorted(members, key=lambda each: each.offset):
        if member.offset != at:
            code = Code.ARCHIVE_EXTRA_BYTES if member.offset > at else Code.ARCHIVE_DAMAGED
            raise DamagedError(code, _shown(member), "its record is not where it should be")
        start = at + _local_size(file, member)
        starts[at] = start
        at = start + member.packed + _descriptor_size(file, member, start + member.packed)
    if at > directory:
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", "its files reach into its directory")
    if at < directory:
        raise DamagedError(Code.ARCHIVE_EXTRA_BYTES, "", "between the files and the directory")
    return starts


def _local_size(file: BinaryIO, member: Member) -> int:
    """Octets of the local header, which must tell what the central one does."""
    file.seek(member.offset)
    header = file.read(form.LOCAL.size + len(member.name))
    wrong = DamagedError(Code.ARCHIVE_DAMAGED, _shown(member), "its two records contradict each other")
    if len(header) != form.LOCAL.size + len(member.name):
        raise wrong
    extra: int = form.LOCAL.unpack_from(header)[-1]
    told = member
    if member.flags & form.FLAG_DESCRIPTOR:
        told = replace(member, crc=0, packed=0, size=0)
    expected = told.local_header()
    if header[:28] != expected[:28] or header[30:] != expected[30:]:
        raise wrong
    if extra and _as_ours(member) == member:
        raise wrong  # we write no extra fields
    octets = file.read(extra)
    if len(octets) != extra:
        raise wrong
    _check_extra(member, octets)
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
    raise DamagedError(Code.ARCHIVE_DAMAGED, _shown(member), "its two records contradict each other")


def _relative(member: Member, root: str) -> str:
    return member.name.decode("ascii").removeprefix(f"{root}/")


def _shown(member: Member) -> str:
    """The path in the bundle; the whole name where it is not in the folder of one."""
    name = member.name.decode("latin-1")
    root, _, path = name.partition("/")
    return shown(path if layout.is_bundle_name(root) and path else name)
