"""The directory of an archive of a stranger: its members, each checked for itself, and all of them."""

import os
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import BinaryIO

from kzmitm.evidence import layout
from kzmitm.evidence.archive import zip_format as form
from kzmitm.evidence.archive.shown import shown
from kzmitm.evidence.archive.zip_format import Member
from kzmitm.evidence.damage import Code, DamagedError, NoArchiveError
from kzmitm.wording import Wording

MAX_INFLATED = 64 << 20
"""Octets that a compressed archive may become: ours are stored, only re-packed ones are compressed."""
MAX_DIRECTORY = 1 << 20
"""Octets of the central directory: 2,000 members with names of 150 and some extra fields."""
_MAX_COMMENT = 0xFFFF


def read_directory(file: BinaryIO) -> tuple[list[Member], int]:
    """The members in the order of the central directory, each checked for itself, and where it begins."""
    total = os.fstat(file.fileno()).st_size
    count, size, offset = _end(file, total)
    if count > layout.MAX_FILES:
        raise DamagedError(
            Code.ARCHIVE_TOO_MANY_FILES,
            "",
            Wording("{count}; at most {max_files}", count=count, max_files=layout.MAX_FILES),
        )
    if offset + size > total - form.END.size or size > MAX_DIRECTORY:
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", Wording("its directory does not fit"))
    if offset + size < total - form.END.size:
        raise DamagedError(Code.ARCHIVE_EXTRA_BYTES, "", Wording("before the archive or inside it"))
    file.seek(offset)
    directory = file.read(size)
    members, at = [], 0
    for _ in range(count):
        member, at = _central(directory, at)
        members.append(member)
    if at != len(directory):
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", Wording("its directory holds more than it says"))
    _check_order(members, offset)
    return members, offset


def _end(file: BinaryIO, total: int) -> tuple[int, int, int]:
    """(count, size, offset) of the directory from the record at the very end of the file."""
    if total > form.MAX_ARCHIVE:
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", Wording("more than 4 GiB"))
    file.seek(max(0, total - form.END.size))
    tail = file.read(form.END.size)
    if len(tail) < form.END.size or not tail.startswith(struct.pack("<I", form.END_SIGNATURE)):
        raise _no_end(file, total)
    _, disk, first, here, count, size, offset, comment = form.END.unpack(tail)
    if disk or first or here != count or comment:
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", Wording("its last record is wrong"))
    return count, size, offset


def _no_end(file: BinaryIO, total: int) -> DamagedError:
    """Octets behind the end, or no end at all."""
    file.seek(max(0, total - form.END.size - _MAX_COMMENT))
    tail = file.read(form.END.size + _MAX_COMMENT)
    found = tail.rfind(struct.pack("<I", form.END_SIGNATURE))
    if 0 <= found <= len(tail) - form.END.size:
        return DamagedError(Code.ARCHIVE_EXTRA_BYTES, "", Wording("behind the archive"))
    file.seek(0)
    begin = file.read(4)
    if any(begin) and not struct.pack("<I", form.LOCAL_SIGNATURE).startswith(begin):
        return NoArchiveError()  # zeros are what a copy may be that was never written to its end
    return DamagedError(Code.ARCHIVE_DAMAGED, "", Wording("no archive, or cut off"))


def _central(directory: bytes, at: int) -> tuple[Member, int]:
    """The member whose central header stands at an offset, and where the next one does."""
    if at + form.CENTRAL.size > len(directory):
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", Wording("its directory is cut off"))
    (signature, made_by, needed, flags, method, time, date, crc, packed, size, name_length, extra_length,
     comment_length, disk, internal, attributes, offset,
     ) = form.CENTRAL.unpack_from(directory, at)  # fmt: skip
    name_end = at + form.CENTRAL.size + name_length
    extra_end = name_end + extra_length
    end = extra_end + comment_length
    if signature != form.CENTRAL_SIGNATURE or end > len(directory) or disk:
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", Wording("its directory is broken"))
    member = Member(
        name=directory[name_end - name_length : name_end], method=method, flags=flags, crc=crc, packed=packed,
        size=size, offset=offset, made_by=made_by, needed=needed, time=time, date=date, internal=internal,
        attributes=attributes, extra=directory[name_end:extra_end], comment=directory[extra_end:end],
    )  # fmt: skip
    _check_kind(member)
    return member, end


def _check_kind(member: Member) -> None:
    """A plain file that is stored or deflated, and nothing else."""
    name = shown_path(member)
    mode = member.attributes >> 16
    if member.name.endswith(b"/") or member.attributes & form.ATTRIBUTES_SPECIAL:
        detail = Wording("a folder entry; unpack the archive and verify the folder")
        raise DamagedError(Code.ARCHIVE_SPECIAL_FILE, name, detail)
    if mode & form.MODE_TYPE not in (0, form.MODE_REGULAR):  # whoever says that it made the archive
        raise DamagedError(Code.ARCHIVE_SPECIAL_FILE, name, Wording("a link or device"))
    if member.flags & ~form.FLAGS_HARMLESS:
        raise DamagedError(Code.ARCHIVE_SPECIAL_FILE, name, Wording("encrypted or patched"))
    if member.method not in (form.STORED, form.DEFLATED):
        raise DamagedError(
            Code.ARCHIVE_SPECIAL_FILE, name, Wording("compression method {method}", method=member.method)
        )
    if member.method == form.STORED and member.packed != member.size:
        raise DamagedError(Code.ARCHIVE_DAMAGED, name, Wording("its sizes contradict each other"))
    if member.comment:
        raise DamagedError(Code.ARCHIVE_EXTRA_BYTES, name, "a comment")
    check_extra(member, member.extra)


def check_extra(member: Member, octets: bytes) -> None:
    """Extra fields that say nothing of the file's name, content or kind."""
    at = 0
    while at < len(octets):
        kind, size = struct.unpack("<HH", octets[at : at + 4].ljust(4, b"\xff"))
        at += 4 + size
        if kind not in form.EXTRAS_HARMLESS or at > len(octets):
            raise DamagedError(Code.ARCHIVE_SPECIAL_FILE, shown_path(member), Wording("an extra field"))


def _check_order(members: Sequence[Member], directory: int) -> None:
    """Names once, and no more to inflate than fits."""
    names = set()
    for member in members:
        if member.name in names:
            raise DamagedError(Code.ARCHIVE_DUPLICATE_NAME, shown_path(member))
        names.add(member.name)
        if member.offset >= directory:
            raise DamagedError(Code.ARCHIVE_DAMAGED, shown_path(member), Wording("lies behind the directory"))
    inflated = sum(each.size for each in members if each.method == form.DEFLATED)
    if inflated > MAX_INFLATED:
        raise DamagedError(
            Code.ARCHIVE_BOMB,
            "",
            Wording(
                "{inflated} octets; at most {max_inflated}", inflated=inflated, max_inflated=MAX_INFLATED
            ),
        )


def root_of(members: Sequence[Member]) -> str:
    """The one folder that everything is in."""
    roots = set()
    for member in members:
        root, _, path = member.name.decode("ascii", "replace").partition("/")
        if not member.name.isascii() or not layout.is_safe_path(path) or not layout.is_safe_path(root):
            raise DamagedError(Code.ARCHIVE_UNSAFE_NAME, shown_path(member))
        roots.add(root)
    if len(roots) != 1:
        raise DamagedError(Code.ARCHIVE_DAMAGED, "", Wording("not one folder") if roots else "empty")
    return roots.pop()


def is_repacked(members: Sequence[Member]) -> bool:
    """Whether another program packed it: then no member is in our form.

    If some are and others are not, one of ours was changed, if only in a date.
    """
    ours = [each == as_ours(each) for each in members]
    if any(ours) and not all(ours):
        odd = members[ours.index(False)]
        raise DamagedError(Code.ARCHIVE_DAMAGED, shown_path(odd), Wording("its record was changed"))
    in_order = all(a.name < b.name for a, b in pairwise(members))
    return not all(ours) or not in_order


def as_ours(member: Member) -> Member:
    return form.canonical_member(member.name, member.size, member.crc, member.offset)


def shown_path(member: Member) -> str:
    """The path in the bundle; the whole name where it is not in the folder of one."""
    name = member.name.decode("latin-1")
    root, _, path = name.partition("/")
    return shown(path if layout.is_bundle_name(root) and path else name)
