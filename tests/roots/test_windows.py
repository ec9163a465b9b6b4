"""Windows: values of the registry by their layout in wincrypt.h, a live registry by what winreg documents.

The live registry is a fake with the functions of the module `winreg` that are used; nothing of this was run
on Windows. The files in `fixtures/` were written by hivexregedit.
"""

import hashlib
import importlib.util
import struct
import sys
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from java_support import FIXTURES
from roots_support import CLIENT, EMAIL, SERVER, SHARED, _oid, _tlv, put, qaznet, root

from kzmitm.roots import windows_hives, windows_keys
from kzmitm.roots.keystores import read_keystore
from kzmitm.roots.readers import windows_registry
from kzmitm.roots.system import System, UnreadableError
from kzmitm.roots.values import Origin, Platform, Purpose, Trust
from kzmitm.roots.windows_blob import MAX_BLOB, moment, read_blob, stored_root

A, B, C, D = (root(name) for name in "ABCD")
WRITTEN = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)
needs_regipy = pytest.mark.skipif(
    importlib.util.find_spec("regipy") is None, reason="regipy is not installed"
)


def ticks(at: datetime) -> int:
    return round((at - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds() * 10_000_000)


def sha1(der: bytes) -> str:
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def prop(number: int, octets: bytes) -> bytes:
    return struct.pack("<III", number, 1, len(octets)) + octets


def usages(*oids: str) -> bytes:
    return _tlv(0x30, b"".join(_tlv(0x06, _oid(oid)) for oid in oids))


def blob(der: bytes, *properties: bytes, name: str = "") -> bytes:
    """As Windows writes it: hashes first, the certificate last."""
    named = prop(11, f"{name}\0".encode("utf-16-le")) if name else b""
    return prop(3, bytes.fromhex(sha1(der))) + named + b"".join(properties) + prop(32, der)


def of(octets: bytes, trust: Trust = Trust.TRUSTED):
    made = stored_root(read_blob(octets), trust, Origin.ADMIN, place="HKLM\\a", written_at=WRITTEN)
    return made.trust, made.purposes


def test_a_value():
    held = read_blob(blob(A, prop(27, struct.pack("<Q", ticks(WRITTEN))), name="Қазнет"))
    assert (held.der, held.label, held.stamped_at) == (A, "Қазнет", WRITTEN)
    assert (held.allowed, held.rejected, held.is_disallowed, held.is_damaged) == (
        None,
        frozenset(),
        False,
        False,
    )


@pytest.mark.parametrize(
    ("properties", "trust", "purposes"),
    [
        ((), Trust.TRUSTED, None),
        ((prop(9, usages(SERVER, EMAIL)),), Trust.TRUSTED, {Purpose.SERVER, Purpose.EMAIL}),
        ((prop(9, usages(CLIENT)),), Trust.PRESENT, {Purpose.CLIENT}),
        ((prop(9, usages()),), Trust.DISTRUSTED, None),
        ((prop(9, b"damaged"),), Trust.TRUSTED, None),
        ((prop(104, struct.pack("<Q", 1)),), Trust.DISTRUSTED, None),
        ((prop(104, struct.pack("<Q", 1)), prop(122, usages(SERVER))), Trust.DISTRUSTED, None),
        ((prop(122, usages(EMAIL)),), Trust.TRUSTED, set(Purpose) - {Purpose.EMAIL}),
        ((prop(126, struct.pack("<Q", 1)), prop(127, usages(SERVER))), Trust.TRUSTED, None),
        ((prop(2**32 - 1, b"unknown"),), Trust.TRUSTED, None),
    ],
)
def test_properties_that_take_trust_away(properties, trust, purposes):
    assert of(blob(A, *properties)) == (trust, purposes)


def test_what_a_store_says_is_not_raised_by_properties():
    assert of(blob(A), Trust.PRESENT) == (Trust.PRESENT, None)
    assert of(blob(A), Trust.DISTRUSTED) == (Trust.DISTRUSTED, None)
    assert of(blob(A, prop(9, usages(SERVER))), Trust.DISTRUSTED) == (Trust.DISTRUSTED, None)


def test_lies_in_a_value():
    whole = blob(A, name="name")
    for end in range(len(whole)):
        held = read_blob(whole[:end])
        assert held.der == b""
    lying = struct.pack("<III", 11, 1, 2**32 - 1) + b"abc"
    assert read_blob(prop(32, A) + lying) == read_blob(prop(32, A) + b"\1")
    assert read_blob(prop(32, A) + lying).is_damaged
    assert read_blob(prop(32, A) + prop(32, B)).der == A
    assert read_blob(b"\0" * (MAX_BLOB + 1)).is_damaged
    began = time.perf_counter()
    read_blob(prop(1, b"") * (MAX_BLOB // 12))
    assert time.perf_counter() - began < 0.1
    assert (moment(0), moment(2**64 - 1)) == (None, None)


@given(st.binary(max_size=600), st.integers(0, 2**32 - 1), st.integers(0, 700))
@settings(max_examples=300, deadline=None)
def test_any_value(octets, length, place):
    whole = blob(A, prop(9, usages(SERVER)), name="a")
    changed = whole[:place] + struct.pack("<I", length) + whole[place + 4 :]
    for each in (octets, changed):
        held = read_blob(each)
        stored_root(held, Trust.TRUSTED, Origin.USER, place="", written_at=None)
        assert len(held.label) <= 200


class Key:
    """A key as OpenKey gives it."""

    def __init__(self, values: dict[str, bytes], keys: dict[str, "Key"] | None = None) -> None:
        self.values, self.keys = values, keys or {}
        self.is_denied = False

    def __enter__(self):
        return self

    def __exit__(self, kind, exc, trace):
        return None


class WinRegistry:
    """The part of `winreg` that is used, as the documentation of Python has it."""

    HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE, KEY_READ = 1, 2, 0x20019

    def __init__(self) -> None:
        self._trees = {1: Key({}), 2: Key({})}

    def made(self, path: str) -> Key:
        hive, *parts = path.split("\\")
        key = self._trees[1 if hive == "HKCU" else 2]
        for part in parts:
            key = key.keys.setdefault(part.lower(), Key({}))
        return key

    def add(self, path: str, store: str, *ders: bytes, values: bytes | None = None) -> None:
        for der in ders:
            name = sha1(der)
            key = self.made(rf"{path}\{store}\Certificates\{name}")
            key.values["Blob"] = blob(der) if values is None else values

    def OpenKey(self, key, sub_key, reserved=0, access=0):  # noqa: N802
        assert (reserved, access) == (0, self.KEY_READ)
        found = self._trees.get(key, key)
        for part in sub_key.split("\\"):
            if part.lower() not in found.keys:
                raise FileNotFoundError(2, "The system cannot find the file specified")
            found = found.keys[part.lower()]
            if found.is_denied:
                raise PermissionError(13, "Access is denied")
        return found

    def EnumKey(self, key, index):  # noqa: N802
        try:
            return list(key.keys)[index]
        except IndexError:
            raise OSError(22, "No more data is available") from None

    def QueryInfoKey(self, key):  # noqa: N802
        return len(key.keys), len(key.values), ticks(WRITTEN)

    def QueryValueEx(self, key, name):  # noqa: N802
        if name not in key.values:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        return key.values[name], 3


USER = r"HKCU\Software\Microsoft\SystemCertificates"
MACHINE = r"HKLM\SOFTWARE\Microsoft\SystemCertificates"
POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\SystemCertificates"
USER_POLICY = r"HKCU\Software\Policies\Microsoft\SystemCertificates"
ENTERPRISE = r"HKLM\SOFTWARE\Microsoft\EnterpriseCertificates"


@pytest.fixture
def registry(monkeypatch):
    fake = WinRegistry()
    monkeypatch.setitem(sys.modules, "winreg", fake)
    return fake


def live(tmp_path):
    system = System(tmp_path, platform=Platform.WINDOWS, environ={}, home="/Users/aigerim")
    return {each.store.kind: each for each in windows_registry.read(system)}


@pytest.mark.parametrize(
    ("path", "name", "kind", "said"),
    [
        (USER, "Root", "windows_user_root", (Origin.USER, Trust.TRUSTED)),
        (USER, "AuthRoot", "windows_user_authroot", (Origin.VENDOR, Trust.TRUSTED)),
        (USER, "CA", "windows_user_ca", (Origin.UNKNOWN, Trust.PRESENT)),
        (USER, "Disallowed", "windows_user_disallowed", (Origin.USER, Trust.DISTRUSTED)),
        (USER, "TrustedPeople", "windows_user_trustedpeople", (Origin.USER, Trust.PRESENT)),
        (USER_POLICY, "Root", "windows_user_policy_root", (Origin.POLICY, Trust.TRUSTED)),
        (MACHINE, "ROOT", "windows_machine_root", (Origin.ADMIN, Trust.TRUSTED)),
        (MACHINE, "AuthRoot", "windows_machine_authroot", (Origin.VENDOR, Trust.TRUSTED)),
        (MACHINE, "Disallowed", "windows_machine_disallowed", (Origin.UNKNOWN, Trust.DISTRUSTED)),
        (POLICY, "Root", "windows_policy_root", (Origin.POLICY, Trust.TRUSTED)),
        (POLICY, "Disallowed", "windows_policy_disallowed", (Origin.POLICY, Trust.DISTRUSTED)),
        (ENTERPRISE, "Root", "windows_enterprise_root", (Origin.POLICY, Trust.TRUSTED)),
    ],
)
def test_the_origin_is_the_place(tmp_path, registry, path, name, kind, said):
    registry.add(path, name, A)
    ((found, reading),) = live(tmp_path).items()
    (held,) = reading.roots
    assert (found, (held.origin, held.trust), held.der) == (kind, said, A)
    assert held.added_at == WRITTEN
    assert held.place.lower() == rf"{path}\{name}\Certificates\{sha1(A)}".lower()
    assert not reading.problem


def test_what_is_disallowed_is_trusted_nowhere(tmp_path, registry):
    registry.add(MACHINE, "ROOT", A, B)
    registry.add(USER, "Root", A, C)
    registry.add(MACHINE, "Disallowed", A)
    registry.add(USER, "Disallowed", B)
    readings = live(tmp_path)
    assert [each.trust for each in readings["windows_machine_root"].roots] == [Trust.PRESENT] * 2
    assert [each.trust for each in readings["windows_user_root"].roots] == [Trust.PRESENT, Trust.TRUSTED]
    assert readings["windows_user_disallowed"].roots[0].trust is Trust.DISTRUSTED


def test_a_key_that_is_denied_or_damaged_does_not_keep_others_out(tmp_path, registry):
    registry.add(MACHINE, "ROOT", A)
    registry.add(MACHINE, "CA", B, values=b"\x20\0\0\0\1\0\0\0\xff\xff\xff\xff")
    registry.made(rf"{MACHINE}\CA\Certificates\00").values["Blob"] = "text"
    registry.made(rf"{MACHINE}\CA\Certificates\01")
    registry.made(rf"{USER}\Root\Certificates").is_denied = True
    readings = live(tmp_path)
    assert readings["windows_user_root"].problem == "Access is denied"
    assert readings["windows_machine_ca"].problem == "3 entries are damaged or hold no certificate"
    assert [each.der for each in readings["windows_machine_root"].roots] == [A]


def test_more_certificates_than_any_store_has(tmp_path, registry, monkeypatch):
    monkeypatch.setattr(windows_keys, "MAX_CERTIFICATES", 2)
    monkeypatch.setattr(windows_registry, "MAX_CERTIFICATES", 2)
    registry.add(MACHINE, "ROOT", A, B, C)
    reading = live(tmp_path)["windows_machine_root"]
    assert (len(reading.roots), "not read to its end" in reading.problem) == (2, True)


def test_without_a_registry(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "winreg", None)
    assert live(tmp_path)["windows_registry"].problem == windows_registry.NO_REGISTRY


def test_empty_stores_are_not_told_of(tmp_path, registry):
    registry.made(rf"{MACHINE}\ROOT\Certificates")
    assert not live(tmp_path)


SOFTWARE, NTUSER = (FIXTURES / f"{name}.hive" for name in ("SOFTWARE", "NTUSER"))
ONE, TWO = (entry.der for entry in read_keystore((FIXTURES / "keytool.p12").read_bytes()).entries)


def image(tmp_path, software: bytes | None = None, user: bytes | None = None):
    put(
        tmp_path, "/Windows/system32/Config/Software", SOFTWARE.read_bytes() if software is None else software
    )
    put(tmp_path, "/Users/aigerim/ntuser.dat", NTUSER.read_bytes() if user is None else user)
    return list(windows_registry.read(System(tmp_path, platform=Platform.WINDOWS)))


@needs_regipy
def test_files_of_the_registry(tmp_path):
    readings = {each.store.kind: each for each in image(tmp_path)}
    said = {kind: [(each.der, each.trust, each.origin) for each in reading.roots]
            for kind, reading in readings.items()}  # fmt: skip
    assert said == {
        "windows_user_root": [(TWO, Trust.PRESENT, Origin.USER)],
        "windows_user_policy_root": [(ONE, Trust.TRUSTED, Origin.POLICY)],
        "windows_machine_root": [(ONE, Trust.TRUSTED, Origin.ADMIN)],
        "windows_machine_authroot": [(TWO, Trust.PRESENT, Origin.VENDOR)],
        "windows_machine_disallowed": [(TWO, Trust.DISTRUSTED, Origin.UNKNOWN)],
    }
    assert readings["windows_user_root"].store.profile == "aigerim"
    assert readings["windows_machine_root"].roots[0].label == "Жүйе"
    assert not any(each.problem for each in readings.values())


@needs_regipy
def test_damaged_files_of_the_registry(tmp_path):
    whole = SOFTWARE.read_bytes()
    lying = whole[:4160] + b"\xff\xff\xff\x7f" + whole[4164:]
    for octets in (
        b"",
        b"regf",
        lying,
        whole[:4096],
        whole[:4200],
        whole[:4096] + b"\0" * 8192,
        b"\0" * 20_000,
    ):
        (machine,) = (each for each in image(tmp_path, octets) if each.problem)
        assert machine.problem == windows_hives.DAMAGED
        assert machine.store.path == "/Windows/system32/Config/Software"


def test_whatever_the_library_raises():
    with pytest.raises(UnreadableError):
        list(windows_hives.Hive(object()).kept("a"))


@needs_regipy
@given(place=st.integers(4096, 12287), octets=st.binary(min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_any_octets_of_a_file_changed(tmp_path_factory, place, octets):
    whole = SOFTWARE.read_bytes()
    changed = whole[:place] + octets + whole[place + len(octets) :]
    for reading in image(tmp_path_factory.mktemp("image"), changed):
        assert "\n" not in reading.problem


def test_files_of_the_registry_without_the_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "regipy.registry", None)
    monkeypatch.setitem(sys.modules, "regipy", None)
    assert {each.problem for each in image(tmp_path)} == {windows_hives.NOT_INSTALLED}


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(windows_hives, "MAX_HIVE", 100)
    assert all("so it was not read" in each.problem for each in image(tmp_path))


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared certificates beside the checkout")
def test_qaznet_of_the_user(tmp_path, registry):
    registry.add(USER, "Root", qaznet())
    (found,) = live(tmp_path)["windows_user_root"].roots
    assert (found.der, found.trust, found.origin) == (qaznet(), Trust.TRUSTED, Origin.USER)
