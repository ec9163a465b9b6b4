"""Chains of an archive: each distinct one decoded once, and never taken for another."""

import base64
import json
import tracemalloc
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.ooni.archive import chains
from kzmitm.ooni.archive.chains import MAX_CERTIFICATES, MAX_DER, NONE, Chain, ChainReader, texts_of


def text_of(*ders: bytes) -> bytes:
    """As a measurement writes a chain."""
    listed = [{"data": base64.b64encode(der).decode(), "format": "base64"} for der in ders]
    return json.dumps(listed, separators=(",", ":")).encode()


def test_a_chain_is_named_by_its_certificates_in_order():
    one, two, other = (
        ChainReader().read(text_of(*ders)) for ders in ((b"a", b"b"), (b"a", b"b"), (b"b", b"a"))
    )
    assert one.ders == (b"a", b"b")
    assert one.hashes == [sha256(b"a").hexdigest(), sha256(b"b").hexdigest()]
    assert one.id == two.id != other.id
    assert one.id == sha256(bytes.fromhex("".join(one.hashes))).hexdigest()[:32]


@pytest.mark.parametrize(
    "text", [b"null", b"[]", b"[{}]", b'[{"a":1}]', b" [ ] ", b'[{"format":"base64"}]'], ids=repr
)
def test_no_certificate_is_no_chain(text):
    found = ChainReader().read(text)
    assert (found.id, found.ders, found.hashes) == ("", (), [])
    assert NONE.id == ""


def test_a_chain_seen_before_is_not_decoded_again():
    reader = ChainReader()
    text = text_of(b"a" * 900)
    assert reader.read(text) is reader.read(bytes(bytearray(text)))


def test_texts_alike_where_it_is_looked_first_are_told_apart():
    """Same beginning, same end: another octet between is another certificate."""
    reader = ChainReader()
    texts = [text_of(b"a" * 400 + middle + b"a" * 400) for middle in (b"x", b"y", b"xx")]
    assert len({(text[20:140], text[-32:-8]) for text in texts[:2]}) == 1
    for _ in range(3):
        for text, middle in zip(texts, (b"x", b"y", b"xx"), strict=True):
            assert reader.read(text).ders == (b"a" * 400 + middle + b"a" * 400,)


@given(
    st.lists(st.lists(st.sampled_from([b"a" * 120, b"b", b"a" * 119 + b"b", b""]), max_size=3), max_size=8)
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_what_was_read_before_changes_nothing(listed):
    reader = ChainReader()
    for ders in listed:
        assert reader.read(text_of(*ders)).ders == ChainReader().read(text_of(*ders)).ders


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(chains, "MAX_CACHED", 1 << 20)
    reader = ChainReader()
    tracemalloc.start()
    for number in range(1500):
        reader.read(text_of(number.to_bytes(2, "big") * 1500))
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 3 << 20
    first = text_of((7).to_bytes(2, "big") * 1500)
    assert reader.read(first).ders == ((7).to_bytes(2, "big") * 1500,)


def test_a_chain_longer_than_any_is_not_remembered():
    reader = ChainReader()
    text = text_of(*(number.to_bytes(2, "big") * 30_000 for number in range(10)))
    assert len(text) > chains.MAX_CACHED // 8
    assert reader.read(text) is not reader.read(text)
    assert len(reader.read(text).ders) == 10


GOOD = {"data": "QUFB"}
BROKEN = {
    "no-base64": [GOOD, {"data": "!!!"}, GOOD],
    "padding": [GOOD, {"data": "QUF"}, GOOD],
    "lines": [GOOD, {"data": "QU\nFB"}, GOOD],
    "beyond-ascii": [GOOD, {"data": "қ"}, GOOD],
    "empty": [GOOD, {"data": ""}, GOOD],
    "null": [GOOD, {"data": None}, GOOD],
    "number": [GOOD, {"data": 5}, GOOD],
    "cut-out": [GOOD, {"format": "base64"}, GOOD],
    "no-object": [GOOD, "QUFB", GOOD],
    "nothing": [GOOD, None, GOOD],
    "too-long": [GOOD, {"data": base64.b64encode(b"a" * (MAX_DER + 1)).decode()}, GOOD],
}


@pytest.mark.parametrize("listed", BROKEN.values(), ids=BROKEN)
def test_what_stands_behind_a_bad_certificate_is_left_out(listed):
    assert ChainReader().read(json.dumps(listed).encode()).ders == (b"AAA",)


@pytest.mark.parametrize("octets", [b"\xff", rb"\ud83d"], ids=["octets", "half-character"])
def test_what_is_no_text_is_no_certificate_and_costs_none_before_it(octets):
    text = b'[{"data":"QUFB","format":"%s"},{"data":"QUFB%s"}]' % (octets, octets)
    assert ChainReader().read(text).ders == (b"AAA",)


def test_a_certificate_may_be_as_long_as_the_limit():
    assert ChainReader().read(text_of(b"a" * MAX_DER)).ders == (b"a" * MAX_DER,)


@pytest.mark.parametrize(
    "text",
    [
        b'[{"data":"QUFB"}',
        b"[" * 9999,
        b'{"data":"QUFBQUFB"}',
        b'"QUFBQUFBQUFBQUFB"',
        b'[{"data":"\xff\xff\xff"}]',
    ],
    ids=["cut", "deep", "no-list", "text", "octets"],
)
def test_a_list_that_is_none_is_no_chain(text):
    assert ChainReader().read(text).ders == ()


def test_a_chain_has_a_length_that_can_be_stored():
    """A row of thousands of certificates is longer than what reads rows takes, and would end the task."""
    listed = [GOOD] * (MAX_CERTIFICATES + 1)
    for kept in (listed, [*listed, None]):
        assert len(ChainReader().read(json.dumps(kept).encode()).ders) == MAX_CERTIFICATES
        assert len(texts_of(kept)) == MAX_CERTIFICATES


@pytest.mark.parametrize("value", [None, {}, "x", 5, [], [None]], ids=repr)
def test_texts_of_what_is_no_list(value):
    assert texts_of(value) == []


def test_an_empty_chain_has_no_name():
    assert Chain(()).id == ""
