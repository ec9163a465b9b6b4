"""Coverage-guided fuzzing of what reads stores of browsers: `python tests/roots/fuzz_nss.py [-runs=N]`.

Needs atheris. A small database of NSS with some octets changed or its end cut off, settings of Chromium,
lists of profiles, preferences and policies: whatever they are, readings come back.
"""

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))

with atheris.instrument_imports(include=["kzmitm.roots"]):
    from kzmitm.roots import chromium, nss
    from kzmitm.roots.readers import chromium_store, firefox_policies, nss_profiles
    from kzmitm.roots.values import Origin

from nss_support import HOME, linux, mixed

SMALL = mixed()
FOLDER = Path(tempfile.mkdtemp(prefix="kzmitm-fuzz-"))


def _read(octets: bytes) -> None:
    path = FOLDER / "cert9.db"
    path.write_bytes(octets)
    found, problem = nss.read_certificates(path)
    assert "\n" not in problem
    for each in found:
        nss.stored_root(each, origin=Origin.USER)


def _changed(data: bytes) -> None:
    """Each three octets of the input are a place and a value."""
    octets = bytearray(SMALL)
    for start in range(0, min(len(data), 300) - 2, 3):
        place = int.from_bytes(data[start : start + 2], "big") % len(octets)
        octets[place] = data[start + 2]
    _read(bytes(octets))


def _cut(data: bytes) -> None:
    _read(SMALL[: int.from_bytes(data[:3], "big") % (len(SMALL) + 1)] + data[3:])


def _settings(data: bytes) -> None:
    with suppress(ValueError):
        settings = chromium.read_settings(data)
        chromium.stored_root(chromium.ChromiumCertificate(data, settings))


def _lists(data: bytes) -> None:
    """Lists of profiles, preferences, policies and names of profiles."""
    for path in (
        f"{HOME}/.mozilla/firefox/profiles.ini",
        "Users/a/Library/Application Support/Firefox/Profiles/a/prefs.js",
        "etc/firefox/policies/policies.json",
        f"{HOME}/.config/chromium/Local State",
        f"{HOME}/.config/chromium/Default/ServerCertificate",
    ):
        file = FOLDER / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    for reader in (nss_profiles, firefox_policies, chromium_store):
        for platform in reader.PLATFORMS:
            for reading in reader.read(linux(FOLDER, platform)):
                assert "\n" not in reading.problem


TARGETS: tuple[Callable[[bytes], None], ...] = (_changed, _cut, _settings, _lists)


def one_input(data: bytes) -> None:
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


if __name__ == "__main__":
    atheris.Setup([*sys.argv, "-len_control=0"], one_input)
    atheris.Fuzz()
