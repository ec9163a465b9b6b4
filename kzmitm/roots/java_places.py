"""Where Java keeps its roots: files of distributions, of every Java that is installed, and of programs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kzmitm.roots.system import System
from kzmitm.roots.values import Platform
from kzmitm.wording import Wording

NCALAYER = Wording("NCALayer (its own Java)")
_NCALAYER = "[Nn][Cc][Aa][Ll]ayer*"

SHARED: Mapping[Platform, tuple[str, ...]] = {
    Platform.LINUX: (
        "/etc/ssl/certs/java/cacerts",  # Debian, Arch
        "/etc/pki/ca-trust/extracted/java/cacerts",  # Fedora
        "/etc/pki/java/cacerts",
        "/var/lib/ca-certificates/java-cacerts",  # openSUSE
        "/etc/ca-certificates/extracted/java-cacerts.jks",  # Arch
    ),
    Platform.MACOS: (),
    Platform.WINDOWS: (),
}
"""Files that a distribution makes out of the roots of the system, for all of its Javas."""

_HOMES: Mapping[Platform, tuple[str, ...]] = {
    Platform.LINUX: (
        "/usr/lib/jvm/*",
        "/usr/lib64/jvm/*",
        "/usr/local/lib/jvm/*",
        "/usr/java/*",
        "/opt/*",
        "/opt/*/*",
        "~/.sdkman/candidates/java/*",
        "~/.jdks/*",
        "~/.jabba/jdk/*",
        "~/.asdf/installs/java/*",
        "~/.local/share/mise/installs/java/*",
        f"~/{_NCALAYER}",
        f"~/*/{_NCALAYER}",
    ),
    Platform.MACOS: (
        "/Library/Java/JavaVirtualMachines/*/Contents/Home",
        "~/Library/Java/JavaVirtualMachines/*/Contents/Home",
        "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
        "/usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
        "/Library/Internet Plug-Ins/JavaAppletPlugin.plugin/Contents/Home",
        "~/.sdkman/candidates/java/*",
        f"/Applications/{_NCALAYER}/Contents",
        f"/Applications/{_NCALAYER}/Contents/*",
        f"/Applications/{_NCALAYER}/Contents/*/*/Contents/Home",
        f"~/Applications/{_NCALAYER}/Contents",
        f"~/Applications/{_NCALAYER}/Contents/*",
        f"~/{_NCALAYER}",
    ),
    Platform.WINDOWS: (
        "/Program Files*/*/*[Jj][Dd][Kk]*",
        "/Program Files*/*/*[Jj][Rr][Ee]*",
        "/Program Files*/Zulu/*",
        "/Program Files*/GraalVM/*",
        "~/AppData/Local/Programs/*/*[Jj][Dd][Kk]*",
        "~/.jdks/*",
        "~/scoop/apps/*/current",
        f"/Program Files*/{_NCALAYER}",
        f"~/AppData/*/{_NCALAYER}",
        f"~/{_NCALAYER}",
        f"~/*/{_NCALAYER}",
    ),
}
"""Patterns of folders with a Java in them, or beside them."""

_BELOW = ("lib/security", "jre/lib/security", "jbr/lib/security")
_NAMES = ("cacerts", "jssecacerts")
"""`jssecacerts` takes the place of the other one in the same folder (JSSE Reference Guide)."""

VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")
"""Options for every Java that is started."""
_OPTION = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"'])+""")
_QUOTES = re.compile(r"""["']""")
_TRUST_STORE = "-Djavax.net.ssl.trustStore"
_NO_FILES = frozenset({"", "NONE", "NUL", "/dev/null"})
"""Values that mean another kind of store: the system's own, or none."""


@dataclass(frozen=True, slots=True)
class TrustStoreOption:
    """A keystore that options name, and the password they give for it."""

    path: str
    password: str | None


def keystores(system: System) -> Iterator[tuple[str, str]]:
    """The paths of keystores that are there, and the home folder each is in or ""; one may come twice."""
    for path in SHARED.get(system.platform, ()):
        if system.is_file(path):
            yield path, ""
    named = system.environ.get("JAVA_HOME", "").replace("\\", "/").rstrip("/")
    homes = [("", named)] if named.startswith("/") or named[1:3] == ":/" else []
    for pattern in _HOMES.get(system.platform, ()):
        if not pattern.startswith("~"):
            homes.append(("", pattern))
            continue
        homes += [(home, home + pattern[1:]) for home in system.homes()]
    for home, folder in homes:
        for below in _BELOW:
            for name in _NAMES:
                for path in _files(system, f"{folder}/{below}/{name}", is_named=folder == named):
                    yield path, home


def _files(system: System, path: str, *, is_named: bool) -> Iterator[str]:
    """The files of a pattern, or the one of a path, whatever signs are in its name."""
    for each in (path,) if is_named else system.glob(path):
        if system.is_file(each):
            yield each


def trust_store_option(options: str) -> TrustStoreOption | None:
    """The keystore that the options of a variable name, None if they name none; the last one counts."""
    said: dict[str, str] = {}
    for option in _OPTION.findall(options):
        name, _, value = _QUOTES.sub("", option).partition("=")
        if name.startswith(_TRUST_STORE):
            said[name.removeprefix(_TRUST_STORE)] = value
    path = said.get("", "")
    return None if path in _NO_FILES else TrustStoreOption(path, said.get("Password"))
