"""Annotations of a measurement: what kind of computer made it, in OONI's words, and nothing finer."""

from collections.abc import Mapping, Sequence
from typing import Any

_PLATFORMS = {"linux": "linux", "darwin": "macos", "win32": "windows", "cygwin": "windows", "ios": "ios"}

_ARCHITECTURES = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "i386": "386",
    "i686": "386",
    "x86": "386",
}


def annotations(*, platform: str, machine: str, android: bool = False) -> dict[str, str]:
    """`platform` and `architecture` (df-000) from `sys.platform` and `platform.machine()`.

    Python before 3.13 calls Android `linux`; `android` says that it is one.
    """
    system = "android" if android else _PLATFORMS.get(platform)
    if system is None:
        system = "freebsd" if platform.startswith("freebsd") else "unknown"
    known = machine.lower()
    architecture = _ARCHITECTURES.get(known) or ("arm" if known.startswith("arm") else "unknown")
    return {"platform": system, "architecture": architecture}


def environment(
    *,
    system: str,
    release: str,
    machine: str,
    python: str,
    libraries: Mapping[str, str],
    resolvers: Sequence[str],
) -> dict[str, Any]:
    """What the full level tells of the computer: enough to repeat a run, and no name of host or user."""
    return {
        "system": system,
        "release": release,
        "machine": machine,
        "python": python,
        "libraries": dict(libraries),
        "resolvers": list(resolvers),
    }
