"""What an organisation has Firefox trust: roots of `policies.json`, and those of the system.

https://mozilla.github.io/policy-templates/#certificates; as Policies.sys.mjs of Firefox does it. The roots of
the system (enterprise roots) are imported on Windows and macOS only: GatherEnterpriseCerts in
EnterpriseRoots.cpp.
"""

import base64
import binascii
import json
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from kzmitm.roots.readers.nss_profiles import Profile, profiles
from kzmitm.roots.system import System, UnreadableError
from kzmitm.roots.values import Origin, Platform, Purpose, Store, StoredRoot, StoreReading, Trust
from kzmitm.wording import Wording, joined, one_line

PLATFORMS = frozenset({Platform.LINUX, Platform.MACOS, Platform.WINDOWS})

MAX_POLICIES = 1 << 20
"""Octets of `policies.json` and of a certificate that it names."""
MAX_PREFERENCES = 16 << 20
"""Octets of `prefs.js`; one used for years has some hundred thousand."""
MAX_INSTALLED = 1_000
"""Certificates that one policy may name."""

_IMPORTED_BY_DEFAULT_SINCE = 120
"""https://support.mozilla.org/kb/setup-certificate-authorities-firefox; of Firefox itself, on two systems."""
_IMPORTS_ON = frozenset({Platform.MACOS, Platform.WINDOWS})

_POLICY_FOLDERS: dict[Platform, dict[str, tuple[str, ...]]] = {
    Platform.LINUX: {
        "Firefox": (
            "/etc/firefox*/policies",
            "/usr/lib*/firefox*/distribution",
            "/usr/local/lib*/firefox*/distribution",
            "/usr/share/firefox*/distribution",
            "/opt/firefox*/distribution",
            "/snap/firefox/current/usr/lib/firefox/distribution",
            "/var/lib/flatpak/app/org.mozilla.firefox/current/active/files/lib/firefox/distribution",
            "/var/lib/flatpak/extension/org.mozilla.firefox.systemconfig/*/*/policies",
            "~/.local/share/flatpak/app/org.mozilla.firefox/current/active/files/lib/firefox/distribution",
            "~/.local/share/flatpak/extension/org.mozilla.firefox.systemconfig/*/*/policies",
            "~/firefox*/distribution",
        ),
        "Thunderbird": (
            "/etc/thunderbird*/policies",
            "/usr/lib*/thunderbird*/distribution",
            "/usr/share/thunderbird*/distribution",
            "/opt/thunderbird*/distribution",
            "/snap/thunderbird/current/distribution",
            "/var/lib/flatpak/app/org.mozilla.[Tt]hunderbird/current/active/files/lib/thunderbird/distribution",
        ),
        "LibreWolf": (
            "/etc/librewolf/policies",
            "/usr/lib*/librewolf/distribution",
            "/usr/share/librewolf/distribution",
            "/opt/librewolf/distribution",
            "/var/lib/flatpak/app/io.gitlab.librewolf-community/current/active/files/lib/librewolf/distribution",
        ),
        "Waterfox": ("/usr/lib*/waterfox*/distribution", "/opt/waterfox*/distribution"),
    },
    Platform.MACOS: {
        name: tuple(
            f"{where}/Applications/{name}*.app/Contents/Resources/distribution" for where in ("", "~")
        )
        for name in ("Firefox", "Thunderbird", "LibreWolf", "Waterfox")
    },
    Platform.WINDOWS: {
        "Firefox": (
            "/Program Files*/Mozilla Firefox*/distribution",
            "/Program Files*/Firefox*/distribution",
            "~/AppData/Local/Mozilla Firefox*/distribution",
        ),
        "Thunderbird": ("/Program Files*/Mozilla Thunderbird*/distribution",),
        "LibreWolf": ("/Program Files*/LibreWolf/distribution",),
        "Waterfox": ("/Program Files*/Waterfox/distribution",),
    },
}
_CERTIFICATE_FOLDERS: dict[Platform, tuple[str, ...]] = {
    Platform.LINUX: (
        "~/.mozilla/certificates",
        "~/.config/mozilla/certificates",
        "/usr/lib/mozilla/certificates",
        "/usr/lib64/mozilla/certificates",
    ),
    Platform.MACOS: (
        "~/Library/Application Support/Mozilla/Certificates",
        "/Library/Application Support/Mozilla/Certificates",
    ),
    Platform.WINDOWS: (
        "~/AppData/Roaming/Mozilla/Certificates",
        "~/AppData/Local/Mozilla/Certificates",
    ),
}
_PREFERENCE = re.compile(
    rb"""^\s*(?:user_)?pref\(\s*["']security\.enterprise_roots\.enabled["']\s*,\s*(true|false)\s*\)""",
    re.MULTILINE,
)
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def read(system: System) -> Iterator[StoreReading]:
    """Roots that policies install, and a store without any for each program that takes over the system's."""
    ruled: set[str] = set()
    for application, patterns in _POLICY_FOLDERS[system.platform].items():
        for folder in _places(system, patterns):
            path = f"{folder}/policies.json"
            try:
                policy = _certificates_of(system.read(path, max_octets=MAX_POLICIES))
            except FileNotFoundError:
                continue
            except (UnreadableError, ValueError, RecursionError) as exc:
                store = Store(kind="firefox_policy", application=application, path=path)
                yield StoreReading(store=store, problem=" ".join(str(exc).split())[:200])
                continue
            yield from _installed(system, application, folder, policy)
            if isinstance(policy.get("ImportEnterpriseRoots"), bool):
                ruled.add(application)
                if policy["ImportEnterpriseRoots"] and system.platform in _IMPORTS_ON:
                    yield _imports(application, path)
    if system.platform in _IMPORTS_ON:
        for profile in profiles(system):
            # A policy sets the preference and locks it.
            if profile.application not in ruled and (where := _imports_by_preference(system, profile)):
                yield _imports(profile.application, where, profile.name)


def _imports(application: str, path: str, profile: str = "") -> StoreReading:
    kind = "firefox_enterprise_roots"
    return StoreReading(store=Store(kind=kind, application=application, path=path, profile=profile))


def _places(system: System, patterns: tuple[str, ...]) -> Iterator[str]:
    """The folders that match; `~` stands for every home."""
    for pattern in patterns:
        homes = system.homes() if pattern.startswith("~") else ("",)
        for home in homes:
            yield from system.glob(home + pattern.removeprefix("~"))


def _certificates_of(octets: bytes) -> dict[str, Any]:
    """The part on certificates; {} if there is none. Raises ValueError, RecursionError."""
    document = json.loads(octets)
    for name in ("policies", "Certificates"):
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def _installed(
    system: System, application: str, folder: str, policy: dict[str, Any]
) -> Iterator[StoreReading]:
    """The certificates that a policy puts into every profile at the program's start."""
    named = policy.get("Install")
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    if not names:
        return
    roots, problems = dict[str, StoredRoot](), list[str]()
    for name in names[:MAX_INSTALLED]:
        paths = _found(system, folder, name)
        if not paths:
            problems.append(Wording("a certificate that it names is not to be found: {name}", name=name))
        for path in paths:
            try:
                der = _der_of(system.read(path, max_octets=MAX_POLICIES))
            except (FileNotFoundError, UnreadableError, ValueError) as exc:
                problems.append(joined(": ", (path, str(exc))))
                continue
            roots[path] = StoredRoot(
                der=der,
                trust=Trust.TRUSTED,
                origin=Origin.POLICY,
                purposes=frozenset({Purpose.SERVER, Purpose.CLIENT, Purpose.EMAIL}),  # as `CT,CT,`
                label=name,
                place=path,
                added_at=system.modified_at(path),
            )
    if len(names) > MAX_INSTALLED:
        problems.append(
            Wording(
                "only {max_installed} of {count} certificates were looked for",
                max_installed=MAX_INSTALLED,
                count=len(names),
            )
        )
    store = Store(kind="firefox_policy", application=application, path=f"{folder}/policies.json")
    why = joined("; ", (one_line(each, 200) for each in problems[:3]))
    yield StoreReading(store=store, roots=tuple(roots.values()), problem=why)


def _found(system: System, folder: str, name: str) -> list[str]:
    """The files that a name in a policy stands for: one, or one of each user."""
    if system.platform is Platform.WINDOWS:
        name = re.sub(r"^[A-Za-z]:(?=/)", "", name.replace("\\", "/"))
    if name.startswith("/"):
        return [name] if system.is_file(name) else []
    if posixpath.basename(name) != name:  # nsIFile.append takes no more than a name
        return []
    own = "certificates" if system.platform is Platform.LINUX else "Certificates"
    found = [f"{folder}/{own}/{name}"]
    found += (f"{each}/{name}" for each in _places(system, _CERTIFICATE_FOLDERS[system.platform]))
    return [path for path in found if system.is_file(path)]


def _der_of(octets: bytes) -> bytes:
    """A certificate as DER, of DER or PEM; raises ValueError."""
    if octets.startswith(b"\x30"):
        return octets
    block = _PEM.search(octets)
    if block is None:
        raise ValueError(Wording("no certificate"))
    try:
        return base64.b64decode(b"".join(block[1].split()), validate=True)
    except binascii.Error as exc:
        raise ValueError(Wording("no certificate: {why}", why=exc)) from None


def _imports_by_preference(system: System, profile: Profile) -> str:
    """The file by which a profile takes over the system's roots; "" if it does not."""
    for name in ("user.js", "prefs.js"):  # the first is copied over the second at each start
        path = f"{profile.folder}/{name}"
        try:
            set_to = _PREFERENCE.findall(system.read(path, max_octets=MAX_PREFERENCES))
        except (FileNotFoundError, UnreadableError):
            continue
        if set_to:
            return path if set_to[-1] == b"true" else ""
    path = f"{profile.folder}/compatibility.ini"
    try:
        version = re.search(rb"(?m)^LastVersion=(\d{1,6})\.", system.read(path, max_octets=MAX_POLICIES))
    except (FileNotFoundError, UnreadableError):
        return ""
    is_new = version is not None and int(version[1]) >= _IMPORTED_BY_DEFAULT_SINCE
    return path if is_new and profile.application == "Firefox" else ""
