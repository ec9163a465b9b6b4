"""NSS databases: of each profile of Firefox, Thunderbird and their kin, and those that programs share.

Profiles stand in `profiles.ini` and `installs.ini`, as a path below that folder or anywhere else; folders
that are in neither are read as well, for a program may be started with any of them (`-profile`).
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kzmitm.roots.nss import read_certificates, stored_root
from kzmitm.roots.sqlite_tables import read_copy
from kzmitm.roots.system import System, UnreadableError
from kzmitm.roots.values import Origin, Platform, Store, StoreReading
from kzmitm.wording import Wording

PLATFORMS = frozenset({Platform.LINUX, Platform.MACOS, Platform.WINDOWS})

MAX_LIST = 1 << 20
"""Octets of a list of profiles; one profile takes a hundred."""
MAX_PROFILES = 200
"""Of one program of one user."""

_TOR = "Browser/TorBrowser/Data/Browser"
_FOLDERS: dict[Platform, dict[str, tuple[str, ...]]] = {
    Platform.LINUX: {
        "Firefox": (
            ".mozilla/firefox*",
            # Firefox 147 and later; which of the two, sources disagree.
            ".config/mozilla/firefox*",
            ".config/firefox",
            "snap/firefox/common/.mozilla/firefox",
            "snap/firefox/common/.config/mozilla/firefox",
            ".var/app/org.mozilla.firefox/.mozilla/firefox",
            ".var/app/org.mozilla.firefox/config/mozilla/firefox",
        ),
        "Thunderbird": (
            ".thunderbird",
            ".mozilla-thunderbird",
            "snap/thunderbird/common/.thunderbird",
            ".var/app/org.mozilla.[Tt]hunderbird/.thunderbird",
        ),
        "LibreWolf": (
            ".librewolf",
            ".config/librewolf/librewolf",
            ".var/app/io.gitlab.librewolf-community/.librewolf",
            ".var/app/io.gitlab.librewolf-community/config/librewolf/librewolf",
        ),
        "Waterfox": (".waterfox", ".var/app/net.waterfox.waterfox/.waterfox"),
        "Floorp": (".floorp", ".var/app/one.ablaze.floorp/.floorp"),
        "Zen Browser": (".zen", ".var/app/app.zen_browser.zen/.zen"),
        "SeaMonkey": (".mozilla/seamonkey",),
        "Tor Browser": (
            f"tor-browser*/{_TOR}",
            f"*/tor-browser*/{_TOR}",
            f".local/share/torbrowser/tbb/*/tor-browser*/{_TOR}",
            f".var/app/org.torproject.torbrowser-launcher/data/torbrowser/tbb/*/tor-browser*/{_TOR}",
        ),
    },
    Platform.MACOS: {
        "Firefox": ("Library/Application Support/Firefox",),
        "Thunderbird": ("Library/Thunderbird", "Library/Application Support/Thunderbird"),
        "LibreWolf": ("Library/Application Support/[Ll]ibre[Ww]olf",),
        "Waterfox": ("Library/Application Support/Waterfox",),
        "Floorp": ("Library/Application Support/Floorp",),
        "Zen Browser": ("Library/Application Support/zen",),
        "SeaMonkey": ("Library/Application Support/SeaMonkey",),
        "Tor Browser": ("Library/Application Support/TorBrowser-Data/Browser",),
    },
    Platform.WINDOWS: {
        "Firefox": (
            "AppData/Roaming/Mozilla/Firefox",
            "AppData/Local/Packages/Mozilla.Firefox_*/LocalCache/Roaming/Mozilla/Firefox",
        ),
        "Thunderbird": (
            "AppData/Roaming/Thunderbird",
            "AppData/Local/Packages/Mozilla*Thunderbird*/LocalCache/Roaming/Thunderbird",
        ),
        "LibreWolf": ("AppData/Roaming/[Ll]ibre[Ww]olf",),
        "Waterfox": ("AppData/Roaming/Waterfox",),
        "Floorp": ("AppData/Roaming/Floorp",),
        "Zen Browser": ("AppData/Roaming/zen",),
        "SeaMonkey": ("AppData/Roaming/Mozilla/SeaMonkey",),
        "Tor Browser": (f"Desktop/Tor Browser/{_TOR}", f"*/Desktop/Tor Browser/{_TOR}"),
    },
}
_SHARED = (
    ".pki/nssdb",
    ".local/share/pki/nssdb",
    "snap/*/current/.pki/nssdb",
    "snap/*/current/.local/share/pki/nssdb",
    "snap/*/common/.pki/nssdb",
    ".var/app/*/.pki/nssdb",
    ".var/app/*/.local/share/pki/nssdb",
    ".var/app/*/data/pki/nssdb",
)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of Firefox or of a program made from it."""

    application: str
    folder: str
    name: str


def read(system: System) -> Iterator[StoreReading]:
    """The databases of every profile, of every user, and of the system."""
    for profile in profiles(system):
        yield from _database(
            system, profile.folder, "nss_profile", profile.application, Origin.USER, profile.name
        )
    if system.platform is Platform.LINUX:
        for home in system.homes():
            for folder in (path for pattern in _SHARED for path in system.glob(f"{home}/{pattern}")):
                yield from _database(
                    system, folder, "nss_user", Wording("Chromium and other programs"), Origin.USER
                )
        yield from _database(
            system, "/etc/pki/nssdb", "nss_system", Wording("programs with NSS"), Origin.ADMIN
        )


def profiles(system: System) -> Iterator[Profile]:
    """Every profile of every program and user, each folder once."""
    seen: set[str] = set()
    for application, patterns in _FOLDERS.get(system.platform, {}).items():
        for home in system.homes():
            for parent in (path for pattern in patterns for path in system.glob(f"{home}/{pattern}")):
                for folder, name in _profiles_below(system, parent):
                    if folder not in seen and system.is_folder(folder):
                        seen.add(folder)
                        yield Profile(application, folder, name)


def _profiles_below(system: System, parent: str) -> Iterator[tuple[str, str]]:
    """Folders of profiles with their names: those listed, then those that only lie there."""
    for listing in ("profiles.ini", "installs.ini"):
        for section in _sections(system, f"{parent}/{listing}"):
            path = section.get("Path") or section.get("Default", "")
            if len(path) > 1:  # `Default=1` says which profile is meant if none is named
                folder = _within(system, parent, path)
                yield folder, section.get("Name") or posixpath.basename(folder)
    for folder in (parent, f"{parent}/Profiles"):
        for name in system.entries(folder):
            if any(system.is_file(f"{folder}/{name}/{file}") for file in ("cert9.db", "cert8.db")):
                yield posixpath.normpath(f"{folder}/{name}"), name


def _sections(system: System, path: str) -> Iterator[dict[str, str]]:
    """The sections of a list of profiles; none if there is no list that can be read."""
    try:
        text = system.read(path, max_octets=MAX_LIST).decode("utf-8-sig", "replace")
    except (FileNotFoundError, UnreadableError):
        return
    for section in re.split(r"(?m)^\s*\[[^\]\n]*\]\s*$", text)[1 : MAX_PROFILES + 1]:
        pairs = (line.partition("=") for line in section.splitlines())
        yield {key.strip(): value.strip() for key, sign, value in pairs if sign}


def _within(system: System, parent: str, path: str) -> str:
    """A path of a list as one of this system: below the list's folder unless it is absolute."""
    if system.platform is Platform.WINDOWS:
        # The system is one drive.
        path = re.sub(r"^[A-Za-z]:(?=/)", "", path.replace("\\", "/"))
    return posixpath.normpath(posixpath.join(parent, path))


def _database(
    system: System, folder: str, kind: str, application: str, origin: Origin, profile: str = ""
) -> Iterator[StoreReading]:
    path = f"{folder}/cert9.db"
    store = Store(kind=kind, application=application, path=path, profile=profile)
    try:
        certificates, problem = read_copy(system, path, read_certificates)
    except FileNotFoundError:
        path = f"{folder}/cert8.db"
        if system.exists(path):
            store = Store(kind=kind, application=application, path=path, profile=profile)
            why = Wording(
                "an old database (Berkeley DB), which is not read; programs since 2018 turn it into cert9.db"
            )
            yield StoreReading(store=store, problem=why)
        return
    roots = tuple(stored_root(each, origin=origin) for each in certificates or ())
    yield StoreReading(store=store, roots=roots, problem=problem)
