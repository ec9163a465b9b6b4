"""What is in a file that somebody was asked to install, and what a hostile one does: nothing."""

import base64
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from package_samples import archive, blob, der, export, p7b, p12, payload, pem, profile, signed

from kzmitm.pki.der import DERError
from kzmitm.roots import apk, ber, keystore_files, packages, registry_export
from kzmitm.roots import profile as profiles
from kzmitm.roots.cms import read_signed_data
from kzmitm.roots.contents import Kind, Note, told
from kzmitm.roots.packages import certificates_in
from kzmitm.roots.values import Trust

CERTS = Path(__file__).resolve().parents[3] / "shared" / "certs"
QAZNET = CERTS / "00309c736dd661da6f1eb24173aa849944c168a43a15bffd192eecfdb6f8dbd2.pem"
MANIFEST = b"\x03\0\x08\0" + "networkSecurityConfig".encode("utf-16-le")
RULES = b"\x03\0\x08\0network-security-config\0trust-anchors"


def held(found):
    return [item.der for item in found.items]


# --- PEM, DER


@pytest.mark.parametrize("name", ["x.cer", "x.crt", "x.der", "x.mobileconfig", "folder\\x.pem"])
def test_the_octets_decide_and_not_the_name(name):
    assert (found := certificates_in(der(), name=name)).kind is Kind.DER
    assert held(found) == [der()]
    assert found.items[0].label == name.rpartition("\\")[2]
    assert (found := certificates_in(pem() + b"text\n" + pem("Other"), name=name)).kind is Kind.PEM
    assert held(found) == [der(), der("Other")]
    assert all(item.trust is None for item in found.items)


@pytest.mark.skipif(not QAZNET.is_file(), reason="the real certificates (../shared/certs) are not here")
def test_the_real_root_as_it_was_handed_out():
    found = certificates_in(QAZNET.read_bytes(), name="qazca.cer")
    (item,) = found.items
    assert (found.kind, found.problem, item.label) == (Kind.PEM, "", "qazca.cer")


def test_each_certificate_is_told_of_once():
    assert held(certificates_in(pem() + pem("Other") + pem(), name="x")) == [der(), der("Other")]


def test_the_trust_that_openssl_writes_into_a_file():
    server, mail = bytes.fromhex("06082b06010505070301"), bytes.fromhex("06082b06010505070304")

    def trusted(*parts: bytes):
        body = b"".join(parts)
        encoded = base64.encodebytes(der() + bytes((0x30, len(body))) + body)
        return b"-----BEGIN TRUSTED CERTIFICATE-----\n" + encoded + b"-----END TRUSTED CERTIFICATE-----\n"

    def only(content):
        (item,) = certificates_in(content, name="x").items
        assert item.der == der()
        return item

    assert only(trusted(b"\x30\x0a", server, b"\x0c\x02Hi")).trust is Trust.TRUSTED
    assert only(trusted(b"\x30\x0a", server, b"\x0c\x02Hi")).label == "Hi"
    assert only(trusted(b"\x30\x0a", mail)).trust is Trust.PRESENT
    assert only(trusted(b"\xa0\x0a", server)).trust is Trust.DISTRUSTED


def test_what_holds_none_is_said_to():
    for content in (b"", b"hello", b"\x00" * 100, b"MZ"):
        found = certificates_in(content, name="x")
        assert (found.kind, found.items, found.problem) == (Kind.UNKNOWN, (), "no certificate in it")
    broken = certificates_in(b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", name="x")
    assert "passed over" in broken.problem


def test_a_file_that_is_too_large_is_not_read(monkeypatch):
    monkeypatch.setattr(packages, "MAX_FILE", 100)
    assert "larger than" in certificates_in(der(), name="x").problem


# --- signed messages


def test_certificates_in_a_message():
    found = certificates_in(p7b("Root", "Other"), name="x.p7b")
    assert (found.kind, sorted(held(found)), found.problem) == (
        Kind.PKCS7,
        sorted([der(), der("Other")]),
        "",
    )
    text = base64.encodebytes(p7b("Root"))
    for label in (b"PKCS7", b"CMS"):
        block = b"-----BEGIN " + label + b"-----\n" + text + b"-----END " + label + b"-----\n"
        found = certificates_in(block + pem("Other"), name="x")
        assert (found.kind, sorted(held(found))) == (Kind.PEM, sorted([der(), der("Other")]))
    damaged = certificates_in(b"-----BEGIN PKCS7-----\nMIIB\n-----END PKCS7-----\n", name="x")
    assert "damaged message" in damaged.problem


def test_a_damaged_message_is_a_problem():
    whole = p7b("Root")
    for cut in range(20, len(whole), 7):
        assert "damaged message" in certificates_in(whole[:cut], name="x").problem


def test_messages_that_are_none():
    for content in (b"", b"\x30\x00", b"\x30\x03\x06\x01\x2a", b"\x30\x04\x06\x00\xa0\x00", b"\x1f\x01\x00"):
        with pytest.raises(DERError):
            read_signed_data(content)


def test_the_time_for_a_message_is_bounded(monkeypatch):
    begun = time.perf_counter()
    for content in (
        b"\x30\x80" * 50_000,
        b"\x30\x80" * 11 + b"\x05\x00" * 4_000_000,
        b"\x30\x84\x00\x7f\xff\xff" + b"\x05\x00" * 4_194_304,
        b"\x30\x89" + b"\xff" * 100,
    ):
        with pytest.raises(DERError):
            read_signed_data(content)
    assert time.perf_counter() - begun < 5
    deep = b"\x24\x80" * 8 + b"\x04\x01x" + b"\x00\x00" * 8
    reader = ber.Reader(deep)
    assert reader.string(reader.first()) == b"x"
    monkeypatch.setattr(ber, "MAX_DEPTH", 3)
    reader = ber.Reader(b"\x24\x09\x24\x07\x24\x05\x24\x03\x04\x01x")
    with pytest.raises(DERError, match="within strings"):
        reader.string(reader.first())


# --- profiles


def test_a_profile_says_what_it_makes_trusted():
    found = certificates_in(
        profile(
            payload(der(), PayloadDisplayName="Сертификат безопасности"),
            payload(pem("Other"), "pem", PayloadCertificateFileName="other.pem"),
            payload(der("Third"), "pkcs1"),
            payload(b"", "wifi"),
            payload(p12("Fourth"), "pkcs12"),
        ),
        name="x.mobileconfig",
    )
    assert (found.kind, found.problem, found.notes) == (Kind.PROFILE, "", ())
    assert [(item.der, item.label, item.trust) for item in found.items] == [
        (der(), "Сертификат безопасности", Trust.TRUSTED),
        (der("Other"), "other.pem", Trust.PRESENT),
        (der("Third"), "x.mobileconfig", Trust.PRESENT),
        (der("Fourth"), "anchor Fourth", Trust.PRESENT),
    ]


@pytest.mark.parametrize("options", [(), ("-stream",), ("-nocerts",)])
def test_a_signed_profile_is_taken_out_and_its_signer_left(options, tmp_path):
    content = profile(payload(der())) + b"<!-- " + b"x" * 20_000 + b" -->"
    message = signed(content, tmp_path, *options)
    assert (b"\x24\x80" in message) == ("-stream" in options)
    found = certificates_in(message, name="x.mobileconfig")
    assert (found.kind, held(found), found.notes) == (Kind.PROFILE, [der()], (Note.SIGNED,))
    assert found.items[0].trust is Trust.TRUSTED


def test_a_keystore_in_a_profile_is_opened_with_its_password():
    for password, problem in (("secret", ""), ("wrong", "locked"), (None, "locked")):
        keys = {} if password is None else {"Password": password}
        found = certificates_in(profile(payload(p12("Root", password=b"secret"), "pkcs12", **keys)), name="x")
        assert held(found) == ([] if problem else [der()])
        assert problem in found.problem


def test_profiles_that_are_not_as_they_should_be():
    encrypted = certificates_in(profile(EncryptedPayloadContent=b"0"), name="x")
    assert (encrypted.notes, "encrypted" in encrypted.problem) == ((Note.ENCRYPTED,), True)
    for content, problem in (
        (profile(payload("text")), "without a certificate"),
        (profile(payload(b"none", PayloadDisplayName="Named")), "Named: no certificate in it"),
        (profile(payload(b"-----BEGIN CERTIFICATE-----", PayloadDisplayName=7)), "passed over"),
        (profile(7, {"PayloadType": 7}), "no certificate in it"),
        (profile(PayloadContent="text"), "no payloads"),
        (b"<plist><array/></plist>", "no payloads"),
        (b"<?xml version='1.0'?><plist>", "not a property list"),
        (b"<plist><integer>x</integer></plist>", "not a property list"),
        (b"<plist><dict><date>x</date></dict></plist>", "not a property list"),
        (b"<plist>" + b"<array>" * 100_000, "not a property list"),
        (b"bplist00" + b"\0" * 40, "binary property list"),
    ):
        found = certificates_in(content, name="x")
        assert (found.kind, found.items) == (Kind.PROFILE, ())
        assert problem in found.problem
    one = profile(PayloadContent=payload(der()))
    assert held(certificates_in(b"\xef\xbb\xbf" + one, name="x")) == [der()]


def test_entities_of_a_profile_are_refused():
    bomb = b'<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (99 + n, (b"&%c;" % (97 if n == 0 else 98 + n)) * 10) for n in range(9)
    )
    outside = b'<!ENTITY a SYSTEM "file:///etc/passwd">'
    for entities in (bomb, outside):
        content = (
            b"<?xml version='1.0'?><!DOCTYPE plist [" + entities + b"]><plist><string>&a;</string></plist>"
        )
        found = certificates_in(content, name="x")
        assert "not a property list" in found.problem


def test_large_profiles_are_not_read_to_their_end(monkeypatch):
    many = profile(*[payload(b"", "wifi")] * 20, payload(der()))
    monkeypatch.setattr(profiles, "MAX_PAYLOADS", 10)
    assert "more than 10 payloads" in certificates_in(many, name="x").problem
    monkeypatch.setattr(profiles, "MAX_PROFILE", 100)
    assert "larger than" in certificates_in(many, name="x").problem


# --- keystores


@pytest.mark.parametrize("password", [b"", b"changeit", b"1234"])
def test_keystores_open_with_what_anybody_would_try(password):
    found = certificates_in(p12("Root", "Other", password=password), name="x.p12")
    assert (found.kind, sorted(held(found)), found.problem) == (
        Kind.PKCS12,
        sorted([der(), der("Other")]),
        "",
    )
    assert {item.label for item in found.items} == {"anchor Root", "anchor Other"}


def test_keystores_that_stay_closed(monkeypatch):
    locked = certificates_in(p12("Root", password=b"secret"), name="x")
    assert (locked.kind, locked.items, "locked" in locked.problem) == (Kind.PKCS12, (), True)
    assert certificates_in(b"\xfe\xed\xfe\xed\0\0\0\2", name="x").kind is Kind.JAVA_KEYSTORE
    begun = time.perf_counter()
    slow = certificates_in(
        p12("Root", password=b"1234").replace(b"\x02\x02\x08\x00", b"\x02\x02\x7f\xff"), name="x"
    )
    assert slow.items == ()
    monkeypatch.setattr(keystore_files, "MAX_ROUNDS", 3000)
    assert "minutes" in certificates_in(p12("Root", password=b"1234"), name="x").problem
    assert time.perf_counter() - begun < 5
    monkeypatch.setattr(keystore_files, "MAX_KEYSTORE", 100)
    assert "larger" in certificates_in(p12("Root"), name="x").problem


def test_a_damaged_keystore_is_a_problem():
    whole = p12("Root", password=b"secret", rounds=1)
    for at in range(0, len(whole), 11):
        for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            found = certificates_in(content, name="x")
            assert found.problem or found.items


# --- archives


def test_an_app_and_the_roots_it_brings():
    found = certificates_in(
        archive(
            {
                "AndroidManifest.xml": MANIFEST,
                "res/xml/rules.xml": RULES,
                "res/raw/qazca.pem": pem(),
                "res/raw/sound": b"no certificate",
                "res/raw-kk/other": der("Other"),
                "assets/ca/third.cer": der("Third"),
                "assets/picture.png": der("Fourth"),
                "META-INF/CERT.crt": der("Fifth"),
                "META-INF/CERT.RSA": p7b("Fifth"),
                "classes.dex": b"dex\n",
            }
        ),
        name="app.apk",
    )
    assert (found.kind, found.problem) == (Kind.APK, "")
    assert {(item.label, item.der) for item in found.items} == {
        ("res/raw/qazca.pem", der()),
        ("res/raw-kk/other", der("Other")),
        ("assets/ca/third.cer", der("Third")),
    }
    assert found.notes == (Note.NETWORK_SECURITY_CONFIG, Note.OWN_TRUST_ANCHORS)


@pytest.mark.parametrize(
    ("members", "notes"),
    [
        ({}, ()),
        ({"res/xml/x.xml": b"something else"}, ()),
        ({"res/a.xml": "network-security-config".encode("utf-16-le")}, (Note.NETWORK_SECURITY_CONFIG,)),
        ({"AndroidManifest.xml": MANIFEST}, (Note.NETWORK_SECURITY_CONFIG,)),
    ],
)
def test_whether_an_app_has_rules_of_its_own(members, notes):
    found = certificates_in(archive({"AndroidManifest.xml": b"", **members}), name="x")
    assert (found.kind, found.notes, found.problem) == (Kind.APK, notes, "no certificate in it")


def test_a_plain_archive():
    found = certificates_in(
        archive(
            {
                "a/root.crt": pem(),
                "b/all.p7b": p7b("Other"),
                "c/profile.mobileconfig": profile(payload(der("Third"), PayloadDisplayName="Third")),
                "d/store.p12": p12("Fourth", password=b"secret"),
                "read me.txt": pem("Fifth"),
                "e/empty.pem": b"",
                "app.apk": b"PK",
                "f/inner.crt": archive({"root.crt": pem()}),
            }
        ),
        name="x.zip",
    )
    assert found.kind is Kind.ZIP
    assert [(item.label, item.trust) for item in found.items] == [
        ("a/root.crt", None),
        ("b/all.p7b", None),
        ("c/profile.mobileconfig: Third", Trust.TRUSTED),
    ]
    assert "d/store.p12: locked" in found.problem
    assert "archives within it were not read" in found.problem


def test_an_archive_that_is_a_bomb(monkeypatch):
    bomb = archive({f"{n}.pem": b"\0" * (5 << 20) for n in range(5)})
    found = certificates_in(bomb, name="x")
    assert "larger than 4 MiB" in found.problem
    assert found.problem.endswith("and 2 more")
    many = archive({f"{n}.pem": pem() for n in range(30)})
    monkeypatch.setattr(apk, "MAX_MEMBERS", 10)
    assert "not read to its end" in certificates_in(many, name="x").problem


def test_an_app_with_many_resources_is_read_to_its_end(monkeypatch):
    members = {"AndroidManifest.xml": b"", **{f"res/{n}.xml": b"x" for n in range(3000)}, "res/z.xml": RULES}
    found = certificates_in(archive({**members, "res/raw/a.pem": pem()}), name="x")
    assert (held(found), found.problem, found.notes[1:]) == ([der()], "", (Note.OWN_TRUST_ANCHORS,))
    monkeypatch.setattr(apk, "MAX_RESOURCES", 5)
    assert certificates_in(archive(members), name="x").notes == ()


def test_an_archive_that_lies_about_a_size():
    content = b"\0" * (5 << 20)
    lying = archive({"a.pem": content}).replace(
        len(content).to_bytes(4, "little"), (10).to_bytes(4, "little")
    )
    found = certificates_in(lying, name="x")
    assert found.items == ()
    assert found.problem


def test_archives_that_are_refused_before_they_are_opened(monkeypatch):
    assert "no list" in certificates_in(b"PK\x03\x04" + b"x" * 100, name="x").problem
    assert "no list" in certificates_in(b"PK\x03\x04", name="x").problem
    assert certificates_in(archive({}), name="x").problem == "no certificate in it"
    large = archive({"a.pem": pem()})
    end = large.rfind(b"PK\x05\x06")
    wide = large[:end] + b"PK\x06\x07" + b"\0" * 16 + large[end:]
    assert "64-bit" in certificates_in(wide, name="x").problem
    commented = large[:-2] + b"\x05\0hello"
    assert held(certificates_in(commented, name="x")) == [der()]
    monkeypatch.setattr(apk, "MAX_DIRECTORY", 10)
    assert "too many files" in certificates_in(large, name="x").problem


def test_members_that_cannot_be_read():
    whole = archive({"a.pem": pem(), "b.pem": pem("Other")})
    listed = whole.rfind(b"PK\x01\x02", 0, whole.rfind(b"PK\x01\x02"))
    encrypted = bytearray(whole)
    encrypted[listed + 8] |= 1
    found = certificates_in(bytes(encrypted), name="x")
    assert (held(found), "a.pem: encrypted" in found.problem) == ([der("Other")], True)
    odd = archive({"a.pem": pem()}, method=zipfile.ZIP_LZMA)
    assert "packed in a way" in certificates_in(odd, name="x").problem
    damaged = bytearray(whole)
    damaged[60:80] = b"\xff" * 20
    assert held(certificates_in(bytes(damaged), name="x")) == [der("Other")]
    assert "damaged archive" in certificates_in(whole.replace(b"PK\x01\x02", b"PK\x09\x09"), name="x").problem


# --- registry exports


def test_a_registry_export():
    name = "Мой корень".encode("utf-16-le") + b"\0\0"
    values = (
        ("ROOT", blob((3, b"\xaa" * 20), (11, name), (32, der()))),
        ("Disallowed", blob((32, der("Other")))),
        ("CA", blob((32, der("Third")))),
        ("ROOT", b"\x01\x02"),
        ("ROOT", blob((3, b""))[:-2] + b"\xff\xff"),
    )
    text = export(*values).replace("Blob", "Blob", 1) + '\r\n[HKEY_CURRENT_USER\\X]\r\n"Blob"=hex:zz\r\n'
    for octets in (b"\xff\xfe" + text.encode("utf-16-le"), text.replace("\r\n", "\n").encode()):
        found = certificates_in(octets, name="x.reg")
        assert found.kind is Kind.REGISTRY_EXPORT
        assert [(item.der, item.label, item.trust) for item in found.items] == [
            (der(), "Мой корень", Trust.TRUSTED),
            (der("Other"), "x.reg", Trust.DISTRUSTED),
            (der("Third"), "x.reg", Trust.PRESENT),
        ]
        assert found.problem.startswith("3 values")
    assert certificates_in(b"REGEDIT4\n", name="x").problem == "no certificate in it"


def test_registry_exports_are_bounded(monkeypatch):
    monkeypatch.setattr(registry_export, "MAX_EXPORT", 100)
    assert "larger" in certificates_in(export(("ROOT", blob((32, der())))).encode(), name="x").problem


# --- whatever it is


def test_several_problems_are_one_line():
    assert told(["a", "b"]) == "a; b"
    assert told(["a", "b", "c", "d", "e"]) == "a; b; c; and 2 more"


SAMPLES = [
    pem(),
    der(),
    p7b("Root"),
    p12("Root"),
    profile(payload(der())),
    archive({"AndroidManifest.xml": MANIFEST, "res/raw/a.pem": pem(), "res/xml/a.xml": RULES}),
    export(("ROOT", blob((32, der())))).encode(),
]


@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=6)), max_size=4),
    st.integers(0, 5000),
)
def test_no_octets_make_it_raise(sample, changes, length):
    octets = bytearray(sample)
    for at, content in changes:
        octets[at : at + len(content)] = content
    found = certificates_in(bytes(octets[:length]), name="x")
    assert found.items or found.problem


@given(st.binary(max_size=300))
def test_no_rubbish_makes_it_raise(octets):
    for start in (
        b"",
        b"PK\x03\x04",
        b"<plist>",
        b"REGEDIT4",
        b"\x30\x82\x01\x00\x02\x01\x03\x30",
        b"\xfe\xed\xfe\xed",
    ):
        found = certificates_in(start + octets, name="x")
        assert found.items or found.problem
