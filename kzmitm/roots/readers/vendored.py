"""Bundles that programs bring with them: certifi in every Python, those of Electron, Conda, curl and others.

Only with `deep`: all folders where programs are put are walked through, by the names of such files. Links
are not followed, nor other file systems entered below where a walk begins: a home may hold what is mounted.
"""

import os
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from posixpath import join

from kzmitm.roots.certificate_files import NO_CERTIFICATE, FileRoots, Place, read_file
from kzmitm.roots.system import System, UnreadableError
from kzmitm.roots.values import Origin, Platform, Store, StoreReading
from kzmitm.wording import Wording

PLATFORMS = frozenset({Platform.LINUX, Platform.MACOS})

MAX_FOLDERS = 100_000
"""Of all walks together. A developer's home has some ten thousand; this many take about twenty seconds."""
MAX_ENTRIES = 50_000
"""Entries of one folder that are looked at: caches have more, and no bundles."""
MAX_DEPTH = 40
"""Folders in folders; node_modules go deepest, with about thirty."""
MAX_BUNDLES = 2_000
"""Bundles told of; a machine with every tool there is has about a hundred."""
MAX_RECORD = 8 << 20
"""Octets of a package's list of files; the longest have 2 MB."""

_WALKED = (
    "/opt",
    "/usr/local",
    "/usr/lib/python3*",
    "/usr/lib64/python3*",
    "/usr/lib/node_modules",
    "/usr/share/nodejs",
    "/srv",
    "/snap/*/*",
    "/var/lib/snapd/snap/*/*",
    "/var/lib/flatpak",
    "/nix/var/nix/profiles",
    "/Applications",
    "/Library/Frameworks",
)
"""Where programs are put that are not of the system's own packages, and Python's packages."""
_PASSED_OVER = frozenset({".git", ".hg", ".svn", ".Trash", "__pycache__", "proc", "sys", "dev"})

_NAMES = frozenset(
    {
        "cacert.pem",
        "cacerts.pem",
        "ca-bundle.crt",
        "ca-bundle.pem",
        "ca-certificates.crt",
        "ca_certificates.crt",
        "ca-certs.pem",
        "cacert.crt",
        "curl-ca-bundle.crt",
        "mozilla-ca-bundle.crt",
        "tls-ca-bundle.pem",
        "roots.pem",
        "root_certs.pem",
        "certifi.pem",
    }
)
_NAMES_IN_FOLDERS = frozenset({("ssl", "cert.pem"), ("openssl", "cert.pem")})
"""Names that only in such a folder are those of a bundle, and elsewhere of a server's certificate."""


@dataclass(slots=True)
class _Walk:
    """One walk over many folders, which share the limits."""

    system: System
    folders: int = 0
    is_cut: bool = False
    _seen: set[tuple[int, int]] = field(default_factory=set)
    """Folders that were walked: device and number."""

    def bundles(self) -> Iterator[str]:
        """Paths inside the system that have the name of a bundle."""
        patterns = (*self.system.homes(), *_WALKED)
        for start in (path for pattern in patterns for path in self.system.glob(pattern)):
            yield from self._below(start)

    def _below(self, start: str) -> Iterator[str]:
        here = self._outside(start)
        if here is None:
            return
        device = here.stat().st_dev
        waiting = deque([(str(here), start, 0)])
        while waiting:
            real, path, depth = waiting.popleft()
            if self.folders >= MAX_FOLDERS:
                self.is_cut = True
                return
            self.folders += 1
            for entry in _entries(real):
                inner = join(path, entry.name)
                if _is_folder(entry):
                    if depth < MAX_DEPTH and self._is_inner(entry, device):
                        waiting.append((entry.path, inner, depth + 1))
                elif _is_named(path, entry.name) and _is_file(entry):
                    yield inner

    def _outside(self, path: str) -> Path | None:
        """Where a folder of the system is on this computer; None if a link leads out of the system."""
        root = self.system.root
        try:
            real = (root / path.lstrip("/")).resolve(strict=True)
            inside = real.is_dir() and real.is_relative_to(root.resolve())
        except (OSError, RuntimeError, ValueError):
            return None
        return real if inside and self._is_new(real.stat()) else None

    def _is_inner(self, entry: os.DirEntry[str], device: int) -> bool:
        """A folder of the same file system, where the walk was not yet."""
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return False
        return entry.name not in _PASSED_OVER and status.st_dev == device and self._is_new(status)

    def _is_new(self, status: os.stat_result) -> bool:
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:
            return False
        self._seen.add(identity)
        return True


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            for _, entry in zip(range(MAX_ENTRIES), found, strict=False):
                yield entry
    except OSError:
        return


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def _is_named(folder: str, name: str) -> bool:
    return name in _NAMES or (folder.rpartition("/")[2], name) in _NAMES_IN_FOLDERS


def read(system: System) -> Iterator[StoreReading]:
    """Every bundle of a program, if it is asked for."""
    if not system.deep:
        return
    walk = _Walk(system)
    for count, path in enumerate(walk.bundles()):
        if count == MAX_BUNDLES:
            walk.is_cut = True
            break
        held = read_file(system, path, Place.BUNDLE, Origin.UNKNOWN)
        if held is None or held.problem == NO_CERTIFICATE:
            continue  # other files bear these names, too
        origin = Origin.VENDOR if _is_as_packaged(system, path, held) else Origin.UNKNOWN
        roots = tuple(replace(root, origin=origin) for root in held.roots)
        yield StoreReading(store=_store(path), roots=roots, problem=held.problem)
    if walk.is_cut:
        store = Store(kind="vendored_bundle", application="programs", path="/")
        problem = Wording(
            "more than {max_folders} folders or {max_bundles} bundles, so not all were looked at",
            max_folders=MAX_FOLDERS,
            max_bundles=MAX_BUNDLES,
        )
        yield StoreReading(store=store, problem=problem)


def _store(path: str) -> Store:
    """A bundle by the package it is in, as far as its path tells."""
    parts = path.split("/")[:-1]
    package, _ = _package(path)
    around = package or next((part for part in reversed(parts) if part not in _DULL), "program")
    inner = parts[-1] if parts else ""
    name = around if inner in (around, *_DULL) or not package else f"{around} ({inner})"
    return Store(kind="vendored_bundle", application=name, path=path)


_DULL = frozenset(
    {"", "ssl", "certs", "cert", "etc", "lib", "share", "resources", "data", "usr", "bin", "current"}
)


def _package(path: str) -> tuple[str, str]:
    """The Python package that a file is in, and the folder of packages; "" if it is in none."""
    for folder in ("site-packages", "dist-packages"):
        before, between, after = path.rpartition(f"/{folder}/")
        if between:
            return after.partition("/")[0], before + between.rstrip("/")
    return "", ""


def _is_as_packaged(system: System, path: str, held: FileRoots) -> bool:
    """Its package's list of files (PEP 376's RECORD) has it with this content: nobody wrote into it since."""
    package, folder = _package(path)
    if not package:
        return False
    digest = urlsafe_b64encode(sha256(held.octets).digest()).rstrip(b"=")
    line = f"{path[len(folder) + 1 :]},sha256=".encode() + digest + b","
    for record in system.glob(f"{folder}/{package}-*.dist-info/RECORD"):
        try:
            content = system.read(record, max_octets=MAX_RECORD)
        except (FileNotFoundError, UnreadableError):
            continue
        if b"\n" + line in b"\n" + content:
            return True
    return False
