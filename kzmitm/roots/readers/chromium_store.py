"""Chromium's own store of certificates, one per profile, in all programs made from it."""

import json
from collections.abc import Iterator

from kzmitm.roots.chromium import read_certificates, stored_root
from kzmitm.roots.sqlite_tables import read_copy
from kzmitm.roots.system import System, UnreadableError
from kzmitm.roots.values import Platform, Store, StoreReading

PLATFORMS = frozenset({Platform.LINUX, Platform.MACOS, Platform.WINDOWS})

MAX_STATE = 16 << 20
"""Octets of `Local State`, where the profiles' names are; it grows with use, to some MiB."""

_FOLDERS: dict[Platform, dict[str, tuple[str, ...]]] = {
    Platform.LINUX: {
        "Chrome": (".config/google-chrome*", ".var/app/com.google.Chrome*/config/google-chrome*"),
        "Chromium": (
            ".config/chromium",
            "snap/chromium/common/chromium",
            "snap/chromium/current/.config/chromium",
            ".var/app/org.chromium.Chromium/config/chromium",
            ".var/app/io.github.ungoogled_software.ungoogled_chromium/config/chromium",
        ),
        "Brave": (
            ".config/BraveSoftware/Brave-Browser*",
            "snap/brave/*/.config/BraveSoftware/Brave-Browser*",
            ".var/app/com.brave.Browser/config/BraveSoftware/Brave-Browser*",
        ),
        "Edge": (".config/microsoft-edge*", ".var/app/com.microsoft.Edge*/config/microsoft-edge*"),
        "Opera": (
            ".config/opera*",
            "snap/opera/current/.config/opera",
            ".var/app/com.opera.Opera/config/opera",
        ),
        "Vivaldi": (".config/vivaldi*", ".var/app/com.vivaldi.Vivaldi/config/vivaldi*"),
        "Yandex Browser": (".config/yandex-browser*", ".var/app/ru.yandex.Browser/config/yandex-browser*"),
    },
    Platform.MACOS: {
        "Chrome": ("Library/Application Support/Google/Chrome*",),
        "Chromium": ("Library/Application Support/Chromium",),
        "Brave": ("Library/Application Support/BraveSoftware/Brave-Browser*",),
        "Edge": ("Library/Application Support/Microsoft Edge*",),
        "Opera": ("Library/Application Support/com.operasoftware.Opera*",),
        "Vivaldi": ("Library/Application Support/Vivaldi*",),
        "Yandex Browser": ("Library/Application Support/Yandex/YandexBrowser*",),
    },
    Platform.WINDOWS: {
        "Chrome": ("AppData/Local/Google/Chrome*/User Data",),
        "Chromium": ("AppData/Local/Chromium/User Data",),
        "Brave": ("AppData/Local/BraveSoftware/Brave-Browser*/User Data",),
        "Edge": ("AppData/Local/Microsoft/Edge*/User Data",),
        "Opera": ("AppData/Roaming/Opera Software/Opera*",),
        "Vivaldi": ("AppData/Local/Vivaldi/User Data",),
        "Yandex Browser": ("AppData/Local/Yandex/YandexBrowser*/User Data",),
    },
}
_FILE = "ServerCertificate"


def read(system: System) -> Iterator[StoreReading]:
    """The store of every profile that has one."""
    seen: set[str] = set()
    for application, patterns in _FOLDERS[system.platform].items():
        for home in system.homes():
            for folder in (path for pattern in patterns for path in system.glob(f"{home}/{pattern}")):
                if folder not in seen:
                    seen.add(folder)
                    yield from _stores(system, application, folder)


def _stores(system: System, application: str, folder: str) -> Iterator[StoreReading]:
    # Opera keeps its first profile in the folder itself.
    paths = (*system.glob(f"{folder}/{_FILE}"), *system.glob(f"{folder}/*/{_FILE}"))
    names = _names(system, folder) if paths else {}
    for path in paths:
        profile = path.split("/")[-2]
        store = Store(
            kind="chromium_store", application=application, path=path, profile=names.get(profile, profile)
        )
        try:
            certificates, problem = read_copy(system, path, read_certificates)
        except FileNotFoundError:
            continue
        roots = tuple(stored_root(each) for each in certificates or ())
        yield StoreReading(store=store, roots=roots, problem=problem)


def _names(system: System, folder: str) -> dict[str, str]:
    """What the user calls the profiles, by their folders; {} if that is not to be found."""
    try:
        state = json.loads(system.read(f"{folder}/Local State", max_octets=MAX_STATE))
        known = state["profile"]["info_cache"]
        return {key: value["name"] for key, value in known.items() if isinstance(value.get("name"), str)}
    except (FileNotFoundError, UnreadableError, ValueError, RecursionError):
        return {}
    except (LookupError, TypeError, AttributeError):  # not of the form that Chromium writes
        return {}
