"""macOS, out of layouts made by hand from Apple's documentation; nothing of this was run on a Mac.

The property lists have the form of `security trust-settings-export`, the program is a script that answers as
security(1) says it does.
"""

import hashlib
import plistlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roots_support import SHARED, bundle, put, qaznet, root

from kzmitm.roots.macos_trust import TrustSettingsError, read_trust_settings
from kzmitm.roots.readers import macos
from kzmitm.roots.system import System
from kzmitm.roots.values import Origin, Platform, Purpose, Trust

A, B, C, D = (root(name) for name in "ABCD")
CHANGED = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)
SSL, BASIC, SMIME, CODE = (bytes.fromhex(f"2a864886f7636401{number:02x}") for number in (3, 2, 8, 16))
USER, ADMIN = "/Users/aigerim/Library/Keychains/login.keychain-db", "/Library/Keychains/System.keychain"
APPLE = "/System/Library/Keychains/SystemRootCertificates.keychain"
NONE = "SecTrustSettingsCreateExternalRepresentation: No Trust Settings were found."


def sha1(der: bytes) -> str:
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def rule(result: int | None = None, policy: bytes | None = None, **more):
    said = {} if result is None else {"kSecTrustSettingsResult": result}
    return said | ({} if policy is None else {"kSecTrustSettingsPolicy": policy}) | more


def exported(trusts: dict[bytes, list | None], fmt=plistlib.FMT_XML) -> bytes:
    listed = {}
    for der, rules in trusts.items():
        entry = {"issuerName": b"\x30\x00", "serialNumber": b"\x01", "modDate": CHANGED.replace(tzinfo=None)}
        listed[sha1(der)] = entry | ({} if rules is None else {"trustSettings": rules})
    return plistlib.dumps({"trustVersion": 1, "trustList": listed}, fmt=fmt)


@pytest.mark.parametrize(
    ("rules", "trust", "purposes"),
    [
        (None, Trust.TRUSTED, None),
        ([], Trust.TRUSTED, None),
        ([rule()], Trust.TRUSTED, None),
        ([rule(1)], Trust.TRUSTED, None),
        ([rule(1, SSL, kSecTrustSettingsPolicyName="sslServer")], Trust.TRUSTED, {Purpose.SERVER}),
        ([rule(1, SSL), rule(1, BASIC)], Trust.TRUSTED, {Purpose.SERVER}),
        ([rule(2, SSL), rule(1, SMIME), rule(1, CODE)], Trust.TRUSTED,
         {Purpose.SERVER, Purpose.EMAIL, Purpose.CODE}),
        ([rule(1, SMIME)], Trust.PRESENT, {Purpose.EMAIL}),
        ([rule(1, BASIC)], Trust.PRESENT, set()),
        ([rule(1, SSL, kSecTrustSettingsPolicyName="sslClient")], Trust.PRESENT, {Purpose.CLIENT}),
        ([rule(3)], Trust.DISTRUSTED, None),
        ([rule(1, SMIME), rule(3, SSL)], Trust.DISTRUSTED, None),
        ([rule(1), rule(3, SMIME)], Trust.TRUSTED, set(Purpose) - {Purpose.EMAIL}),
        ([rule(4)], None, None),
        ([rule(4, SSL), rule(99)], None, None),
        ([rule(1, SSL, kSecTrustSettingsPolicyString="a.example")], Trust.TRUSTED, {Purpose.SERVER}),
        ([rule(3, SSL, kSecTrustSettingsPolicyString="a.example")], None, None),
        (["no rule", rule(1, SSL)], Trust.TRUSTED, {Purpose.SERVER}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("fmt", [plistlib.FMT_XML, plistlib.FMT_BINARY])
def test_results_and_policies(rules, trust, purposes, fmt):
    setting = read_trust_settings(exported({A: rules}, fmt))[sha1(A)]
    assert (setting.trust, setting.purposes) == (trust, purposes)
    assert setting.changed_at == CHANGED


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<plist>",
        b"bplist00",
        plistlib.dumps({}),
        plistlib.dumps([]),
        plistlib.dumps({"trustList": [1]}),
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><plist><dict><key>&b;</key></dict></plist>',
        b"<plist version='1.0'>" + b"<array>" * 20_000,
    ],
)
def test_settings_that_are_none(octets):
    with pytest.raises(TrustSettingsError) as refused:
        read_trust_settings(octets)
    assert "\n" not in str(refused.value)


WHOLE = exported({A: [rule(1, SSL)], B: [rule(3)]}, plistlib.FMT_BINARY)


@given(place=st.integers(0, len(WHOLE) - 1), octets=st.binary(min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_octets_changed(place, octets):
    try:
        read_trust_settings(WHOLE[:place] + octets + WHOLE[place + len(octets) :])
    except TrustSettingsError as refused:
        assert "\n" not in str(refused)  # noqa: PT017


@pytest.fixture
def mac(tmp_path, monkeypatch):
    """A Mac below a folder; `security` answers with what is in its folder of answers."""
    base, answers = tmp_path / "mac", tmp_path / "answers"
    answers.mkdir()
    script = tmp_path / "security"
    script.write_text(
        f"""#!/bin/sh
case "$1" in
find-certificate)
  test "$2 $3" = "-a -p" || exit 2
  file={answers}/$(basename "$4"); test -f "$file" || {{ echo "SecKeychain: no such keychain" >&2; exit 44; }}
  cat "$file";;
trust-settings-export)
  name=user; test "$2" = -d && {{ name=admin; shift; }}
  test -f {answers}/$name.plist || {{ echo "{NONE}" >&2; exit 1; }}
  cat {answers}/$name.plist > "$2"; echo "...Trust Settings exported successfully.";;
*) exit 2;;
esac
"""
    )
    script.chmod(0o755)
    monkeypatch.setattr(macos, "SECURITY", str(script))
    for path, ders in {USER: [A, C], ADMIN: [B, C, D], APPLE: [root("apple"), root("apple two")]}.items():
        put(base, path, b"kych")
        (answers / path.rpartition("/")[2]).write_bytes(bundle(ders))
    return base, answers


def live(base):
    system = System(base, platform=Platform.MACOS, environ={}, home="/Users/aigerim")
    return {each.store.kind: each for each in macos.read(system)}


def trusts(reading):
    return [each.trust for each in reading.roots]


def test_without_settings_a_certificate_is_only_there(mac):
    readings = live(mac[0])
    assert list(readings) == ["macos_user", "macos_admin", "macos_system"]
    assert trusts(readings["macos_user"]) == [Trust.PRESENT] * 2
    assert trusts(readings["macos_admin"]) == [Trust.PRESENT] * 3
    assert trusts(readings["macos_system"]) == [Trust.TRUSTED] * 2
    assert not any(each.problem for each in readings.values())
    assert {each.origin for each in readings["macos_admin"].roots} == {Origin.ADMIN}
    assert (readings["macos_user"].store.path, readings["macos_user"].store.profile) == (USER, "aigerim")


def test_settings_of_the_user_come_before_those_of_administrators(mac):
    base, answers = mac
    user = {A: [rule(1, SSL)], B: [rule(3)], C: [rule(4)], root("apple"): [rule(3)]}
    (answers / "user.plist").write_bytes(exported(user))
    (answers / "admin.plist").write_bytes(exported({B: [], C: [rule(1)], D: [rule(1, SMIME)]}))
    readings = live(base)
    assert trusts(readings["macos_user"]) == [Trust.TRUSTED, Trust.TRUSTED]
    assert trusts(readings["macos_admin"]) == [Trust.DISTRUSTED, Trust.TRUSTED, Trust.PRESENT]
    assert trusts(readings["macos_system"]) == [Trust.DISTRUSTED, Trust.TRUSTED]
    first = readings["macos_user"].roots[0]
    assert (first.purposes, first.added_at) == ({Purpose.SERVER}, CHANGED)


def test_profiles_of_an_organisation_are_said(mac):
    put(mac[0], macos.PROFILES, b"")
    readings = live(mac[0])
    assert readings["macos_admin"].problem == macos.BY_PROFILES
    assert not readings["macos_user"].problem


def test_answers_that_fail(mac, monkeypatch):
    base, answers = mac
    (answers / "System.keychain").unlink()
    (answers / "admin.plist").write_bytes(b"no list")
    readings = live(base)
    assert readings["macos_admin"].problem == (
        "security find-certificate failed: SecKeychain: no such keychain"
    )
    assert "trust settings that cannot be read" in readings["macos_user"].problem
    assert len(readings["macos_user"].roots) == 2
    monkeypatch.setattr(macos, "SECURITY", "/nonexistent/security")
    assert "did not start" in live(base)["macos_user"].problem


def test_a_program_that_hangs_is_not_waited_for(mac, tmp_path, monkeypatch):
    script = tmp_path / "hang"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    monkeypatch.setattr(macos, "SECURITY", str(script))
    monkeypatch.setattr(macos, "TIMEOUT", 0.1)
    assert "gave no answer" in live(mac[0])["macos_user"].problem


def test_too_much_of_an_answer(mac, monkeypatch):
    monkeypatch.setattr(macos, "MAX_STORE", 10)
    assert "so it was not read" in live(mac[0])["macos_user"].problem


def test_an_export_that_writes_nothing(mac, tmp_path, monkeypatch):
    script = tmp_path / "silent"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    monkeypatch.setattr(macos, "SECURITY", str(script))
    assert "not exported" in live(mac[0])["macos_user"].problem


def test_keychains_of_an_image_are_not_read(mac):
    readings = list(macos.read(System(mac[0], platform=Platform.MACOS)))
    assert [each.store.path for each in readings] == [USER, ADMIN, APPLE]
    assert {each.problem for each in readings} == {macos.NOT_READ}


def test_nothing_is_asked_where_there_is_no_keychain(tmp_path):
    assert not list(macos.read(System(tmp_path, platform=Platform.MACOS, environ={}, home="/Users/a")))


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared certificates beside the checkout")
def test_qaznet_that_the_user_trusts(mac):
    base, answers = mac
    (answers / "login.keychain-db").write_bytes(bundle([qaznet()]))
    (answers / "user.plist").write_bytes(exported({qaznet(): None}))
    (found,) = live(base)["macos_user"].roots
    assert (found.der, found.trust, found.origin) == (qaznet(), Trust.TRUSTED, Origin.USER)
