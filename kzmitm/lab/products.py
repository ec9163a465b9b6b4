"""Where the real interceptors are on this computer, and how to get the missing ones."""

import os
import shutil
import sysconfig
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

SYSTEM_FOLDERS = ("/usr/sbin", "/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
"""Where packages put such programs although the PATH of a user leaves them out."""

MITMDUMP_VARIABLE = "KZMITM_MITMDUMP"
ENVIRONMENT_FOLDER = ".venv-mitmproxy"

HOW_TO_GET = {
    "sslsplit": "sslsplit (apt-get install sslsplit)",
    "mitmproxy": "mitmproxy (pipx install mitmproxy, or set KZMITM_MITMDUMP to its mitmdump)",
}


@dataclass(frozen=True, slots=True)
class Products:
    """The programs found, by the name of the package that brings them."""

    programs: Mapping[str, Path]

    def lacks(self, needs: Collection[str]) -> tuple[str, ...]:
        """Which of the packages are not there."""
        return tuple(need for need in needs if need not in self.programs)


def find_products(environment: Mapping[str, str] | None = None) -> Products:
    """Look for sslsplit and mitmdump.

    mitmdump is looked for where `KZMITM_MITMDUMP` says, on the PATH, in the project's environment for it,
    and in the user's data folder, in this order.
    """
    environment = os.environ if environment is None else environment
    found = {
        "sslsplit": _on_path("sslsplit", environment),
        "mitmproxy": _mitmdump(environment),
    }
    return Products({name: program for name, program in found.items() if program is not None})


def how_to_get(packages: Collection[str]) -> str:
    """One line that says how to get the missing packages."""
    return "; ".join(HOW_TO_GET.get(package, package) for package in packages)


def _mitmdump(environment: Mapping[str, str]) -> Path | None:
    named = environment.get(MITMDUMP_VARIABLE)
    if named:
        return _executable(Path(named))
    data = environment.get("XDG_DATA_HOME") or str(Path(environment.get("HOME", "/")) / ".local/share")
    beside = Path(__file__).resolve().parents[2] / ENVIRONMENT_FOLDER / "bin" / "mitmdump"
    own = Path(data) / "kzmitm" / ENVIRONMENT_FOLDER / "bin" / "mitmdump"
    return _on_path("mitmdump", environment) or _executable(beside) or _executable(own)


def _on_path(program: str, environment: Mapping[str, str]) -> Path | None:
    folders = [environment.get("PATH", os.defpath), *SYSTEM_FOLDERS, sysconfig.get_path("scripts")]
    found = shutil.which(program, path=os.pathsep.join(folders))
    return Path(found).resolve() if found else None


def _executable(path: Path) -> Path | None:
    return path if path.is_file() and os.access(path, os.X_OK) else None
