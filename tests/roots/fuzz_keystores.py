"""Coverage-guided fuzzing of keystores, values of Windows and trust settings of macOS.

python tests/roots/fuzz_keystores.py [CORPUS] [-runs=N]. Needs atheris. Whatever the octets are, values come
back, and what is said of them is one line.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["kzmitm.roots", "kzmitm.pki"]):
    from kzmitm.roots.java_places import trust_store_option
    from kzmitm.roots.keystores import read_keystore
    from kzmitm.roots.macos_trust import TrustSettingsError, read_trust_settings
    from kzmitm.roots.values import Origin, Trust
    from kzmitm.roots.windows_blob import read_blob, stored_root

FIXTURES = Path(__file__).parent / "fixtures"
WHOLE = [path.read_bytes() for path in sorted(FIXTURES.glob("keytool*"))]


def _keystore(octets: bytes) -> None:
    held = read_keystore(octets)
    assert "\n" not in held.problem
    assert all(entry.der[0] == 0x30 for entry in held.entries)


def _changed(data: bytes) -> None:
    """A keystore of keytool's: each three octets of the input are a place and a value."""
    octets = bytearray(WHOLE[data[0] % len(WHOLE)] if data else b"")
    for start in range(1, min(len(data), 300) - 2, 3):
        octets[int.from_bytes(data[start : start + 2]) % len(octets)] = data[start + 2]
    _keystore(bytes(octets))


def _blob(data: bytes) -> None:
    held = read_blob(data)
    for trust in Trust:
        made = stored_root(held, trust, Origin.USER, place="", written_at=None)
        assert trust is Trust.TRUSTED or made.trust is not Trust.TRUSTED


def _settings(data: bytes) -> None:
    with suppress(TrustSettingsError):
        read_trust_settings(data)


def _options(data: bytes) -> None:
    trust_store_option(data.decode("utf-8", "replace"))


TARGETS: tuple[Callable[[bytes], None], ...] = (_keystore, _changed, _blob, _settings, _options)


def one_input(data: bytes) -> None:
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
