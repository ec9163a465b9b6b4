"""Our hellos, read by a dissector that is not ours."""

import warnings

import pytest
from forged_server import client, seeded

from kzmitm.errors import UsageError
from kzmitm.model.observation import Split
from kzmitm.wire import profiles
from kzmitm.wire.hello import ClientHello, cut_hello, encode_sni
from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.layout import layout
from kzmitm.wire.profiles import GREASE, PROFILES, HelloProfile

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # scapy names ciphers that `cryptography` has put away
    tls = pytest.importorskip("scapy.layers.tls.all")

NAME = "www.example.test"


def _dissect(records: bytes):
    """The ClientHello as scapy sees it, and its extensions by type."""
    message, rest = b"", records
    while rest:
        size = int.from_bytes(rest[3:5], "big")
        assert rest[0] == 22
        message += rest[5 : 5 + size]
        rest = rest[5 + size :]
    parsed = tls.TLSClientHello(message)
    return parsed, {e.type: e for e in parsed.ext or []}


def _sni(extensions) -> bytes:
    return extensions[0].servernames[0].servername


@pytest.mark.parametrize("name", PROFILES)
def test_what_a_profile_offers_is_what_a_dissector_reads(name):
    profile = PROFILES[name]
    driver = client(name, sni=NAME, rng=seeded())
    parsed, extensions = _dissect(b"".join(driver.start()))
    assert parsed.version == profile.legacy_version
    assert parsed.sidlen == profile.session_id_size
    assert parsed.comp == [0]
    plain = [suite for suite in profile.cipher_suites if suite != GREASE]
    assert [suite for suite in parsed.ciphers if suite & 0x0F0F != GREASE] == plain
    assert _sni(extensions) == NAME.encode()
    wanted = [kind for kind in profile.extensions if kind & 0x0F0F != GREASE]
    sent = [kind for kind in extensions if kind & 0x0F0F != GREASE and kind != ext.PADDING]
    assert sent == wanted
    assert [g for g in extensions[10].groups if g & 0x0F0F != GREASE] == [
        g for g in profile.groups if g != GREASE
    ]


@pytest.mark.parametrize(
    ("name", "low", "high"), [("small", 517, 517), ("browser", 1600, 1900), ("legacy", 60, 200)]
)
def test_sizes(name, low, high):
    driver = client(name)
    size = sum(map(len, driver.start()))
    assert low <= size <= high
    assert driver._findings.hello.size == size


def test_alpn_and_versions():
    _, extensions = _dissect(b"".join(client("small", alpn=("h2", "http/1.1")).start()))
    assert [p.protocol for p in extensions[16].protocols] == [b"h2", b"http/1.1"]
    assert extensions[43].versions == [0x0304, 0x0303, 0x0302, 0x0301]
    _, extensions = _dissect(b"".join(client("small", alpn=()).start()))
    assert 16 not in extensions


def test_the_browser_hello_has_a_hybrid_share_and_grease():
    parsed, extensions = _dissect(b"".join(client("browser", rng=seeded()).start()))
    shares = {share.group: bytes(share.key_exchange) for share in extensions[51].client_shares}
    assert len(shares[0x11EC]) == 1216
    assert shares[0x11EC].endswith(shares[0x001D])
    greases = [kind for kind in extensions if kind & 0x0F0F == GREASE]
    assert len(set(greases)) == 2
    assert parsed.ciphers[0] & 0x0F0F == GREASE
    assert 0xFE0D in extensions


def test_grease_values_differ_by_connection_but_extension_types_never_collide():
    seen = set()
    for seed in range(64):
        _, extensions = _dissect(b"".join(client("browser", rng=seeded(seed)).start()))
        greases = tuple(kind for kind in extensions if kind & 0x0F0F == GREASE)
        assert len(set(greases)) == 2
        seen.add(greases)
    assert len(seen) > 16


@pytest.mark.parametrize(
    ("sni", "octets"),
    [
        ("WWW.Example.TEST", b"WWW.Example.TEST"),
        ("a..b", b"a..b"),
        ("пример.test", "пример.test".encode()),
        ("\udcff\udc00x".replace("\udc00", "\udc80"), b"\xff\x80x"),
        ("x" * 300, b"x" * 300),
        ("10.0.0.1", b"10.0.0.1"),
    ],
)
def test_names_go_out_as_given(sni, octets):
    _, extensions = _dissect(b"".join(client("small", sni=sni).start()))
    assert _sni(extensions) == octets


def test_an_empty_name_is_sent_empty_and_no_name_is_not_sent():
    assert b"\x00\x00\x00\x05\x00\x03\x00\x00\x00" in b"".join(client("small", sni="").start())
    driver = client("small", sni=None)
    _, extensions = _dissect(b"".join(driver.start()))
    assert 0 not in extensions
    assert 0 not in driver._hello.offered


def test_a_name_that_cannot_be_sent_is_the_callers_fault():
    with pytest.raises(UsageError):
        encode_sni("x" * 9000)
    with pytest.raises(UsageError):
        encode_sni("\ud800")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("sni", [NAME, None])
def test_cuts_hold_the_same_message(profile, sni):
    whole = b"".join(client(profile, sni=sni, rng=seeded()).start())
    segments = client(profile, sni=sni, rng=seeded(), split=Split.TCP).start()
    assert len(segments) == 3
    assert len(segments[0]) == 5
    assert b"".join(segments) == whole
    (records,) = client(profile, sni=sni, rng=seeded(), split=Split.RECORDS).start()
    size = int.from_bytes(records[3:5], "big")
    first, second = records[5 : 5 + size], records[10 + size :]
    assert first + second == whole[5:]
    assert records[5 + size] == 22
    if sni is not None:
        for head, tail in ((segments[1], segments[2]), (first, second)):
            assert head.endswith(b"www.exam")
            assert tail.startswith(b"ple.test")


def test_a_name_of_one_letter_is_cut_where_it_stands():
    (records,) = client("browser", sni="h", split=Split.RECORDS, rng=seeded()).start()
    size = int.from_bytes(records[3:5], "big")
    assert records[5 : 5 + size].endswith(b"\x00\x04\x00\x00\x01")
    assert records[10 + size : 11 + size] == b"h"


def test_a_message_beyond_one_record_takes_several():
    (records,) = cut_hello(b"m" * 40000, 0x0301, b"", Split.NONE)
    assert len(records) == 40000 + 3 * 5


def test_padding_that_would_not_fit_its_header_goes_beyond_the_size():
    sizes = set()
    for length in range(1, 400):
        message = ClientHello(PROFILES["small"], b"x" * length, (), seeded()).message
        sizes.add(len(message))
    assert min(sizes) == 512
    assert {513, 514, 515, 516} & sizes


def test_a_profile_without_extensions_or_with_an_unknown_one():
    bare = HelloProfile(name="bare", cipher_suites=(0x002F,), session_id_size=0, legacy_version=0x0301)
    message = ClientHello(bare, None, (), seeded()).message
    assert len(message) == 4 + 2 + 32 + 1 + 4 + 2
    odd = HelloProfile(name="odd", cipher_suites=(0x002F,), extensions=(12345,))
    with pytest.raises(UsageError):
        ClientHello(odd, None, (), seeded())


def test_a_share_of_a_curve_is_sent_when_a_profile_offers_it():
    curve = HelloProfile(
        name="curve",
        cipher_suites=(0x1301,),
        extensions=(ext.SUPPORTED_GROUPS, ext.KEY_SHARE, ext.SUPPORTED_VERSIONS),
        groups=(0x0017,),
        key_shares=(0x0017,),
        versions=(0x0304,),
    )
    _, extensions = _dissect(b"\x16\x03\x01" + _sized(ClientHello(curve, None, (), seeded()).message))
    assert [(s.group, len(s.key_exchange)) for s in extensions[51].client_shares] == [(0x0017, 65)]


def _sized(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


def test_without_ml_kem_a_grease_share_of_the_same_size_stands_in(monkeypatch):
    size = sum(map(len, client("browser").start()))
    for module in ("hello", "layout", "keyshare"):
        monkeypatch.setattr(f"kzmitm.wire.{module}.HYBRID_SUPPORTED", False)
    layout.cache_clear()
    try:
        driver = client("browser", rng=seeded())
        _, extensions = _dissect(b"".join(driver.start()))
    finally:
        layout.cache_clear()
    shares = [(share.group, len(share.key_exchange)) for share in extensions[51].client_shares]
    assert [length for _, length in shares] == [1, 1216, 32]
    assert all(group & 0x0F0F == GREASE for group, _ in shares[:2])
    assert shares[0][0] != shares[1][0]
    assert 0x11EC not in extensions[10].groups
    assert sum(map(len, driver.start())) == size - 2
    assert set(driver._hello.shares) == {0x001D}


def test_profiles_are_found_by_name():
    assert {"small", "browser", "legacy"} <= set(PROFILES)
    assert all(name == profile.name == str(profile) for name, profile in PROFILES.items())
    assert profiles.PROFILES["legacy"].highest_version == 0x0301
    assert profiles.PROFILES["browser"].highest_version == 0x0304
