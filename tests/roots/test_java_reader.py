"""Where Java's keystores are, whose they are, and who put their roots there."""

import os
import time
from datetime import timedelta

import pytest
from java_support import ADDED, DEBIAN, FIXTURES, needs_keytool, store, trusted
from roots_support import SHARED, debian, link, mozilla, pem, put, qaznet, root

from kzmitm.roots.java_places import NCALAYER, TrustStoreOption, trust_store_option
from kzmitm.roots.readers import java
from kzmitm.roots.system import System
from kzmitm.roots.values import Origin, Platform, Trust

A, B = root("A"), root("B")
HOME = "/home/aigerim"
SECURITY = "lib/security/cacerts"


def built(*more: bytes, mark: str = "") -> bytes:
    """A keystore as a build of Java has it, and entries of later."""
    day = ADDED - timedelta(days=300)
    entries = [trusted(f"root{number}{mark}", der, day) for number, der in enumerate(mozilla()[:30])]
    return store(*entries, *more)


def read(base, platform=Platform.LINUX, **options):
    return list(java.read(System(base, platform=platform, **options)))


def by_origin(reading):
    return {
        origin: [each.label for each in reading.roots if each.origin is origin]
        for origin in {each.origin for each in reading.roots}
    }


@pytest.mark.parametrize(
    ("platform", "folder", "application", "profile"),
    [
        (Platform.LINUX, "/usr/lib/jvm/java-17-openjdk-amd64/lib/security", "Java", ""),
        (Platform.LINUX, "/usr/lib/jvm/java-8-openjdk-amd64/jre/lib/security", "Java", ""),
        (Platform.LINUX, "/opt/java/openjdk/lib/security", "Java", ""),
        (Platform.LINUX, "/opt/jdk-21/lib/security", "Java", ""),
        (Platform.LINUX, "/opt/idea/jbr/lib/security", "Java", ""),
        (Platform.LINUX, f"{HOME}/.sdkman/candidates/java/21-tem/lib/security", "Java", "aigerim"),
        (Platform.LINUX, f"{HOME}/NCALayer/jre/lib/security", NCALAYER, "aigerim"),
        (Platform.LINUX, f"{HOME}/Programs/ncalayer/jre/lib/security", NCALAYER, "aigerim"),
        (Platform.LINUX, "/opt/NCALayer/jre/lib/security", NCALAYER, ""),
        (Platform.MACOS, "/Library/Java/JavaVirtualMachines/a/Contents/Home/lib/security", "Java", ""),
        (Platform.MACOS, "/Applications/NCALayer.app/Contents/jre/lib/security", NCALAYER, ""),
        (Platform.WINDOWS, "/Program Files/Java/jre1.8.0_401/lib/security", "Java", ""),
        (Platform.WINDOWS, "/Program Files/Eclipse Adoptium/jdk-17.0.9/lib/security", "Java", ""),
        (Platform.WINDOWS, "/Program Files (x86)/NCALayer/jre/lib/security", NCALAYER, ""),
        (Platform.WINDOWS, "/Users/a/AppData/Roaming/NCALayer/jre/lib/security", NCALAYER, "a"),
    ],
)
def test_places(tmp_path, platform, folder, application, profile):
    put(tmp_path, f"{folder}/cacerts", built(trusted("late", A)))
    put(tmp_path, f"{folder}/jssecacerts", store(trusted("a", A)))
    first, second = read(tmp_path, platform)
    assert (first.store.path, second.store.path) == (f"{folder}/cacerts", f"{folder}/jssecacerts")
    assert (first.store.application, first.store.profile) == (application, profile)
    assert first.store.kind == "java_keystore"
    assert by_origin(first)[Origin.USER if profile else Origin.ADMIN] == ["late"]
    assert len(by_origin(first)[Origin.VENDOR]) == 30
    assert {each.trust for each in first.roots} == {Trust.TRUSTED}
    assert (second.roots[0].origin, second.roots[0].added_at) == (Origin.UNKNOWN, ADDED)


def test_openjdk_marks_its_own(tmp_path):
    entries = [trusted(f"r{n} [jdk]", der, ADDED + timedelta(days=n)) for n, der in enumerate(mozilla()[:9])]
    put(tmp_path, f"/usr/lib/jvm/a/{SECURITY}", store(*entries, trusted("mine", A)))
    (reading,) = read(tmp_path)
    assert by_origin(reading)[Origin.ADMIN] == ["mine"]


def test_one_file_behind_links_is_told_of_once(tmp_path):
    put(tmp_path, "/etc/ssl/certs/java/cacerts", store(trusted("debian:a.pem", A)))
    for name in ("java-17", "java-1.17.0", "default"):
        link(tmp_path, f"/usr/lib/jvm/{name}/{SECURITY}", "/etc/ssl/certs/java/cacerts")
    link(tmp_path, "/opt/java", "/usr/lib/jvm/java-17")
    assert [each.store.path for each in read(tmp_path)] == ["/etc/ssl/certs/java/cacerts"]


def test_two_javas_of_one_build_are_two(tmp_path):
    for number in (1, 2):
        file = put(tmp_path, f"/opt/jdk-{number}/{SECURITY}", built())
        os.utime(file, (number, number))
    assert len(read(tmp_path)) == 2


def test_who_put_a_root_into_the_keystore_of_debian(tmp_path):
    debian(tmp_path, added=[A])
    entries = [trusted(f"debian:{number}.pem", der) for number, der in enumerate((*mozilla(), A))]
    put(tmp_path, "/etc/ssl/certs/java/cacerts", store(*entries, trusted("mine", B)))
    (reading,) = read(tmp_path)
    origins = by_origin(reading)
    assert origins[Origin.ADMIN] == [f"debian:{len(mozilla())}.pem", "mine"]
    assert len(origins[Origin.VENDOR]) == len(mozilla())
    added = next(each for each in reading.roots if each.der == A)
    assert added.place == "/usr/local/share/ca-certificates/added-0.crt"


def test_java_home(tmp_path):
    put(tmp_path, f"/srv/[odd] java/{SECURITY}", store(trusted("a", A)))
    options = {"environ": {"JAVA_HOME": "/srv/[odd] java/"}, "home": HOME}
    assert [each.store.path for each in read(tmp_path, **options)] == [f"/srv/[odd] java/{SECURITY}"]
    assert not read(tmp_path, environ={"JAVA_HOME": "srv"}, home=HOME)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", None),
        ("-Xmx1g -Djavax.net.ssl.trustStorePassword=x", None),
        ("-Djavax.net.ssl.trustStore=NONE", None),
        ("-Djavax.net.ssl.trustStore=/a -Djavax.net.ssl.trustStore=/b", TrustStoreOption("/b", None)),
        (
            "'-Djavax.net.ssl.trustStore=/a b' -Djavax.net.ssl.trustStorePassword=\"p w\"",
            TrustStoreOption("/a b", "p w"),
        ),
        ('-Djavax.net.ssl.trustStore="/a b"/c', TrustStoreOption("/a b/c", None)),
        ('-Djavax.net.ssl.trustStore="/a', TrustStoreOption("", None)),
    ],
)
def test_options(options, said):
    assert trust_store_option(options) == (None if said == TrustStoreOption("", None) else said)


def test_the_keystore_that_options_name(tmp_path):
    put(tmp_path, "/srv/k", (FIXTURES / "keytool-locked.p12").read_bytes())
    put(tmp_path, "/srv/a.pem", pem(A))
    option = "-Djavax.net.ssl.trustStore=/srv/k"
    environ = {"JAVA_TOOL_OPTIONS": f"{option} -Djavax.net.ssl.trustStorePassword=kept-secret"}
    put(tmp_path, "/etc/environment", f'JAVA_TOOL_OPTIONS="{option}"\n')
    put(tmp_path, f"{HOME}/.profile", "export _JAVA_OPTIONS=-Djavax.net.ssl.trustStore=$HOME/missing\n")
    put(tmp_path, f"{HOME}/.zshrc", "export _JAVA_OPTIONS=-Djavax.net.ssl.trustStore=relative\n")
    put(tmp_path, f"{HOME}/.bashrc", "export _JAVA_OPTIONS=-Djavax.net.ssl.trustStore=/srv/a.pem\n")
    first, second, *others = read(tmp_path, environ=environ, home=HOME)
    assert first.store.application == "Java (JAVA_TOOL_OPTIONS)"
    assert first.store.kind == "java_option"
    assert [(each.origin, each.trust) for each in first.roots] == [(Origin.ENVIRONMENT, Trust.TRUSTED)]
    assert "locked with a password" in second.problem
    assert second.store.application == "Java (JAVA_TOOL_OPTIONS in /etc/environment)"
    problems = {each.store.path: each.problem for each in others}
    assert problems == {
        f"{HOME}/missing": java.MISSING,
        "relative": java.RELATIVE,
        "/srv/a.pem": java.NO_KEYSTORE,
    }
    (text,) = (each for each in others if each.roots)
    assert text.roots[0].trust is Trust.PRESENT


def test_large_files_that_options_or_shells_name(tmp_path):
    for path in ("/srv/k", "/etc/profile", f"/opt/a/{SECURITY}"):
        with put(tmp_path, path, b"").open("wb") as file:
            file.truncate(1 << 30)
    environ = {"_JAVA_OPTIONS": "-Djavax.net.ssl.trustStore=/srv/k"}
    readings = read(tmp_path, environ=environ, home=HOME)
    assert [each.store.kind for each in readings] == ["java_keystore", "java_option"]
    assert all("so it was not read" in each.problem for each in readings)


def test_a_key_above_a_key_of_its_own_is_present(tmp_path):
    from java_support import key  # noqa: PLC0415

    put(tmp_path, f"/opt/a/{SECURITY}", store(key("own", B, A)))
    (reading,) = read(tmp_path)
    assert [(each.der, each.trust) for each in reading.roots] == [(B, Trust.TRUSTED), (A, Trust.PRESENT)]


def test_hostile_stores_do_not_keep_others_from_being_read(tmp_path):
    put(tmp_path, f"/opt/a/{SECURITY}", store(trusted("a", A), count=2**31))
    put(tmp_path, f"/opt/b/{SECURITY}", b"neither")
    with put(tmp_path, f"/opt/c/{SECURITY}", b"").open("wb") as file:
        file.truncate(1 << 30)
    os.mkfifo(put(tmp_path, f"/opt/d/{SECURITY}.x", b"").with_suffix(""))
    link(tmp_path, f"/opt/e/{SECURITY}", "cacerts")
    put(tmp_path, f"/opt/f/{SECURITY}", store(trusted("line\nbreak\x1b[31m", B)))
    readings = {each.store.path[5]: each for each in read(tmp_path)}
    assert set(readings) == {"a", "b", "c", "f"}
    assert [each.der for each in readings["a"].roots] == [A]
    assert [readings[name].problem != "" for name in "abcf"] == [True, True, True, False]
    assert readings["f"].roots[0].der == B


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared certificates beside the checkout")
def test_qaznet_in_the_keystore_of_this_system(tmp_path):
    octets = DEBIAN.read_bytes() if DEBIAN.is_file() else built()
    count = int.from_bytes(octets[8:12]) + 1
    with_it = octets[:8] + count.to_bytes(4) + trusted("qaznet", qaznet()) + octets[12:]
    put(tmp_path, "/etc/ssl/certs/java/cacerts", with_it)
    (reading,) = read(tmp_path)
    (found,) = (each for each in reading.roots if each.der == qaznet())
    assert (found.label, found.trust, found.added_at) == ("qaznet", Trust.TRUSTED, ADDED)


@needs_keytool
def test_this_system_is_read_in_time():
    began = time.perf_counter()
    readings = list(java.read(System(platform=Platform.LINUX, environ={}, home="/nonexistent")))
    assert time.perf_counter() - began < 1
    assert str(DEBIAN) in {each.store.path for each in readings}
    assert not any(each.problem for each in readings)
