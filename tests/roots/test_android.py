"""Android: roots of the system, of users, and those that were switched off; Termux."""

import pytest
from roots_support import ADDED_AT, SHARED, bundle, pem, put, qaznet, root

from kzmitm.roots.readers import android
from kzmitm.roots.system import System
from kzmitm.roots.values import Origin, Platform, Trust

A, B, C, D = (root(name) for name in "ABCD")
APEX, SYSTEM = android.SYSTEM
USER = f"{android.USERS}/0"


def read(base, **options):
    return list(android.read(System(base, platform=Platform.ANDROID, **options)))


def said(readings):
    return {(each.store.kind, found.der): found.trust for each in readings for found in each.roots}


def test_stores_of_the_system_and_of_a_user(tmp_path):
    put(tmp_path, f"{SYSTEM}/00673b5b.0", pem(A) + b"Certificate:\n    Data:\n")
    put(tmp_path, f"{SYSTEM}/04f60c28.0", pem(B))
    put(tmp_path, f"{SYSTEM}/README", "not a certificate")
    put(tmp_path, f"{USER}/{android.ADDED}/9a5ba575.0", C, ADDED_AT)
    put(tmp_path, f"{USER}/{android.REMOVED}/04f60c28.0", B)
    readings = read(tmp_path)
    assert said(readings) == {
        ("android_system", A): Trust.TRUSTED,
        ("android_system", B): Trust.PRESENT,
        ("android_added", C): Trust.TRUSTED,
        ("android_removed", B): Trust.DISTRUSTED,
    }
    added = next(each for each in readings if each.store.kind == "android_added")
    assert (added.store.profile, added.roots[0].origin) == ("user 0", Origin.USER)
    assert (added.roots[0].added_at, added.roots[0].place) == (
        ADDED_AT,
        f"{USER}/{android.ADDED}/9a5ba575.0",
    )
    assert not any(each.problem for each in readings)
    system = next(each for each in readings if each.store.kind == "android_system")
    assert {each.origin for each in system.roots} == {Origin.VENDOR}


def test_what_one_of_two_users_switched_off_is_trusted(tmp_path):
    put(tmp_path, f"{SYSTEM}/04f60c28.0", pem(B))
    put(tmp_path, f"{USER}/{android.REMOVED}/04f60c28.0", B)
    put(tmp_path, f"{android.USERS}/10/{android.ADDED}/9a5ba575.0", C)
    assert said(read(tmp_path))["android_system", B] is Trust.TRUSTED
    put(tmp_path, f"{android.USERS}/10/{android.REMOVED}/04f60c28.0", B)
    assert said(read(tmp_path))["android_system", B] is Trust.PRESENT


def test_the_store_of_newer_ones_and_what_only_the_older_one_has(tmp_path):
    put(tmp_path, f"{APEX}/00673b5b.0", pem(A))
    put(tmp_path, f"{SYSTEM}/00673b5b.0", pem(A))
    put(tmp_path, f"{SYSTEM}/9a5ba575.0", pem(D))
    apex, system = read(tmp_path)
    assert [each.der for each in apex.roots] == [A]
    assert [each.der for each in system.roots] == [D]


def test_the_store_of_oldest_ones(tmp_path):
    put(tmp_path, f"{SYSTEM}/04f60c28.0", pem(B))
    put(tmp_path, f"{android.KEYCHAIN}/{android.ADDED}/9a5ba575.0", C)
    put(tmp_path, f"{android.KEYCHAIN}/{android.REMOVED}/04f60c28.0", B)
    assert said(read(tmp_path)) == {
        ("android_system", B): Trust.PRESENT,
        ("android_added", C): Trust.TRUSTED,
        ("android_removed", B): Trust.DISTRUSTED,
    }


def test_termux(tmp_path):
    put(tmp_path, "/data/data/com.termux/files/usr/etc/tls/cert.pem", bundle([A, B]))
    put(tmp_path, "/data/x/usr/etc/tls/cert.pem", bundle([A]))
    (reading,) = read(tmp_path)
    assert (reading.store.application, len(reading.roots)) == ("Termux", 2)
    live = read(tmp_path, environ={"PREFIX": "/data/x/usr"})
    assert [len(each.roots) for each in live if each.store.kind == "android_termux"] == [1]


def test_what_a_program_may_not_read_is_said(tmp_path):
    put(tmp_path, f"{SYSTEM}/00673b5b.0", pem(A))
    live = read(tmp_path, environ={})
    assert [each.problem for each in live] == ["", android.HIDDEN]
    assert [each.problem for each in read(tmp_path)] == [""]


def test_hostile_files(tmp_path):
    put(tmp_path, f"{USER}/{android.ADDED}/00000000.0", b"\x30\x84\xff\xff\xff\xff\x30")
    put(tmp_path, f"{USER}/{android.ADDED}/00000001.0", pem(C) + b"-----BEGIN CERTIFICATE-----")
    with put(tmp_path, f"{USER}/{android.ADDED}/00000002.0", b"").open("wb") as file:
        file.truncate(1 << 30)
    (reading,) = read(tmp_path)
    assert [each.der for each in reading.roots] == [C]
    assert reading.problem.count(".0:") == 3


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared certificates beside the checkout")
def test_qaznet_of_a_user(tmp_path):
    put(tmp_path, f"{USER}/{android.ADDED}/0abcdef0.0", qaznet())
    (reading,) = read(tmp_path)
    assert (reading.roots[0].der, reading.roots[0].trust) == (qaznet(), Trust.TRUSTED)
