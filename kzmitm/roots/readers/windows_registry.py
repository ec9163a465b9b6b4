r"""Windows: the stores of certificates in its registry, of the user, the computer, and organisations.

`ssl.enum_certificates` merges them all and cannot say where a root came from; the registry can. The kinds
are `windows_user_root`, `windows_machine_authroot`, `windows_policy_disallowed`, … A root that a store
`Disallowed` has, too, is told of as present only: Windows refuses it.
"""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import cast

from kzmitm.roots.system import System, UnreadableError
from kzmitm.roots.values import Origin, Platform, Store, StoredRoot, StoreReading, Trust
from kzmitm.roots.windows_blob import read_blob, stored_root
from kzmitm.roots.windows_hives import Hive as HiveFile
from kzmitm.roots.windows_hives import opened
from kzmitm.roots.windows_keys import (
    DISALLOWED,
    LOCATIONS,
    MAX_CERTIFICATES,
    STORES,
    Hive,
    KeptBlob,
    LiveRegistry,
    Location,
    Registry,
    SystemStore,
    WinReg,
)
from kzmitm.wording import Wording

PLATFORMS = frozenset({Platform.WINDOWS})

MACHINE_HIVE = "/Windows/System32/config/SOFTWARE"
USER_HIVE = "NTUSER.DAT"
NO_REGISTRY = Wording("no registry here: this Python is not one of Windows")


@dataclass(frozen=True, slots=True)
class _Tree:
    """One tree of a registry, and whose it is."""

    registry: Registry
    hive: Hive
    user: str = ""


@dataclass(frozen=True, slots=True)
class _HiveFile:
    """A registry of one file."""

    file: HiveFile

    def kept(self, hive: Hive, key: str) -> Iterator[KeptBlob]:
        """The certificates below a key; a file of the machine is its SOFTWARE, and begins below that."""
        return self.file.kept(key.partition("\\")[2] if hive is Hive.MACHINE else key)


def read(system: System) -> Iterator[StoreReading]:
    """Every store that has certificates, or cannot be read."""
    if system.is_live:
        try:
            registry = LiveRegistry(cast("WinReg", importlib.import_module("winreg")))
        except ImportError:
            store = Store(kind="windows_registry", application="Windows", path=Hive.MACHINE)
            yield StoreReading(store=store, problem=NO_REGISTRY)
            return
        yield from _stores([_Tree(registry, Hive.USER), _Tree(registry, Hive.MACHINE)])
        return
    trees: list[_Tree] = []
    with ExitStack() as stack:
        for path, hive, user in _files(system):
            try:
                file = stack.enter_context(opened(system, path))
            except FileNotFoundError:
                continue
            except UnreadableError as exc:
                store = Store(kind="windows_registry", application="Windows", path=path, profile=user)
                yield StoreReading(store=store, problem=str(exc))
                continue
            trees.append(_Tree(_HiveFile(file), hive, user))
        yield from _stores(trees)


def _files(system: System) -> Iterator[tuple[str, Hive, str]]:
    """The registry files of another system, whatever the case of their names is."""
    for home in system.homes():
        for path in system.glob(f"{home}/{_any_case(USER_HIVE)}"):
            yield path, Hive.USER, home.rpartition("/")[2]
    for path in system.glob(_any_case(MACHINE_HIVE)):
        yield path, Hive.MACHINE, ""


def _any_case(name: str) -> str:
    return "".join(f"[{sign.lower()}{sign.upper()}]" if sign.isalpha() else sign for sign in name)


def _stores(trees: Sequence[_Tree]) -> Iterator[StoreReading]:
    """The stores of all trees; what the computer's or the same user's `Disallowed` has is not trusted."""
    read = [
        (tree, _read(tree, location, store))
        for tree in trees
        for location in LOCATIONS
        if location.hive is tree.hive
        for store in STORES
    ]
    blocked: dict[tuple[Hive, str], set[bytes]] = {}
    for tree, reading in read:
        is_list = reading.store.kind.endswith(f"_{DISALLOWED.name.lower()}")
        refused = {root.der for root in reading.roots} if is_list else set()
        blocked.setdefault((tree.hive, tree.user), set()).update(refused)
    by_machine = blocked.get((Hive.MACHINE, ""), set())
    users = [refused for (hive, _), refused in blocked.items() if hive is Hive.USER]
    # What every user's programs refuse is trusted by services at most.
    by_all_users = set.intersection(*users) if users else set()
    for tree, reading in read:
        refused = by_machine | by_all_users | blocked[tree.hive, tree.user]
        roots = tuple(_in_force(root, refused) for root in reading.roots)
        if roots or reading.problem:
            yield replace(reading, roots=roots)


def _in_force(root: StoredRoot, refused: set[bytes]) -> StoredRoot:
    is_refused = root.trust is Trust.TRUSTED and root.der in refused
    return replace(root, trust=Trust.PRESENT) if is_refused else root


def _read(tree: _Tree, location: Location, store: SystemStore) -> StoreReading:
    key = rf"{location.key}\{store.name}\Certificates"
    reading = Store(
        kind=f"windows_{location.name}_{store.name.lower()}",
        application=location.application,
        path=rf"{location.hive}\{key}",
        profile=tree.user,
    )
    roots: list[StoredRoot] = []
    broken, count, problem = 0, 0, ""
    origin = _origin(location, store)
    try:
        for kept in tree.registry.kept(tree.hive, key):
            count += 1
            held = read_blob(kept.blob)
            broken += not held.der or held.is_damaged
            if held.der:
                place = rf"{reading.path}\{kept.name}"
                root = stored_root(held, store.trust, origin, place=place, written_at=kept.written_at)
                roots.append(root)
    except FileNotFoundError:
        pass
    except UnreadableError as exc:
        problem = str(exc)
    if broken and not problem:
        problem = Wording("{broken} entries are damaged or hold no certificate", broken=broken)
    if count == MAX_CERTIFICATES and not problem:
        problem = Wording("more certificates than any store has, so it was not read to its end")
    return StoreReading(store=reading, roots=tuple(roots), problem=problem)


def _origin(location: Location, store: SystemStore) -> Origin:
    """Who put certificates there: Windows itself writes to some stores of the computer."""
    if location.origin is Origin.ADMIN and store is DISALLOWED:
        return Origin.UNKNOWN
    if store.origin is not None and location.origin is not Origin.POLICY:
        return store.origin
    return location.origin
