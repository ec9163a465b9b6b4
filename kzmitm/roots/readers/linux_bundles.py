"""What is in force on a Linux system: its bundles of roots, and its folders of roots for OpenSSL and Go.

A bundle that has several names is told of once, and a folder tells only what no bundle has. The kinds are
`debian_bundle`, `fedora_bundle`, … and the same with `_folder`.
"""

from collections.abc import Iterator

from kzmitm.roots.certificate_files import (
    FileRoots,
    Place,
    files_in,
    looks_like_certificate,
    read_file,
    read_folder,
)
from kzmitm.roots.linux_places import Family, application, family_of, origins_in
from kzmitm.roots.system import System
from kzmitm.roots.values import Origin, Platform, Store, StoreReading, Trust

PLATFORMS = frozenset({Platform.LINUX})

BUNDLES: tuple[tuple[str, Family | None], ...] = (
    ("/etc/pki/tls/certs/ca-bundle.crt", Family.FEDORA),
    ("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", Family.FEDORA),
    ("/var/lib/ca-certificates/ca-bundle.pem", Family.SUSE),
    ("/etc/ssl/ca-bundle.pem", Family.SUSE),
    ("/etc/ssl/certs/ca-certificates.crt", None),
    ("/etc/ca-certificates/extracted/tls-ca-bundle.pem", Family.ARCH),
    ("/etc/ssl/certs/ca-bundle.crt", None),
    ("/etc/pki/tls/cert.pem", Family.FEDORA),
    ("/etc/pki/tls/cacert.pem", None),
    ("/etc/ssl/cert.pem", None),
)
"""Where OpenSSL, curl and Go look (certFiles in Go's root_linux.go). No family: several use it."""

PARTIAL: tuple[tuple[str, Family | None], ...] = (
    ("/etc/pki/ca-trust/extracted/openssl/ca-bundle.trust.crt", Family.FEDORA),
    ("/etc/pki/tls/certs/ca-bundle.trust.crt", Family.FEDORA),
    ("/etc/ca-certificates/extracted/ca-bundle.trust.crt", Family.ARCH),
)
"""The same with purposes, and with what is blocked: only what the bundles do not tell is told."""

FOLDERS: tuple[tuple[str, Family | None], ...] = (
    ("/etc/ssl/certs", None),
    ("/etc/pki/tls/certs", Family.FEDORA),
    ("/var/lib/ca-certificates/openssl", Family.SUSE),
    ("/var/lib/ca-certificates/pem", Family.SUSE),
    ("/etc/ca-certificates/extracted/cadir", Family.ARCH),
)
"""OpenSSL looks into them by hashed names, and Go reads every file (certDirectories in its root_linux.go)."""

_NAMES_OF_BUNDLES = frozenset(path.rpartition("/")[2] for path, _ in BUNDLES + PARTIAL)


def read(system: System) -> Iterator[StoreReading]:
    """The bundles in force, each once, then what folders have beside them."""
    origins = origins_in(system)
    told: set[tuple[bytes, Trust]] = set()
    own = family_of(system)
    for path, family, held in bundles(system):
        is_partial = (path, family) in PARTIAL
        fresh = [root for root in held.roots if not is_partial or (root.der, root.trust) not in told]
        told |= {(root.der, root.trust) for root in held.roots}
        if fresh or held.problem or not is_partial:
            store = _store("bundle", family or own, path)
            yield StoreReading(store=store, roots=tuple(map(origins.of, fresh)), problem=held.problem)
    for path, family in FOLDERS:
        held = _folder(system, path)
        fresh = [root for root in held.roots if (root.der, root.trust) not in told]
        told |= {(root.der, root.trust) for root in held.roots}
        if fresh or held.problem:
            store = _store("folder", family or own, path)
            yield StoreReading(store=store, roots=tuple(map(origins.of, fresh)), problem=held.problem)


def bundles(system: System) -> Iterator[tuple[str, Family | None, FileRoots]]:
    """The bundles that are there; one with the content of an earlier one is the same under another name."""
    seen: set[bytes] = set()
    for path, family in BUNDLES + PARTIAL:
        held = read_file(system, path, Place.BUNDLE, Origin.VENDOR)
        if held is not None and (not held.octets or held.octets not in seen):
            seen.add(held.octets)
            yield path, family, held


def _store(what: str, family: Family, path: str) -> Store:
    return Store(kind=f"{family}_{what}", application=application(family), path=path)


def _folder(system: System, folder: str) -> FileRoots:
    """What is in a folder; a file there that is nobody else's is an administrator's."""
    paths = (
        path
        for path in files_in(system, folder)
        if looks_like_certificate(path) and path.rpartition("/")[2] not in _NAMES_OF_BUNDLES
    )
    return read_folder(system, paths, Place.BUNDLE, Origin.ADMIN, may_be_empty=True)
