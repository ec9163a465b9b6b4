"""Java's keystores: of every Java that is installed, of NCALayer, and what options for all of them name.

The kinds are `java_keystore` and `java_option`.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from kzmitm.roots.java_places import (
    NCALAYER,
    SHARED,
    VARIABLES,
    TrustStoreOption,
    keystores,
    trust_store_option,
)
from kzmitm.roots.keystores import Form, Keystore, read_keystore
from kzmitm.roots.linux_places import Origins, origins_in
from kzmitm.roots.system import System, UnreadableError
from kzmitm.roots.tool_settings import SHELLS, SettingsFile, settings_in
from kzmitm.roots.values import Origin, Platform, Store, StoredRoot, StoreReading, Trust
from kzmitm.wording import Wording

PLATFORMS = frozenset({Platform.LINUX, Platform.MACOS, Platform.WINDOWS})

MAX_KEYSTORE = 16 << 20
"""Octets; Java's own has some hundred thousand."""
MAX_SETTINGS = 1 << 20
"""Octets of a file of a shell."""
MIN_BROUGHT = 20
"""Roots with one date that tell the day a Java was built; nobody adds as many to one by hand."""

RELATIVE = Wording("no absolute path, so which file it is depends on where Java runs")
MISSING = Wording("there is no such file")
NO_KEYSTORE = Wording("no keystore but a file of certificates, which Java does not open")
_OF_OPENJDK = " [jdk]"
"""How OpenJDK's build ends its aliases (GenerateCacerts.java)."""
_OF_DEBIAN = "debian:"
"""How ca-certificates-java begins its aliases."""
_OPTIONS = SettingsFile(tool="Java", paths=SHELLS.paths, keys=frozenset(name.lower() for name in VARIABLES))


@dataclass(slots=True)
class _Files:
    """Keystores that were read; one that has several names is told of once."""

    system: System
    seen: set[tuple[bytes, datetime | None]] = field(default_factory=set)

    def fresh(self, path: str) -> bytes | None:
        """The content, None if it is not there or was told of; raises UnreadableError."""
        try:
            octets = self.system.read(path, max_octets=MAX_KEYSTORE)
        except FileNotFoundError:
            return None
        # Content and date, as links are not followed to find out: two Javas of one build are two files.
        key = hashlib.sha256(octets).digest(), self.system.modified_at(path)
        if key in self.seen:
            return None
        self.seen.add(key)
        return octets


def read(system: System) -> Iterator[StoreReading]:
    """Every keystore that is there, each once, then those that options name."""
    files = _Files(system)
    origins: Origins | None = None
    for path, home in keystores(system):
        store = _store(path, home)
        try:
            octets = files.fresh(path)
        except UnreadableError as exc:
            yield StoreReading(store=store, problem=str(exc))
            continue
        if octets is None:
            continue
        held = read_keystore(octets)
        if path in SHARED.get(system.platform, ()):
            origins = origins or origins_in(system)
            yield StoreReading(store=store, roots=_shared(held, origins), problem=_problem(held))
        else:
            yield StoreReading(store=store, roots=_own(held, home), problem=_problem(held))
    yield from _named(system)


def _store(path: str, home: str) -> Store:
    is_ncalayer = "ncalayer" in path.lower()
    return Store(
        kind="java_keystore",
        application=NCALAYER if is_ncalayer else "Java",
        path=path,
        profile=home.rpartition("/")[2],
    )


def _problem(held: Keystore) -> str:
    return held.problem or (NO_KEYSTORE if held.form in (Form.PEM, Form.PKCS7) else "")


def _roots(held: Keystore, origin: Origin) -> tuple[StoredRoot, ...]:
    is_keystore = held.form not in (Form.PEM, Form.PKCS7)
    return tuple(
        StoredRoot(
            der=entry.der,
            trust=Trust.TRUSTED if entry.is_trusted and is_keystore else Trust.PRESENT,
            origin=origin,
            label=entry.label,
            added_at=entry.added_at,
        )
        for entry in held.entries
    )


def _shared(held: Keystore, origins: Origins) -> tuple[StoredRoot, ...]:
    """Roots of a keystore that a distribution makes; what it would not have put there, keytool has."""
    told = [origins.of(root) for root in _roots(held, Origin.UNKNOWN)]
    is_debian = any(root.label.startswith(_OF_DEBIAN) for root in told)
    return tuple(
        replace(root, origin=Origin.ADMIN)
        if is_debian and root.origin is Origin.UNKNOWN and not root.label.startswith(_OF_DEBIAN)
        else root
        for root in told
    )


def _own(held: Keystore, home: str) -> tuple[StoredRoot, ...]:
    """Roots of one Java's own keystore: the many with one date came with it, another date is an addition."""
    roots = _roots(held, Origin.UNKNOWN)
    days: Counter[date] = Counter(root.added_at.date() for root in roots if root.added_at is not None)
    built = max(days, key=lambda day: days[day], default=None)
    is_told = built is not None and days[built] >= MIN_BROUGHT and days[built] > len(roots) // 2
    has_marks = sum(root.label.endswith(_OF_OPENJDK) for root in roots) > len(roots) // 2

    def origin(root: StoredRoot) -> Origin:
        is_of_build = is_told and root.added_at is not None and root.added_at.date() == built
        if is_of_build or root.label.endswith(_OF_OPENJDK):
            return Origin.VENDOR
        added = Origin.USER if home else Origin.ADMIN
        return added if has_marks or is_told else Origin.UNKNOWN

    return tuple(replace(root, origin=origin(root)) for root in roots)


def _named(system: System) -> Iterator[StoreReading]:
    """What options for every Java name, in variables and in files of shells that set them."""
    for name in VARIABLES:
        option = trust_store_option(system.environ.get(name, ""))
        if option is not None:
            yield _option(system, Wording("Java ({name})", name=name), option, "")
    for pattern in _OPTIONS.paths:
        for home in system.homes() if pattern.startswith("~") else ("",):
            for file in system.glob(home + pattern.removeprefix("~")):
                try:
                    text = system.read(file, max_octets=MAX_SETTINGS).decode("utf-8", "replace")
                except (FileNotFoundError, UnreadableError):
                    continue  # as in `environment`: not a matter of roots
                for setting in settings_in(text, _OPTIONS):
                    option = trust_store_option(setting.value)
                    if option is not None and system.environ.get(setting.key) != setting.value:
                        yield _option(
                            system,
                            Wording("Java ({key} in {file})", key=setting.key, file=file),
                            option,
                            home,
                        )


def _option(system: System, application: str, option: TrustStoreOption, home: str) -> StoreReading:
    path = option.path.replace("\\", "/") if system.platform is Platform.WINDOWS else option.path
    for sign in ("$HOME/", "${HOME}/", "~/"):
        if home and path.startswith(sign):
            path = f"{home}/{path.removeprefix(sign)}"
    store = Store(kind="java_option", application=application, path=path, profile=home.rpartition("/")[2])
    if "\0" in path or not (path.startswith("/") or path[1:3] == ":/"):
        return StoreReading(store=store, problem=RELATIVE)
    try:
        octets = system.read(path, max_octets=MAX_KEYSTORE)
    except FileNotFoundError:
        return StoreReading(store=store, problem=MISSING)
    except UnreadableError as exc:
        return StoreReading(store=store, problem=str(exc))
    held = read_keystore(octets, option.password)
    return StoreReading(store=store, roots=_roots(held, Origin.ENVIRONMENT), problem=_problem(held))
