"""Chromium's own store: its messages field by field, its table, and where its programs keep it."""

import json
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nss_support import HOME, QAZNET, certificate, linux, needs_shared, shared_der

from kzmitm.roots.chromium import (
    MAX_FIELDS,
    ChromiumCertificate,
    TrustSettings,
    TrustType,
    fields,
    read_certificates,
    read_settings,
    stored_root,
)
from kzmitm.roots.readers import chromium_store
from kzmitm.roots.values import Origin, Platform, Purpose, Trust

TRUSTED = bytes.fromhex("0a020803")  # as others write it for Chromium 153
DISTRUSTED = bytes.fromhex("0a020802")


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def part(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def database(path: Path, *entries: tuple[bytes, bytes]) -> Path:
    """As ServerCertificateDatabase::CreateTable and MetaTable::Init make it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE meta(key LONGVARCHAR NOT NULL UNIQUE PRIMARY KEY, value LONGVARCHAR)"
        )
        versions = [("version", "1"), ("last_compatible_version", "1")]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", versions)
        connection.execute(
            "CREATE TABLE certificates(sha256hash_hex TEXT PRIMARY KEY,"
            "der_cert BLOB NOT NULL,trust_settings BLOB NOT NULL)"
        )
        rows = [(sha256(der).hexdigest(), der, message) for der, message in entries]
        connection.executemany("INSERT INTO certificates VALUES (?, ?, ?)", rows)
    return path


NAMES = part(2, part(1, b"*.example.com") + part(1, b"b.kz"))
V4, V6 = part(1, bytes([192, 0, 2, 0])) + number(2, 24), part(1, bytes(15) + b"\1") + number(2, 128)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (TRUSTED, TrustSettings(TrustType.TRUSTED)),
        (DISTRUSTED, TrustSettings(TrustType.DISTRUSTED)),
        (part(1, number(1, 1)), TrustSettings(TrustType.UNSPECIFIED)),
        (b"", TrustSettings(TrustType.UNKNOWN)),
        (part(1, b""), TrustSettings(TrustType.UNKNOWN)),
        (part(1, number(1, 9)), TrustSettings(TrustType.UNKNOWN)),
        (part(1, number(1, (1 << 32) + 3)), TrustSettings(TrustType.TRUSTED)),
        (DISTRUSTED + TRUSTED, TrustSettings(TrustType.TRUSTED)),
        (part(1, number(1, 3) + number(1, 2)), TrustSettings(TrustType.DISTRUSTED)),
        (TRUSTED + part(1, b""), TrustSettings(TrustType.TRUSTED)),
        (NAMES + TRUSTED, TrustSettings(TrustType.TRUSTED, ("*.example.com", "b.kz"))),
        (
            TRUSTED + part(2, part(3, V4) + part(3, V6) + part(1, b"\xff")),
            TrustSettings(TrustType.TRUSTED, ("192.0.2.0/24", "::1/128", "\ufffd")),
        ),
        (TRUSTED + part(2, part(3, part(1, b"123"))), TrustSettings(TrustType.TRUSTED, ("?/0",))),
        # Fields of later versions, of every kind.
        (number(77, 5) + part(78, b"x") + TRUSTED, TrustSettings(TrustType.TRUSTED)),
        (
            varint(79 << 3 | 1) + bytes(8) + varint(80 << 3 | 5) + bytes(4) + TRUSTED,
            TrustSettings(TrustType.TRUSTED),
        ),
        (
            varint(81 << 3 | 3) + TRUSTED + varint(81 << 3 | 4) + DISTRUSTED,
            TrustSettings(TrustType.DISTRUSTED),
        ),
        (number(1, 3), TrustSettings(TrustType.UNKNOWN)),
    ],
)
def test_messages(message, expected):
    assert read_settings(message) == expected


@pytest.mark.parametrize(
    "message",
    [
        b"\x0a",
        b"\x0a\x05\x08\x03",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x08" + b"\x80" * 11,
        b"\x0f",
        b"\x00\x00",
        b"\x0b",
        b"\x0c",
        b"\x09\x00",
        number(9, 1) * (MAX_FIELDS + 1),
        part(1, b"\x08"),
    ],
)
def test_messages_that_are_none(message):
    with pytest.raises(ValueError, match=r"\w"):
        read_settings(message)


@given(st.binary(max_size=200))
@settings(max_examples=500, deadline=None)
def test_any_octets_are_a_message_or_a_value_error(message):
    try:
        read_settings(message)
        list(fields(message))
    except ValueError:
        pass


@pytest.mark.parametrize(
    ("ca", "message", "trust"),
    [
        (True, TRUSTED, Trust.TRUSTED),
        (None, TRUSTED, Trust.TRUSTED),
        (False, TRUSTED, Trust.PRESENT),  # good for itself only
        (True, DISTRUSTED, Trust.DISTRUSTED),
        (False, DISTRUSTED, Trust.DISTRUSTED),
        (True, part(1, number(1, 1)), Trust.PRESENT),
        (True, b"", Trust.PRESENT),
    ],
)
def test_trust_is_as_chromium_takes_it(ca, message, trust):
    root = stored_root(ChromiumCertificate(certificate(f"ca {ca}", ca=ca), read_settings(message)))
    assert (root.trust, root.origin) == (trust, Origin.USER)
    assert root.purposes == ({Purpose.SERVER} if trust is Trust.TRUSTED else frozenset())


def test_a_certificate_that_is_none_counts_as_the_store_says():
    assert stored_root(ChromiumCertificate(b"junk", read_settings(TRUSTED))).trust is Trust.TRUSTED


def test_a_table(tmp_path):
    first, second = certificate("first"), certificate("second")
    path = database(
        tmp_path / "ServerCertificate", (first, TRUSTED + NAMES), (second, b"\x0a"), (b"", TRUSTED)
    )
    (one, two), problem = read_certificates(path)
    assert one == ChromiumCertificate(first, TrustSettings(TrustType.TRUSTED, ("*.example.com", "b.kz")))
    assert two == ChromiumCertificate(second, TrustSettings(TrustType.UNKNOWN))
    assert problem == "the settings of a certificate: a number without an end"


def test_a_table_of_other_columns_is_empty(tmp_path):
    with closing(sqlite3.connect(tmp_path / "x")) as connection, connection:
        connection.execute("CREATE TABLE certificates (a)")
        connection.execute("INSERT INTO certificates VALUES (1)")
    assert read_certificates(tmp_path / "x") == ((), "")


MAC = "/Users/aigerim/Library/Application Support"
WINDOWS = "/Users/aigerim/AppData"


@pytest.mark.parametrize(
    ("platform", "folder", "application"),
    [
        (Platform.LINUX, f"{HOME}/.config/google-chrome/Default", "Chrome"),
        (Platform.LINUX, f"{HOME}/.config/google-chrome-beta/Profile 1", "Chrome"),
        (Platform.LINUX, f"{HOME}/.var/app/com.google.Chrome/config/google-chrome/Default", "Chrome"),
        (Platform.LINUX, f"{HOME}/snap/chromium/common/chromium/Default", "Chromium"),
        (Platform.LINUX, f"{HOME}/.config/BraveSoftware/Brave-Browser/Default", "Brave"),
        (Platform.LINUX, f"{HOME}/.config/microsoft-edge/Default", "Edge"),
        (Platform.LINUX, f"{HOME}/.config/opera", "Opera"),
        (Platform.LINUX, f"{HOME}/.config/vivaldi/Default", "Vivaldi"),
        (Platform.LINUX, f"{HOME}/.config/yandex-browser/Default", "Yandex Browser"),
        (Platform.MACOS, f"{MAC}/Google/Chrome/Default", "Chrome"),
        (Platform.MACOS, f"{MAC}/com.operasoftware.Opera", "Opera"),
        (Platform.WINDOWS, f"{WINDOWS}/Local/Google/Chrome/User Data/Default", "Chrome"),
        (Platform.WINDOWS, f"{WINDOWS}/Local/Microsoft/Edge/User Data/Profile 2", "Edge"),
        (Platform.WINDOWS, f"{WINDOWS}/Roaming/Opera Software/Opera Stable", "Opera"),
    ],
)
def test_every_place_is_looked_at(tmp_path, platform, folder, application):
    database(tmp_path / folder.lstrip("/") / "ServerCertificate", (certificate("x"), TRUSTED))
    (found,) = chromium_store.read(linux(tmp_path, platform))
    assert (found.store.application, found.store.path) == (application, f"{folder}/ServerCertificate")
    assert found.store.profile == folder.rsplit("/", 1)[1]
    assert ([root.trust for root in found.roots], found.problem) == ([Trust.TRUSTED], "")


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ({"profile": {"info_cache": {"Default": {"name": "Айгерім"}}}}, "Айгерім"),
        ({"profile": {"info_cache": {"Default": {"name": 7}}}}, "Default"),
        ({"profile": {"info_cache": {"Default": 7}}}, "Default"),
        ({"profile": []}, "Default"),
        ([], "Default"),
    ],
)
def test_the_name_of_a_profile(tmp_path, state, name):
    folder = tmp_path / HOME.lstrip("/") / ".config/chromium"
    database(folder / "Default" / "ServerCertificate", (certificate("x"), TRUSTED))
    (folder / "Local State").write_text(json.dumps(state))
    (found,) = chromium_store.read(linux(tmp_path))
    assert found.store.profile == name


def test_a_damaged_store_is_a_problem_and_the_next_is_read(tmp_path):
    folder = tmp_path / HOME.lstrip("/") / ".config/chromium"
    database(folder / "A" / "ServerCertificate", (certificate("x"), TRUSTED))
    octets = (folder / "A" / "ServerCertificate").read_bytes()
    for name, content in (("B", octets[:5000]), ("C", b"junk"), ("D", b"")):
        (folder / name).mkdir()
        (folder / name / "ServerCertificate").write_bytes(content)
    (folder / "Local State").write_bytes(b"{" * 99_999)
    good, *bad = chromium_store.read(linux(tmp_path))
    assert (len(good.roots), good.problem) == (1, "")
    assert all(each.problem and not each.roots for each in bad)
    assert len(bad) == 3


@needs_shared
def test_the_real_interception_root(tmp_path):
    path = tmp_path / HOME.lstrip("/") / ".config/google-chrome/Default/ServerCertificate"
    database(path, (shared_der(QAZNET), TRUSTED))
    (found,) = chromium_store.read(linux(tmp_path))
    assert [(root.der, root.trust) for root in found.roots] == [(shared_der(QAZNET), Trust.TRUSTED)]
