"""Where programs keep databases of NSS, which of them a profile is, and what Firefox's policies add."""

import json
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from nss_support import (
    HOME,
    MIXED_FLAGS,
    QAZNET,
    Database,
    certificate,
    linux,
    mixed,
    needs_certutil,
    needs_shared,
    shared_der,
)

from kzmitm.roots.readers import firefox_policies, nss_profiles
from kzmitm.roots.values import Origin, Platform, Purpose, Trust

USER = {Platform.LINUX: HOME, Platform.MACOS: "/Users/aigerim", Platform.WINDOWS: "/Users/aigerim"}


def put(root: Path, path: str, content: bytes | str = b"") -> Path:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def stores(root: Path, platform: Platform = Platform.LINUX, reader=nss_profiles):
    return list(reader.read(linux(root, platform)))


@pytest.mark.parametrize(
    ("platform", "folder", "application", "kind"),
    [
        (Platform.LINUX, f"{HOME}/.mozilla/firefox/a.default", "Firefox", "nss_profile"),
        (Platform.LINUX, "/root/.mozilla/firefox/a.default", "Firefox", "nss_profile"),
        (Platform.LINUX, f"{HOME}/.config/mozilla/firefox/a.default", "Firefox", "nss_profile"),
        (Platform.LINUX, f"{HOME}/.config/firefox/a.default", "Firefox", "nss_profile"),
        (Platform.LINUX, f"{HOME}/snap/firefox/common/.mozilla/firefox/a", "Firefox", "nss_profile"),
        (
            Platform.LINUX,
            f"{HOME}/.var/app/org.mozilla.firefox/.mozilla/firefox/a",
            "Firefox",
            "nss_profile",
        ),
        (Platform.LINUX, f"{HOME}/.thunderbird/a.default", "Thunderbird", "nss_profile"),
        (Platform.LINUX, f"{HOME}/.librewolf/a.default", "LibreWolf", "nss_profile"),
        (Platform.LINUX, f"{HOME}/.waterfox/a.default", "Waterfox", "nss_profile"),
        (
            Platform.LINUX,
            f"{HOME}/Downloads/tor-browser/Browser/TorBrowser/Data/Browser/profile.default",
            "Tor Browser",
            "nss_profile",
        ),
        (Platform.LINUX, f"{HOME}/.pki/nssdb", "Chromium and other programs", "nss_user"),
        (Platform.LINUX, f"{HOME}/.local/share/pki/nssdb", "Chromium and other programs", "nss_user"),
        (
            Platform.LINUX,
            f"{HOME}/snap/chromium/current/.pki/nssdb",
            "Chromium and other programs",
            "nss_user",
        ),
        (
            Platform.LINUX,
            f"{HOME}/.var/app/com.google.Chrome/data/pki/nssdb",
            "Chromium and other programs",
            "nss_user",
        ),
        (Platform.LINUX, "/etc/pki/nssdb", "programs with NSS", "nss_system"),
        (
            Platform.MACOS,
            "/Users/aigerim/Library/Application Support/Firefox/Profiles/a.default",
            "Firefox",
            "nss_profile",
        ),
        (Platform.MACOS, "/Users/aigerim/Library/Thunderbird/Profiles/a", "Thunderbird", "nss_profile"),
        (
            Platform.WINDOWS,
            "/Users/aigerim/AppData/Roaming/Mozilla/Firefox/Profiles/a.default",
            "Firefox",
            "nss_profile",
        ),
        (
            Platform.WINDOWS,
            "/Users/aigerim/AppData/Roaming/Thunderbird/Profiles/a",
            "Thunderbird",
            "nss_profile",
        ),
        (
            Platform.WINDOWS,
            "/Users/aigerim/Desktop/Tor Browser/Browser/TorBrowser/Data/Browser/profile.default",
            "Tor Browser",
            "nss_profile",
        ),
    ],
)
def test_every_place_is_looked_at(tmp_path, platform, folder, application, kind):
    put(tmp_path, f"{folder}/cert9.db", mixed())
    (found,) = stores(tmp_path, platform)
    assert (found.store.application, found.store.kind, found.store.path) == (
        application,
        kind,
        f"{folder}/cert9.db",
    )
    assert (len(found.roots), found.problem) == (len(MIXED_FLAGS), "")
    assert {root.origin for root in found.roots} == {Origin.ADMIN if kind == "nss_system" else Origin.USER}
    others = {Platform.LINUX, Platform.MACOS, Platform.WINDOWS} - {platform}
    assert not any(stores(tmp_path, other) for other in others)


@pytest.mark.parametrize("platform", [Platform.LINUX, Platform.WINDOWS, Platform.MACOS])
def test_profiles_of_the_list_and_those_that_are_not_in_it(tmp_path, platform):
    firefox = {
        Platform.LINUX: f"{HOME}/.mozilla/firefox",
        Platform.WINDOWS: "/Users/aigerim/AppData/Roaming/Mozilla/Firefox",
        Platform.MACOS: "/Users/aigerim/Library/Application Support/Firefox",
    }[platform]
    absolute = r"C:\Data\profile two" if platform is Platform.WINDOWS else "/Data/profile two"
    relative = r"Profiles\one.default" if platform is Platform.WINDOWS else "Profiles/one.default"
    put(
        tmp_path,
        f"{firefox}/profiles.ini",
        f"\ufeff[Install4F96D1932A9F858E]\r\nDefault={relative}\r\nLocked=1\r\n\r\n"
        f"[Profile1]\r\nName=Жұмыс\r\nIsRelative=0\r\nPath={absolute}\r\nDefault=1\r\n"
        f"[Profile0]\nName=default\nIsRelative=1\nPath={relative}\n[General]\nVersion=2\n"
        "[Profile2]\nName=gone\nPath=Profiles/gone\n[Profile3]\nName=evil\nPath=../../../../../../../../etc\n",
    )
    put(tmp_path, f"{firefox}/installs.ini", "[4F96]\nDefault=other.place\n")
    folders = [f"{firefox}/Profiles/one.default", "/Data/profile two", f"{firefox}/other.place"]
    unlisted = [f"{firefox}/Profiles/unlisted", f"{firefox}/unlisted.too"]
    for folder in (*folders, *unlisted, "/etc"):
        put(tmp_path, f"{folder}/cert9.db", mixed())
    found = {
        each.store.path.removesuffix("/cert9.db"): each.store.profile for each in stores(tmp_path, platform)
    }
    assert found == {
        # The default of an installation is named before the profile is.
        folders[0]: "one.default",
        folders[1]: "Жұмыс",
        folders[2]: "other.place",
        "/etc": "evil",
        unlisted[0]: "unlisted",
        unlisted[1]: "unlisted.too",
    }


@pytest.mark.parametrize(
    "listing",
    [b"", b"\xff\xfe\0[", b"[Profile0]\nPath=\n[", b"[Profile0]\nPath=a\0b\n", b"[P]\nPath=x\n" * 9999],
)
def test_a_hostile_list_of_profiles(tmp_path, listing):
    put(tmp_path, f"{HOME}/.mozilla/firefox/profiles.ini", listing)
    put(tmp_path, f"{HOME}/.mozilla/firefox/a.default/cert9.db", mixed())
    assert [each.store.profile for each in stores(tmp_path)] == ["a.default"]


def test_an_old_database_is_told_of(tmp_path):
    put(tmp_path, f"{HOME}/.mozilla/firefox/a/cert8.db", b"\0\6\x15\x61")
    put(tmp_path, f"{HOME}/.mozilla/firefox/b/cert8.db", b"\0\6\x15\x61")
    put(tmp_path, f"{HOME}/.mozilla/firefox/b/cert9.db", mixed())
    old, new = stores(tmp_path)
    assert (old.store.path, old.roots) == (f"{HOME}/.mozilla/firefox/a/cert8.db", ())
    assert "Berkeley DB" in old.problem
    assert (new.store.path, new.problem) == (f"{HOME}/.mozilla/firefox/b/cert9.db", "")


def test_a_bad_database_does_not_keep_the_others_from_being_read(tmp_path):
    put(tmp_path, f"{HOME}/.mozilla/firefox/a/cert9.db", b"junk" * 1000)
    put(tmp_path, f"{HOME}/.mozilla/firefox/b/cert9.db", mixed())
    bad, good = stores(tmp_path)
    assert bad.problem
    assert (len(good.roots), good.problem) == (len(MIXED_FLAGS), "")


@needs_certutil
@needs_shared
def test_the_real_interception_root_in_a_profile(tmp_path):
    folder = tmp_path / HOME.lstrip("/") / ".mozilla/firefox/a.default"
    Database(folder).add(shared_der(QAZNET), "Qaznet", "C,,")
    (found,) = stores(tmp_path)
    (root,) = found.roots
    assert (root.der, root.trust, root.label) == (shared_der(QAZNET), Trust.TRUSTED, "Qaznet")
    assert root.purposes == {Purpose.SERVER}


@needs_certutil
def test_three_profiles_of_150_certificates_take_less_than_300_ms(tmp_path):
    first = tmp_path / HOME.lstrip("/") / ".mozilla/firefox/p0"
    Database(first).add_all([(certificate(f"n{number}"), f"n{number}", "C,,") for number in range(150)])
    for other in ("p1", "p2"):
        put(tmp_path, f"{HOME}/.mozilla/firefox/{other}/cert9.db", (first / "cert9.db").read_bytes())
    taken = []
    for _ in range(5):
        t0 = time.perf_counter()
        found = stores(tmp_path)
        taken.append(time.perf_counter() - t0)
    assert [len(each.roots) for each in found] == [150] * 3
    assert min(taken) < 0.3, taken


# --- policies ---

POLICIES = {
    Platform.LINUX: "/etc/firefox/policies",
    Platform.MACOS: "/Applications/Firefox.app/Contents/Resources/distribution",
    Platform.WINDOWS: "/Program Files (x86)/Mozilla Firefox/distribution",
}


def policy(**certificates) -> str:
    return json.dumps({"policies": {"Certificates": certificates}})


def pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("platform", "place", "name"),
    [
        (Platform.LINUX, "/usr/lib/mozilla/certificates/root.der", "root.der"),
        (Platform.LINUX, "/usr/lib64/mozilla/certificates/root.der", "root.der"),
        (Platform.LINUX, f"{HOME}/.mozilla/certificates/root.der", "root.der"),
        (Platform.LINUX, f"{POLICIES[Platform.LINUX]}/certificates/root.der", "root.der"),
        (Platform.LINUX, "/opt/corp/root.der", "/opt/corp/root.der"),
        (Platform.MACOS, "/Library/Application Support/Mozilla/Certificates/r.cer", "r.cer"),
        (Platform.MACOS, "/Users/aigerim/Library/Application Support/Mozilla/Certificates/r", "r"),
        (Platform.WINDOWS, "/Users/aigerim/AppData/Roaming/Mozilla/Certificates/r.cer", "r.cer"),
        (Platform.WINDOWS, "/Users/aigerim/AppData/Local/Mozilla/Certificates/r.cer", "r.cer"),
        (Platform.WINDOWS, "/Corp/r.cer", r"C:\Corp\r.cer"),
    ],
)
@pytest.mark.parametrize("form", [bytes, pem], ids=["der", "pem"])
def test_certificates_that_a_policy_installs(tmp_path, platform, place, name, form):
    (tmp_path / USER[platform].lstrip("/")).mkdir(parents=True)
    put(tmp_path, f"{POLICIES[platform]}/policies.json", policy(Install=[name]))
    put(tmp_path, place, form(certificate("corp")))
    (found,) = stores(tmp_path, platform, firefox_policies)
    (root,) = found.roots
    assert (found.store.kind, found.store.application, found.problem) == ("firefox_policy", "Firefox", "")
    assert (root.der, root.trust, root.origin) == (certificate("corp"), Trust.TRUSTED, Origin.POLICY)
    assert (root.place, root.label) == (place, name)
    assert root.added_at is not None
    assert root.purposes == {Purpose.SERVER, Purpose.CLIENT, Purpose.EMAIL}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (policy(Install=["missing.pem"]), "not to be found: missing.pem"),
        (policy(Install=["../../../etc/passwd"]), "not to be found"),
        (policy(Install=["text.pem"]), "no certificate"),
        (policy(Install=["broken.pem"]), "no certificate"),
        ("{", "Expecting property name"),
        ("[" * 100_000, "recursion"),
        (b"\xff\xff", "utf"),
    ],
)
def test_policies_that_cannot_be_followed(tmp_path, content, said):
    put(tmp_path, "/etc/firefox/policies/policies.json", content)
    put(tmp_path, "/usr/lib/mozilla/certificates/text.pem", "hello")
    put(
        tmp_path,
        "/usr/lib/mozilla/certificates/broken.pem",
        "-----BEGIN CERTIFICATE-----\n$\n-----END CERTIFICATE-----",
    )
    (found,) = stores(tmp_path, reader=firefox_policies)
    assert found.roots == ()
    assert said in found.problem
    assert "\n" not in found.problem


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        "null",
        '{"policies": []}',
        policy(),
        policy(Install=7),
        policy(Install=[7]),
        policy(Install=[]),
    ],
)
def test_policies_that_are_not_about_certificates(tmp_path, content):
    put(tmp_path, "/etc/firefox/policies/policies.json", content)
    assert stores(tmp_path, reader=firefox_policies) == []


IMPORTS = "firefox_enterprise_roots"
PROFILE = "/Users/aigerim/Library/Application Support/Firefox/Profiles/a"


@pytest.mark.parametrize("platform", list(POLICIES))
def test_a_policy_that_imports_the_systems_roots(tmp_path, platform):
    put(tmp_path, f"{POLICIES[platform]}/policies.json", policy(ImportEnterpriseRoots=True))
    found = stores(tmp_path, platform, firefox_policies)
    assert [each.store.kind for each in found] == ([] if platform is Platform.LINUX else [IMPORTS])


@pytest.mark.parametrize(
    ("files", "policies", "where"),
    [
        ({}, None, None),
        ({"prefs.js": 'user_pref("security.enterprise_roots.enabled", true);'}, None, "prefs.js"),
        ({"prefs.js": "user_pref('security.enterprise_roots.enabled',true)"}, None, "prefs.js"),
        ({"prefs.js": '// user_pref("security.enterprise_roots.enabled", true);'}, None, None),
        (
            {
                "prefs.js": 'user_pref("security.enterprise_roots.enabled", true);',
                "user.js": 'x\nuser_pref("security.enterprise_roots.enabled", false);',
            },
            None,
            None,
        ),
        ({"compatibility.ini": "[Compatibility]\nLastVersion=119.0.1_2023/2023\n"}, None, None),
        (
            {"compatibility.ini": "[Compatibility]\r\nLastVersion=120.0_2023/2023\r\n"},
            None,
            "compatibility.ini",
        ),
        (
            {
                "compatibility.ini": "LastVersion=131.0_2/2\n",
                "prefs.js": 'user_pref("security.enterprise_roots.enabled", false);',
            },
            None,
            None,
        ),
        ({"compatibility.ini": "LastVersion=131.0_2/2\n"}, policy(ImportEnterpriseRoots=False), None),
    ],
)
def test_a_profile_that_imports_the_systems_roots(tmp_path, files, policies, where):
    put(tmp_path, f"{PROFILE}/cert9.db", mixed())
    for name, content in files.items():
        put(tmp_path, f"{PROFILE}/{name}", content)
    if policies:
        put(tmp_path, f"{POLICIES[Platform.MACOS]}/policies.json", policies)
    found = stores(tmp_path, Platform.MACOS, firefox_policies)
    expected = [(IMPORTS, f"{PROFILE}/{where}", "a", ())] if where else []
    assert [(each.store.kind, each.store.path, each.store.profile, each.roots) for each in found] == expected


def test_on_linux_no_preference_imports_anything(tmp_path):
    folder = f"{HOME}/.mozilla/firefox/a"
    put(tmp_path, f"{folder}/cert9.db", mixed())
    put(tmp_path, f"{folder}/prefs.js", 'user_pref("security.enterprise_roots.enabled", true);')
    assert stores(tmp_path, reader=firefox_policies) == []
