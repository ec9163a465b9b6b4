"""Annotations of a measurement: what kind of computer made it, in OONI's words, and nothing finer."""

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
