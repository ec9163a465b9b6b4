"""Files and folders of certificates as roots of a store.

What a file says of a certificate, and what it means to lie where it lies, make the trust.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from posixpath import join

from kzmitm.roots.p11_objects import read_trust_file
from kzmitm.roots.pem import FoundCertificate, read_certificates
from kzmitm.roots.system import System, UnreadableError
from kzmitm.roots.values import Origin, Purpose, StoredRoot, Trust
from kzmitm.wording import Wording, joined

MAX_FOLDERS = 500
"""Folders in one folder of certificates; an administrator makes none or a few."""
MAX_DEPTH = 8
"""Folders in folders, which also ends a ring of links."""
MAX_FOLDER_OCTETS = 256 << 20
"""Of all files of a folder; the folders of distributions have below 1 MiB."""
MAX_TOLD = 3
"""Problems of single files that one line tells; the rest is counted."""

_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.\d{1,4}", re.ASCII)
"""A file that OpenSSL finds by its subject (openssl-rehash(1))."""
NO_CERTIFICATE = Wording("no certificate in it")
_PEM = b"-----BEGIN "
_ANY_PURPOSE = "2.5.29.37.0"
_PURPOSES = {
    "1.3.6.1.5.5.7.3.1": Purpose.SERVER,
    "1.3.6.1.5.5.7.3.2": Purpose.CLIENT,
    "1.3.6.1.5.5.7.3.3": Purpose.CODE,
    "1.3.6.1.5.5.7.3.4": Purpose.EMAIL,
}
_EVERY_PURPOSE = frozenset(Purpose)


class Place(Enum):
    """What it means that a certificate lies where it does."""

    BUNDLE = "bundle"
    """OpenSSL's way: trusted, but for what the file itself takes back."""
    ANCHORS = "anchors"
    """p11-kit's folder `anchors`: trusted, unless the file says that it is blocked."""
    SOURCE = "source"
    """p11-kit's folder itself: what the file says, and nothing by lying there."""
    BLOCKLIST = "blocklist"
    """p11-kit's folder `blocklist`: blocked, whatever the file says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRoots:
    """The roots of one file, and why there are not more."""

    roots: tuple[StoredRoot, ...] = ()
    problem: str = ""
    octets: bytes = field(default=b"", repr=False)
    """The content, which tells two names of one file; links are not followed to find out."""


def read_file(
    system: System, path: str, place: Place, origin: Origin, *, own: bool = False
) -> FileRoots | None:
    """The roots of a file, None if it is not there; with `own` each has the file's path and date."""
    try:
        octets = system.read(path)
    except FileNotFoundError:
        return None
    except UnreadableError as exc:
        return FileRoots(problem=str(exc))
    held = read_certificates(octets) if place is Place.BUNDLE else read_trust_file(octets)
    problem = held.problem
    if not held.certificates and not held.broken and octets.strip():
        problem = NO_CERTIFICATE
    elif place is Place.BUNDLE and octets.strip() and _PEM not in octets:
        place, problem = Place.SOURCE, Wording("not PEM, so programs do not read it there")
    modified = system.modified_at(path) if own else None
    roots = tuple(
        StoredRoot(
            der=found.der,
            trust=trust,
            origin=origin,
            purposes=purposes,
            label=found.label,
            place=path if own else "",
            added_at=modified,
        )
        for found in held.certificates
        for trust, purposes in (trust_of(found, place),)
    )
    return FileRoots(roots=roots, problem=problem, octets=octets)


def trust_of(found: FoundCertificate, place: Place) -> tuple[Trust, frozenset[Purpose] | None]:
    """What it says of a certificate for servers, and the purposes it is kept for if there is a list of them.

    The rules are X509_check_trust's in OpenSSL for a bundle, else populate_trust's in p11-kit's parser.c.
    """
    purposes = _purposes(found)
    if place is Place.BLOCKLIST or found.is_distrusted or _is_blocked(found, place):
        return Trust.DISTRUSTED, None
    is_anchor = place in (Place.BUNDLE, Place.ANCHORS) or found.is_anchor or bool(found.allowed)
    if is_anchor and (purposes is None or Purpose.SERVER in purposes):
        return Trust.TRUSTED, purposes
    return Trust.PRESENT, purposes


def _purposes(found: FoundCertificate) -> frozenset[Purpose] | None:
    if found.allowed is None and not found.rejected:
        return None
    return _known(found.allowed, _EVERY_PURPOSE) - _known(found.rejected, frozenset())


def _known(oids: frozenset[str] | None, without: frozenset[Purpose]) -> frozenset[Purpose]:
    if oids is None:
        return without
    return (
        _EVERY_PURPOSE
        if _ANY_PURPOSE in oids
        else frozenset(_PURPOSES[oid] for oid in oids if oid in _PURPOSES)
    )


def _is_blocked(found: FoundCertificate, place: Place) -> bool:
    """A list of rejected purposes or an empty list of trusted ones is how OpenSSL's form blocks a root."""
    if place is Place.BUNDLE:
        is_rejected = Purpose.SERVER in _known(found.rejected, frozenset())
        return is_rejected or (found.allowed is not None and not found.allowed)
    if found.is_anchor is not None:
        return False  # p11-kit's own form says so in words
    has_lists = found.allowed is not None or bool(found.rejected)
    return has_lists and not (found.allowed or frozenset()) - found.rejected


def read_folder(
    system: System, paths: Iterable[str], place: Place, origin: Origin, *, may_be_empty: bool = False
) -> FileRoots:
    """The roots of these files of a folder, each once; `may_be_empty` if other files lie there, too."""
    roots: dict[bytes, StoredRoot] = {}
    problems: list[str] = []
    octets = 0
    for path in paths:
        if octets > MAX_FOLDER_OCTETS:
            problems.insert(
                0,
                Wording(
                    "more than {max_folder_octets} MiB of files, so not all were read",
                    max_folder_octets=MAX_FOLDER_OCTETS >> 20,
                ),
            )
            break
        read = read_file(system, path, place, origin, own=True)
        if read is None:
            continue
        octets += len(read.octets)
        for root in read.roots:
            roots.setdefault(root.der, root)
        if read.problem and not (may_be_empty and read.problem == NO_CERTIFICATE):
            problems.append(joined(": ", (path.rpartition("/")[2], read.problem)))
    return FileRoots(roots=tuple(roots.values()), problem=told(problems))


def told(problems: Sequence[str]) -> str:
    """Problems of several files in one line."""
    more = len(problems) - MAX_TOLD
    rest = [Wording("and {more} more files", more=more)] if more > 0 else []
    return joined("; ", [*problems[:MAX_TOLD], *rest])


def files_in(system: System, folder: str, *, depth: int = 0) -> Iterator[str]:
    """The files in a folder, and in those below down to `depth`, nearest first; links are followed."""
    level = [folder]
    count = 0
    for left in range(depth, -1, -1):
        below = []
        for each in level:
            for name in system.entries(each):
                path = join(each, name)
                if not system.is_folder(path):
                    yield path
                elif left and count < MAX_FOLDERS:
                    count += 1
                    below.append(path)
        level = below


def looks_like_certificate(path: str) -> bool:
    """Its name is one of a certificate in a folder for OpenSSL, which may hold other files, too."""
    name = path.rpartition("/")[2]
    return name.endswith((".pem", ".crt", ".cer")) or _HASHED_NAME.fullmatch(name) is not None
