"""Where Linux distributions keep the roots of the system: what came with them, and what was added.

Debian and Alpine: update-ca-certificates(8). Fedora and Arch: update-ca-trust(8). openSUSE: the same name as
Debian's, and p11-kit's folders. The folders of the last three are those of p11-kit's trust/token.c.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from kzmitm.roots.certificate_files import MAX_DEPTH, Place, files_in, read_file, read_folder
from kzmitm.roots.system import System
from kzmitm.roots.values import Origin, StoredRoot, Trust
from kzmitm.wording import Wording


class Family(StrEnum):
    """Distributions that keep their roots in one way."""

    DEBIAN = "debian"
    ALPINE = "alpine"
    FEDORA = "fedora"
    SUSE = "opensuse"
    ARCH = "arch"
    OTHER = "linux"


_PEOPLE_SAY = {
    Family.DEBIAN: Wording("this system (Debian, Ubuntu)"),
    Family.ALPINE: Wording("this system (Alpine)"),
    Family.FEDORA: Wording("this system (Fedora, RHEL)"),
    Family.SUSE: Wording("this system (openSUSE)"),
    Family.ARCH: Wording("this system (Arch)"),
    Family.OTHER: Wording("this system"),
}

_MARKS = (
    ("/etc/alpine-release", Family.ALPINE),
    ("/etc/debian_version", Family.DEBIAN),
    ("/etc/pki/ca-trust", Family.FEDORA),
    ("/etc/pki/trust", Family.SUSE),
    ("/var/lib/ca-certificates", Family.SUSE),
    ("/etc/ca-certificates/trust-source", Family.ARCH),
    ("/etc/ca-certificates/extracted", Family.ARCH),
    ("/etc/ca-certificates.conf", Family.DEBIAN),
)


def family_of(system: System) -> Family:
    """Whose way a system has, by what is there: the files that name it can say anything."""
    return next((family for path, family in _MARKS if system.exists(path)), Family.OTHER)


def application(family: Family) -> str:
    """How people call the trust store of such a system."""
    return _PEOPLE_SAY[family]


@dataclass(frozen=True, slots=True)
class SourceFolder:
    """A folder that an administrator puts certificates into."""

    path: str
    family: Family | None
    """None where several have the same."""
    place: Place
    depth: int = 0

    def wants(self, name: str) -> bool:
        """A file of this name is a certificate there."""
        if self.family is None:
            return name.endswith((DEBIAN_SUFFIX, ".pem", ".cer", ".der"))
        return not name.startswith((".", "README"))


def _p11_folders(base: str, family: Family) -> tuple[SourceFolder, ...]:
    places = {
        "": Place.SOURCE,
        "/anchors": Place.ANCHORS,
        "/blocklist": Place.BLOCKLIST,
        "/blacklist": Place.BLOCKLIST,  # its name until 2020
    }
    return tuple(SourceFolder(base + below, family, place) for below, place in places.items())


ADDED = (
    SourceFolder("/usr/local/share/ca-certificates", None, Place.BUNDLE, MAX_DEPTH),
    *_p11_folders("/etc/pki/ca-trust/source", Family.FEDORA),
    *_p11_folders("/etc/pki/trust", Family.SUSE),
    *_p11_folders("/etc/ca-certificates/trust-source", Family.ARCH),
)
"""Where administrators add and block roots."""

LEGACY = "ca-bundle.legacy.crt"
"""A link of Fedora's from its folder of sources to roots of its own, in `_LEGACY_OF_VENDOR`."""
_LEGACY_OF_VENDOR = "/usr/share/pki/ca-trust-legacy"

DEBIAN_CHOICE = "/etc/ca-certificates.conf"
DEBIAN_SUFFIX = ".crt"
"""Others are passed over by update-ca-certificates."""
DEBIAN_CERTIFICATES = "/usr/share/ca-certificates"

BROUGHT = (
    *_p11_folders("/usr/share/pki/ca-trust-source", Family.FEDORA),
    *_p11_folders("/usr/share/pki/trust", Family.SUSE),
    *_p11_folders("/usr/share/ca-certificates/trust-source", Family.ARCH),
)
"""Where p11-kit's distributions put what they came with."""


def added_roots(system: System) -> Iterator[tuple[SourceFolder, tuple[StoredRoot, ...], str]]:
    """Every folder of an administrator that is there: its roots, and a problem or ""."""
    for folder in ADDED:
        if not system.is_folder(folder.path):
            continue
        paths = [path for path in _files(system, folder) if not _is_of_vendor(system, path)]
        if folder.family is not None:
            read = read_folder(system, paths, folder.place, Origin.ADMIN)
            yield folder, read.roots, read.problem
            continue
        paths.sort(key=lambda path: not path.endswith(DEBIAN_SUFFIX))
        read = read_folder(system, paths, folder.place, Origin.ADMIN)
        yield folder, tuple(map(_as_debian_reads, read.roots)), read.problem


def _files(system: System, folder: SourceFolder) -> Iterator[str]:
    for path in files_in(system, folder.path, depth=folder.depth):
        if folder.wants(path.rpartition("/")[2]):
            yield path


def _as_debian_reads(root: StoredRoot) -> StoredRoot:
    return root if root.place.endswith(DEBIAN_SUFFIX) else replace(root, trust=Trust.PRESENT)


def _is_of_vendor(system: System, path: str) -> bool:
    """It is Fedora's link, which is told by the content of what it leads to."""
    if not path.endswith(f"/{LEGACY}"):
        return False
    ours = read_file(system, path, Place.BUNDLE, Origin.ADMIN)
    if ours is None or not ours.octets:
        return ours is not None and not ours.problem
    brought = (
        read_file(system, each, Place.BUNDLE, Origin.VENDOR) for each in files_in(system, _LEGACY_OF_VENDOR)
    )
    return any(each is not None and each.octets == ours.octets for each in brought)


@dataclass(frozen=True, slots=True)
class Origins:
    """Who put a root where it is, by what else is kept on the system."""

    added: Mapping[tuple[bytes, Trust], StoredRoot]
    brought: frozenset[tuple[bytes, Trust]]
    """Empty if the distribution does not keep apart what it came with."""

    def of(self, root: StoredRoot) -> StoredRoot:
        """The root with its origin, and with place and date of the file of an administrator."""
        key = (root.der, root.trust)
        added = self.added.get(key)
        if added is not None:
            return replace(root, origin=Origin.ADMIN, place=added.place, added_at=added.added_at)
        if key in self.brought:
            return replace(root, origin=Origin.VENDOR, place="", added_at=None)
        # A root of a bundle that neither of them put there may be of an earlier version, or written into it.
        return replace(root, origin=Origin.UNKNOWN) if self.brought and not root.place else root


def origins_in(system: System) -> Origins:
    """What an administrator added to a system, and what came with it."""
    added = {(root.der, root.trust): root for _, roots, _ in added_roots(system) for root in roots}
    return Origins(added, _brought(system))


def _brought(system: System) -> frozenset[tuple[bytes, Trust]]:
    """What the distribution came with, with the trust it has there; empty if it does not keep that apart."""
    reads = [read_folder(system, _files(system, folder), folder.place, Origin.VENDOR) for folder in BROUGHT]
    paths = (
        path
        for path in files_in(system, DEBIAN_CERTIFICATES, depth=MAX_DEPTH)
        if path.endswith(DEBIAN_SUFFIX)
    )
    reads.append(read_folder(system, paths, Place.BUNDLE, Origin.VENDOR))
    legacy = files_in(system, _LEGACY_OF_VENDOR)
    reads.append(read_folder(system, legacy, Place.BUNDLE, Origin.VENDOR, may_be_empty=True))
    return frozenset((root.der, root.trust) for read in reads for root in read.roots)
