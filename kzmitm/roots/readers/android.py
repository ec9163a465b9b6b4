"""Android: the roots of the system, those that users added, and those they switched off; Termux's bundle.

The folders are those of Conscrypt's TrustedCertificateStore.java. A root that every user switched off is kept
in the system, and trusted by nobody. The kinds are `android_system`, `android_added`, `android_removed` and
`android_termux`.
"""

from collections.abc import Iterator
from dataclasses import replace

from kzmitm.roots.certificate_files import (
    Place,
    files_in,
    looks_like_certificate,
    read_file,
    read_folder,
)
from kzmitm.roots.system import System
from kzmitm.roots.values import Origin, Platform, Store, StoredRoot, StoreReading, Trust
from kzmitm.wording import Wording

PLATFORMS = frozenset({Platform.ANDROID})

SYSTEM = ("/apex/com.android.conscrypt/cacerts", "/system/etc/security/cacerts")
"""Since Android 14 the first one; before that there is the second one only."""
USERS = "/data/misc/user"
KEYCHAIN = "/data/misc/keychain"
"""Where Android 4.0 and 4.1 had what users have now."""
TERMUX = "/data/data/com.termux/files/usr"

ADDED, REMOVED = "cacerts-added", "cacerts-removed"
HIDDEN = Wording(
    "Android lets no program read what users added; look in Settings, Security, Encryption & credentials, "
    "Trusted credentials, User"
)


def read(system: System) -> Iterator[StoreReading]:
    """The stores of the system, then those of users, then Termux's."""
    users = [f"{USERS}/{name}" for name in system.entries(USERS)]
    removed = {folder: _folder(system, f"{folder}/{REMOVED}", folder) for folder in (*users, KEYCHAIN)}
    owners = users or [KEYCHAIN]
    switched_off = frozenset.intersection(
        *(frozenset(root.der for root in removed[folder].roots) for folder in owners)
    )
    yield from _system(system, switched_off)
    for folder in (*users, KEYCHAIN):
        for reading in (_folder(system, f"{folder}/{ADDED}", folder), removed[folder]):
            if reading.roots or reading.problem:
                yield reading
    if system.is_live and not users:
        yield StoreReading(store=_users_store(f"{USERS}/0/{ADDED}", f"{USERS}/0"), problem=HIDDEN)
    yield from _termux(system)


def _system(system: System, switched_off: frozenset[bytes]) -> Iterator[StoreReading]:
    told: set[bytes] = set()
    for path in SYSTEM:
        read = read_folder(system, _certificates(system, path), Place.ANCHORS, Origin.VENDOR)
        fresh = tuple(_in_force(root, switched_off) for root in read.roots if root.der not in told)
        told |= {root.der for root in read.roots}
        if fresh or read.problem:
            store = Store(kind="android_system", application="Android", path=path)
            yield StoreReading(store=store, roots=fresh, problem=read.problem)


def _in_force(root: StoredRoot, switched_off: frozenset[bytes]) -> StoredRoot:
    """The root as users left it; the dates of files are those of the image."""
    trust = Trust.PRESENT if root.der in switched_off else root.trust
    return replace(root, trust=trust, added_at=None)


def _folder(system: System, path: str, owner: str) -> StoreReading:
    place = Place.BLOCKLIST if path.endswith(REMOVED) else Place.ANCHORS
    read = read_folder(system, _certificates(system, path), place, Origin.USER)
    return StoreReading(store=_users_store(path, owner), roots=read.roots, problem=read.problem)


def _users_store(path: str, owner: str) -> Store:
    profile = "" if owner == KEYCHAIN else Wording("user {number}", number=owner.rpartition("/")[2])
    kind = "android_removed" if path.endswith(REMOVED) else "android_added"
    return Store(kind=kind, application="Android", path=path, profile=profile)


def _certificates(system: System, folder: str) -> Iterator[str]:
    return (path for path in files_in(system, folder) if looks_like_certificate(path))


def _termux(system: System) -> Iterator[StoreReading]:
    prefix = system.environ.get("PREFIX", "").rstrip("/")
    path = f"{prefix if prefix.startswith('/') else TERMUX}/etc/tls/cert.pem"
    held = read_file(system, path, Place.BUNDLE, Origin.VENDOR)
    if held is not None:
        store = Store(kind="android_termux", application="Termux", path=path)
        yield StoreReading(store=store, roots=held.roots, problem=held.problem)
