"""Where the real interceptors and servers are on this computer, and how to get the missing ones."""

import os
import shutil
import sysconfig
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kzmitm.wording import Wording, joined

SYSTEM_FOLDERS = ("/usr/sbin", "/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
"""Where packages put such programs although the PATH of a user leaves them out."""

MITMDUMP_VARIABLE = "KZMITM_MITMDUMP"
ENVIRONMENT_FOLDER = ".venv-mitmproxy"

PROGRAMS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "dnsmasq-base": ("dnsmasq",),
    "iptables": ("iptables",),
    "libnss3-tools": ("certutil",),
    "nginx-light": ("nginx",),
    "sslsplit": ("sslsplit",),
}
"""Debian package -> the programs of which one will do."""

FILES = {
    # squid without OpenSSL has no certificate generator; the package with it is told by that.
    "squid-openssl": ("/usr/lib/squid/security_file_certgen",),
    "libfaketime": (
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib/faketime/libfaketime.so.1",
        "/usr/lib64/faketime/libfaketime.so.1",
    ),
}
"""Debian package -> files of which one will do."""

SERVERS = ("nginx-light", "dnsmasq-base")
"""What the network cannot do without."""

MAX_SHEBANG = 256
"""Octets of the first line of a script that the kernel reads (linux/binfmts.h)."""

HOW_TO_GET = {
    "mitmproxy": Wording(
        "mitmproxy (pipx install mitmproxy, or set {mitmdump_variable} to its mitmdump)",
        mitmdump_variable=MITMDUMP_VARIABLE,
    ),
}


@dataclass(frozen=True, slots=True)
class Products:
    """The programs found, by the name of the package that brings them."""

    programs: Mapping[str, Path]

    def lacks(self, needs: Collection[str]) -> tuple[str, ...]:
        """Which of the packages are not there."""
        return tuple(need for need in needs if need not in self.programs)


def find_products(environment: Mapping[str, str] | None = None) -> Products:
    """Look for every product.

    mitmdump is looked for where `KZMITM_MITMDUMP` says, on the PATH, in the project's environment for it,
    and in the user's data folder, in this order.
    """
    environment = os.environ if environment is None else environment
    found = {
        "mitmproxy": _mitmdump(environment),
        **{package: _on_path(names, environment) for package, names in PROGRAMS.items()},
        **{package: next(filter(Path.is_file, map(Path, paths)), None) for package, paths in FILES.items()},
    }
    return Products({name: program for name, program in found.items() if program is not None})


def how_to_get(packages: Collection[str]) -> str:
    """One line that says how to get the missing packages."""
    return joined(
        "; ",
        (
            HOW_TO_GET.get(package, Wording("{package} (apt-get install {package})", package=package))
            for package in packages
        ),
    )


def _mitmdump(environment: Mapping[str, str]) -> Path | None:
    named = environment.get(MITMDUMP_VARIABLE)
    if named:
        return _executable(Path(named))
    data = environment.get("XDG_DATA_HOME") or str(Path(environment.get("HOME", "/")) / ".local/share")
    beside = Path(__file__).resolve().parents[2] / ENVIRONMENT_FOLDER / "bin" / "mitmdump"
    own = Path(data) / "kzmitm" / ENVIRONMENT_FOLDER / "bin" / "mitmdump"
    return _on_path(("mitmdump",), environment) or _executable(beside) or _executable(own)


def _on_path(programs: Iterable[str], environment: Mapping[str, str]) -> Path | None:
    folders = [environment.get("PATH", os.defpath), *SYSTEM_FOLDERS, sysconfig.get_path("scripts")]
    path = os.pathsep.join(folders)
    found = next(filter(None, (shutil.which(program, path=path) for program in programs)), None)
    # Not resolved: iptables is one program under many names and asks by which it was called.
    return Path(found).absolute() if found else None


def _executable(path: Path) -> Path | None:
    """The path if this user can run it, the interpreter of a script included."""
    if not path.is_file() or not os.access(path, os.X_OK):
        return None
    with path.open("rb") as file:
        first = file.readline(MAX_SHEBANG)
    if first.startswith(b"#!"):
        interpreter = first[2:].split()[:1]
        if not interpreter or not os.access(os.fsdecode(interpreter[0]), os.X_OK):
            return None
    return path
