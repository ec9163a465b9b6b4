"""Keystores: the same certificates that keytool finds, and whatever is hostile is a line and no crash."""

import hashlib
import struct
import subprocess
import time
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from java_support import (
    ADDED,
    DEBIAN,
    FIXTURES,
    JCEKS,
    JKS,
    certificate,
    head,
    imported,
    key,
    keytool,
    listed,
    needs_keytool,
    sized,
    store,
    text,
    trusted,
)
from roots_support import leaf, pem, root

from kzmitm.roots import jks
from kzmitm.roots.keystores import Form, form_of, read_keystore

A, B, C = root("A"), root("B"), root("C")
SMALL = store(trusted("a", A), key("own", leaf("own", "B"), B), trusted("c", C))


def ders(octets: bytes, password: str | None = None) -> list[bytes]:
    return [entry.der for entry in read_keystore(octets, password).entries]


@needs_keytool
def test_every_certificate_of_debian_as_keytool_finds_it():
    theirs = listed(DEBIAN)
    ours = read_keystore(DEBIAN.read_bytes())
    assert not ours.problem
    assert ours.form in (Form.JKS, Form.PKCS12)
    assert len(theirs) > 100
    assert sorted((entry.label, entry.der) for entry in ours.entries) == sorted(
        (each.alias, each.ders[0]) for each in theirs
    )
    assert all(entry.is_trusted for entry in ours.entries)
    if ours.form is Form.JKS:
        days = {entry.label: f"{entry.added_at:%b} {entry.added_at.day}, {entry.added_at:%Y}"
                for entry in ours.entries}  # fmt: skip
        assert days == {each.alias: each.day for each in theirs}


@needs_keytool
@pytest.mark.parametrize("name", ["keytool.jks", "keytool.p12"])
def test_fixtures_as_keytool_finds_them(name):
    theirs = {each.alias: each for each in listed(FIXTURES / name)}
    ours = read_keystore((FIXTURES / name).read_bytes()).entries
    assert {entry.label: entry.der for entry in ours} == {
        alias: each.ders[0] for alias, each in theirs.items()
    }


def test_fixtures_that_keytool_made():
    made = read_keystore((FIXTURES / "keytool.jks").read_bytes())
    assert [entry.label for entry in made.entries] == ["own", "қазнет", "root one"]
    assert {entry.added_at.date() for entry in made.entries} == {datetime(2026, 11, 26, tzinfo=UTC).date()}
    one = made.entries[2].der
    assert ders((FIXTURES / "keytool.p12").read_bytes())[0] == one
    assert ders((FIXTURES / "keytool-none.p12").read_bytes()) == [one]
    locked = read_keystore((FIXTURES / "keytool-locked.p12").read_bytes())
    assert (locked.entries, locked.problem[:22]) == ((), "locked with a password")
    assert ders((FIXTURES / "keytool-locked.p12").read_bytes(), "kept-secret") == [one]
    assert ders((FIXTURES / "keytool.p12").read_bytes(), "a wrong one")[0] == one


def test_a_certificate_behind_a_secret_key_is_found():
    held = read_keystore((FIXTURES / "keytool.jceks").read_bytes())
    assert held.form is Form.JCEKS
    assert [entry.der for entry in held.entries] == ders((FIXTURES / "keytool-none.p12").read_bytes())
    assert "secret key" in held.problem


@needs_keytool
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JKS", ()),
        ("JCEKS", ()),
        ("PKCS12", ()),
        ("PKCS12", ("-J-Dkeystore.pkcs12.legacy",)),
        (
            "PKCS12",
            (
                "-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE",
                "-J-Dkeystore.pkcs12.macAlgorithm=NONE",
            ),
        ),
    ],
    ids=["jks", "jceks", "pkcs12", "legacy", "no password"],
)
def test_what_keytool_makes_now(tmp_path, kind, options):
    certificates = {}
    for alias, der in {"a": A, "b with a space": B, "ключ": C}.items():
        certificates[alias] = tmp_path / f"{len(certificates)}.pem"
        certificates[alias].write_bytes(pem(der))
    file = imported(tmp_path / "made", kind, certificates, *options)
    held = read_keystore(file.read_bytes())
    assert not held.problem
    assert sorted(entry.der for entry in held.entries) == sorted((A, B, C))
    theirs = sorted((each.alias, each.ders[0]) for each in listed(file))
    assert len(theirs) == 3
    assert [(entry.label.isascii(), entry.der) for entry in sorted(held.entries, key=lambda e: e.label)] == [
        (alias.isascii(), der) for alias, der in theirs
    ]


@needs_keytool
def test_a_keystore_with_a_key_of_its_own(tmp_path):
    where = ["-keystore", str(tmp_path / "k"), "-storetype", "JKS", "-storepass", "changeit"]
    keytool(
        "-genkeypair", *where, "-keypass", "changeit", "-alias", "own", "-dname", "CN=own", "-keyalg", "EC"
    )
    (tmp_path / "a.pem").write_bytes(pem(A))
    keytool("-importcert", "-noprompt", *where, "-alias", "a", "-file", str(tmp_path / "a.pem"))
    ours = {entry.label: entry.der for entry in read_keystore((tmp_path / "k").read_bytes()).entries}
    assert ours == {each.alias: each.ders[0] for each in listed(tmp_path / "k")}


@needs_keytool
def test_keytool_reads_what_the_tests_write(tmp_path):
    """The checksum is the only thing that is not as Java writes it."""
    octets = SMALL[:-20]
    salted = "changeit".encode("utf-16-be") + b"Mighty Aphrodite" + octets
    digest = hashlib.sha1(salted, usedforsecurity=False).digest()
    (tmp_path / "k").write_bytes(octets + digest)
    theirs = {each.alias: each for each in listed(tmp_path / "k")}
    assert theirs["own"].ders == (leaf("own", "B"), B)
    assert (theirs["a"].kind, theirs["own"].kind) == ("trustedCertEntry", "PrivateKeyEntry")
    assert theirs["c"].day == "Feb 3, 2024"


def test_entries_of_every_kind():
    held = read_keystore(SMALL)
    assert [(entry.label, entry.der, entry.is_trusted) for entry in held.entries] == [
        ("a", A, True),
        ("own", leaf("own", "B"), True),
        ("own", B, False),
        ("c", C, True),
    ]
    assert {entry.added_at for entry in held.entries} == {ADDED}
    assert (held.form, held.problem) == (Form.JKS, "")
    first = store(head(2, "a") + sized(A), version=1)
    assert ders(first) == [A]
    assert ders(store(trusted("a", pem(A) + b"\n"))) == [A]
    assert read_keystore(store(trusted("😀\0x", A))).entries[0].label == "😀\0x"


@pytest.mark.parametrize(
    ("octets", "found", "problem"),
    [
        (JKS, [], "reaches past its end"),
        (store(), [], ""),
        (store(trusted("a", A), count=2**31), [A], "reaches past its end|kind 0"),
        (store(trusted("a", A), count=2**32 - 1), [A], "kind 0"),
        (store(trusted("a", A), head(9, "b")), [A], "kind 9"),
        (store(trusted("a", A), version=3), [], "version 3"),
        (store(trusted("a", b"no certificate"), trusted("b", B)), [B], "1 entries are no certificates"),
        (store(trusted("a", A), head(2, "b") + text("X.509") + b"\xff\xff\xff\xff"), [A], "past its end"),
        (store(trusted("a", A), struct.pack(">I", 2) + b"\xff\xffabc"), [A], "past its end"),
        (store(trusted("a", A), head(1, "k") + b"\x7f\xff\xff\xff"), [A], "past its end"),
        (store(trusted("a", A), head(1, "k") + sized(b"") + b"\xff\xff\xff\xff"), [A], "past its end"),
        (store(trusted("a", A), head(3, "s") + b"abc", magic=JCEKS), [A], "secret key"),
        (store(head(3, "s") + b"abc" + certificate(B) + text("X.509") + b"\xff" * 4), [B], "secret key"),
    ],
)
def test_lies_keep_what_was_read_before(octets, found, problem):
    held = read_keystore(octets)
    assert [entry.der for entry in held.entries] == found
    assert any(each in held.problem for each in problem.split("|")) if problem else not held.problem


def test_dates_and_names_that_no_calendar_or_alphabet_has():
    for date, alias in ((b"\xff" * 8, b"\xff\xfe"), (b"\0" * 8, b"\xed\xa0\x80")):
        entry = b"\0\0\0\2" + struct.pack(">H", len(alias)) + alias + date + certificate(A)
        (read,) = read_keystore(store(entry)).entries
        assert read.added_at is None
        assert read.label.encode()


def test_cut_at_every_octet():
    whole = ders(SMALL)
    last = 0
    for end in range(len(SMALL)):
        held = read_keystore(SMALL[:end])
        found = [entry.der for entry in held.entries]
        assert found == whole[: len(found)]
        assert len(found) >= last
        assert held.problem or end >= len(SMALL) - 20 or end == 0
        last = len(found)
    assert last == len(whole)


def test_many_entries_end_in_time(monkeypatch):
    monkeypatch.setattr(jks, "MAX_CERTIFICATES", 50)
    many = store(*(trusted("a", A) for _ in range(51)))
    held = read_keystore(many)
    assert (len(held.entries), held.problem[:17]) == (50, "more certificates")
    monkeypatch.undo()
    began = time.perf_counter()
    # A chain of nothing, and marks of certificates that promise much and hold little.
    read_keystore(store(head(1, "k") + sized(b"") + b"\xff" * 4 + b"\0" * (8 << 20), version=1))
    mark = text("X.509") + struct.pack(">I", jks.MAX_SCATTERED) + b"\x30\x82\xff\x00\x30"
    read_keystore(store(head(3, "s") + mark * (1 << 16)))
    assert time.perf_counter() - began < 2


@given(place=st.integers(0, len(SMALL) - 1), value=st.integers(0, 255), width=st.integers(1, 8))
@settings(max_examples=300, deadline=None)
def test_any_octets_changed(place, value, width):
    octets = bytearray(SMALL)
    octets[place : place + width] = bytes([value]) * width
    held = read_keystore(bytes(octets))
    assert "\n" not in held.problem
    assert len(held.entries) <= len(SMALL)


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", JKS, JCEKS, JKS + b"\0\0\0\2", b"\x30\x82\x01\x00\x02\x01\x03\x30"]),
)
@settings(max_examples=300, deadline=None)  # fmt: skip
def test_any_octets(octets, begin):
    held = read_keystore(begin + octets)
    assert "\n" not in held.problem
    assert held.entries or held.problem or held.form in (Form.EMPTY, Form.JKS, Form.JCEKS, Form.PKCS12)


def _loaded(*certificates: bytes):
    return [x509.load_der_x509_certificate(der) for der in certificates]


def test_pkcs12_as_a_library_writes_it():
    named = [PKCS12Certificate(each, b"name") for each in _loaded(A, B)]
    for password, given_one in ((b"changeit", None), (b"changeme", None), (b"other", "other")):
        octets = serialize_java_truststore(named, BestAvailableEncryption(password))
        held = read_keystore(octets, given_one)
        assert [(entry.der, entry.label) for entry in held.entries] == [(A, "name"), (B, "name")]
    assert ders(serialize_java_truststore(named, NoEncryption())) == [A, B]


def test_a_certificate_of_no_version_in_a_pkcs12():
    octets = (FIXTURES / "keytool-none.p12").read_bytes()
    version = b"\xa0\x03\x02\x01\x02"
    assert octets.count(version) == 1
    held = read_keystore(octets.replace(version, b"\xa0\x03\x02\x01\x26"))
    assert (held.entries, held.problem != "") == ((), True)


def test_a_pkcs12_that_is_made_to_take_long():
    """A count of millions of rounds is not counted through."""
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(70_000)
    named = [PKCS12Certificate(*_loaded(A), b"a")]
    octets = serialize_java_truststore(named, builder.build(b"changeit"))
    count = b"\x02\x03" + (70_000).to_bytes(3)
    assert count in octets
    began = time.perf_counter()
    held = read_keystore(octets.replace(count, b"\x02\x03\x7f\xff\xff"))
    assert time.perf_counter() - began < 0.5
    assert "made to take minutes" in held.problem
    assert ders(octets) == [A]


def test_certificates_in_a_message():
    message = serialize_certificates(_loaded(A, B), Encoding.DER)
    held = read_keystore(message)
    assert held.form is Form.PKCS7
    assert sorted(entry.der for entry in held.entries) == sorted((A, B))
    armoured = read_keystore(serialize_certificates(_loaded(A, B), Encoding.PEM))
    assert (armoured.form, armoured.entries) == (Form.PKCS7, held.entries)
    assert "damaged message" in read_keystore(message[:100]).problem


def test_the_same_as_openssl_in_a_message(tmp_path):
    (tmp_path / "a.pem").write_bytes(pem(A) + pem(B))
    command = ["openssl", "crl2pkcs7", "-nocrl", "-certfile", str(tmp_path / "a.pem"), "-outform", "DER"]
    made = subprocess.run(command, capture_output=True, check=True).stdout
    assert sorted(ders(made)) == sorted((A, B))


def test_forms_that_are_told_apart():
    bks = struct.pack(">II", 2, 20) + b"s" * 20 + struct.pack(">I", 1024) + b"\0"
    inner = bytes.fromhex("3057 06092a864886f70d01050d".replace(" ", "")) + b"\x30" * 0x4C
    bcfks = b"\x30\x81\x5c\x30\x5a\x30\x58" + inner[:90]
    assert (form_of(bks), form_of(bcfks)) == (Form.BKS, Form.BCFKS)
    for octets in (bks, bcfks):
        held = read_keystore(octets)
        assert (held.entries, "Bouncy Castle" in held.problem) == ((), True)
    assert (form_of(pem(A)), ders(pem(A))) == (Form.PEM, [A])
    assert (form_of(A), ders(A)) == (Form.PEM, [A])
    assert form_of(b"") is Form.EMPTY
    assert read_keystore(b"neither").problem == read_keystore(b"\x30\x03\x02\x01\x01").problem
    assert "no keystore" in read_keystore(b"neither").problem
