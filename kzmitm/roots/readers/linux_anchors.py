"""Roots that an administrator added to a Linux system, or blocked: the folders made for that.

Each folder is a store. The kinds are `debian_anchors`, `fedora_anchors`, … and `debian_choice`, which are the
roots that `/etc/ca-certificates.conf` leaves out of what Debian brings.
"""

from collections.abc import Iterator

from kzmitm.roots.certificate_files import Place, read_file, told
from kzmitm.roots.linux_places import (
    DEBIAN_CERTIFICATES,
    DEBIAN_CHOICE,
    Family,
    SourceFolder,
    added_roots,
    application,
    family_of,
)
from kzmitm.roots.system import System, UnreadableError
from kzmitm.roots.values import Origin, Platform, Store, StoredRoot, StoreReading, Trust
from kzmitm.wording import Wording, joined

PLATFORMS = frozenset({Platform.LINUX})

MAX_CHOICE = 1 << 20
"""Octets of the file of choices; Debian's has 6 KB."""
MAX_LEFT_OUT = 1_000
"""Roots that one file of choices may leave out; Debian brings about 150."""


def read(system: System) -> Iterator[StoreReading]:
    """The folders of an administrator, and Debian's choice among what it brings."""
    for folder, roots, problem in added_roots(system):
        if roots or problem:
            yield StoreReading(store=_store(system, folder), roots=roots, problem=problem)
    yield from _debian_choice(system)


def _store(system: System, folder: SourceFolder) -> Store:
    family = folder.family or _debian_or_alpine(system)
    what = "blocklist" if folder.place is Place.BLOCKLIST else "anchors"
    return Store(kind=f"{family}_{what}", application=application(family), path=folder.path)


def _debian_or_alpine(system: System) -> Family:
    return Family.ALPINE if family_of(system) is Family.ALPINE else Family.DEBIAN


def _debian_choice(system: System) -> Iterator[StoreReading]:
    """What lines with `!` leave out (update-ca-certificates(8)): blocked, as far as such a system blocks."""
    store = Store(
        kind="debian_choice", application=application(_debian_or_alpine(system)), path=DEBIAN_CHOICE
    )
    try:
        text = system.read(DEBIAN_CHOICE, max_octets=MAX_CHOICE).decode("utf-8", "replace")
    except FileNotFoundError:
        return
    except UnreadableError as exc:
        yield StoreReading(store=store, problem=str(exc))
        return
    names = [line[1:].strip() for line in text.splitlines() if line.startswith("!")]
    changed = system.modified_at(DEBIAN_CHOICE)
    roots, problems = [], []
    for name in names[:MAX_LEFT_OUT]:
        path = f"{DEBIAN_CERTIFICATES}/{name}"
        held = read_file(system, path, Place.BUNDLE, Origin.ADMIN)
        if held is None or ".." in name.split("/"):
            continue
        roots += [
            StoredRoot(
                der=root.der, trust=Trust.DISTRUSTED, origin=Origin.ADMIN, place=path, added_at=changed
            )
            for root in held.roots
        ]
        problems += [joined(": ", (name, held.problem))] if held.problem else []
    if len(names) > MAX_LEFT_OUT:
        problems.append(
            Wording(
                "more than {max_left_out} roots left out, so it was not read to its end",
                max_left_out=MAX_LEFT_OUT,
            )
        )
    if roots or problems:
        yield StoreReading(store=store, roots=tuple(roots), problem=told(problems))
