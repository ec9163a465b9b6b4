"""JARM and JA3S against what other implementations made of the same octets."""

import json
from pathlib import Path

import pytest
from forged_server import client
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_support import observe

from kzmitm.errors import UsageError
from kzmitm.model.failure import Failure
from kzmitm.model.observation import Hello, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.wire.ja3s import ja3s, ja3s_text
from kzmitm.wire.jarm import (
    HELLOS,
    MAX_ANSWER,
    NOTHING,
    JARMQuestion,
    hash_of,
    is_complete,
    jarm_hash,
    jarm_hellos,
    read_answer,
)

VECTORS = json.loads((Path(__file__).parent / "jarm_vectors.json").read_text())
SERVERS = {server["name"]: server for server in VECTORS["servers"]}


def test_hellos_are_those_of_another_implementation_octet_by_octet():
    hellos = jarm_hellos("www.example.test", lambda size: b"\x11" * size)
    assert [hello.hex() for hello in hellos] == VECTORS["hellos"]
    assert len(hellos) == HELLOS == 10


def test_hellos_differ_from_connection_to_connection_in_what_is_random_only():
    one = jarm_hellos("a.test", bytes)
    other = jarm_hellos("a.test", lambda size: b"\xff" * size)
    assert [len(hello) for hello in one] == [len(hello) for hello in other]
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_a_name_that_no_hello_can_hold_is_refused():
    with pytest.raises(UsageError):
        jarm_hellos("a" * 9000, bytes)


@pytest.mark.parametrize("name", SERVERS)
def test_answers_are_read_and_hashed_as_by_another_implementation(name: str):
    server = SERVERS[name]
    answers = [bytes.fromhex(answer) for answer in server["answers"]]
    assert [read_answer(answer) for answer in answers] == server["raw"]
    assert jarm_hash(answers) == server["jarm"]


@pytest.mark.parametrize("cut", [1, 7, 43])
def test_an_answer_in_pieces_is_the_same(cut: int):
    for answer in map(bytes.fromhex, SERVERS["nginx 1.22, TLS 1.2"]["answers"]):
        question = JARMQuestion(b"hello")
        assert question.start() == (b"hello",)
        for start in range(0, len(answer), cut):
            assert question.receive(answer[start : start + cut], 0.0) == b""
        question.fail(Failure.GENERIC_TIMEOUT, 1.0)
        assert (question.done, question.failure) == (True, None)
        assert read_answer(question.answer) == read_answer(answer)


def test_silence_an_end_and_a_reset_are_told_apart():
    silent, ended, reset = (JARMQuestion(b"") for _ in range(3))
    ended.receive_eof(1.0)
    reset.fail(Failure.CONNECTION_RESET, 1.0, "gone")
    assert (silent.done, ended.done, reset.done) == (False, True, True)
    assert (ended.failure, reset.failure) == (None, Failure.CONNECTION_RESET)
    assert read_answer(ended.answer) == "|||"


def test_a_server_that_refuses_all_has_the_hash_of_nothing():
    assert jarm_hash([b"\x15\x03\x03\x00\x02\x02\x28"] * 10) == NOTHING
    assert hash_of(["|||"] * 10) == NOTHING == "0" * 62


HELLO = bytes.fromhex(
    "160303003a020000360303" + "00" * 32 + "00" + "c02f" + "00" + "000e" + "00100005000302" + "6832"
)

BARE = bytes.fromhex("160303002a020000260303" + "00" * 32 + "00" + "c02f" + "00")


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (HELLO + bytes.fromhex("ff01000100"), "c02f|0303|h2|0010-ff01"),
        (HELLO[:46] + b"\x00" + b"\x0b" + HELLO[48:], "c02f|0303||"),
        (BARE + b"\x16\x03\x03", "c02f|0303||"),
        (HELLO[:46] + bytes.fromhex("00000f000eac0b00000000000000000000"), "c02f|0303||"),
        (b"HTTP/1.1 400 Bad Request\r\n", "|||"),
        (b"\x16\x03\x03\x00\x01\x0b" + bytes(60), "|||"),
        (b"", "|||"),
    ],
    ids=["protocol", "certificate follows", "no extensions", "odd", "http", "another message", "nothing"],
)  # fmt: skip
def test_odd_answers(answer: bytes, read: str):
    assert read_answer(answer) == read


def test_unknown_suites_and_versions_have_digits_of_their_own():
    assert hash_of(["fafa|0309||", *["|||"] * 9]).startswith("460" + "000" * 9)


def test_no_more_is_taken_than_is_looked_at():
    question = JARMQuestion(b"")
    question.receive(b"\x16\x03\x03\xff\xff" + bytes(5000), 0.0)
    assert question.done
    assert len(question.answer) == MAX_ANSWER
    assert is_complete(question.answer)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_octets_are_read(tail: bytes):
    for head in (b"", HELLO[:5], HELLO[:46]):
        assert read_answer(head + tail).count("|") >= 3
        assert len(jarm_hash([head + tail] * 10)) == 62


# --- JA3S


def seen(suite: str, version: str, types: tuple[int, ...], engine: str = "kzmitm") -> TLSObservation:
    return TLSObservation(
        endpoint=Endpoint("192.0.2.1", 443),
        sni="a.test",
        hello=Hello("small", engine),
        version=version,
        cipher_suite=suite,
        server_extensions=types,
    )


@pytest.mark.parametrize(
    ("observation", "text", "digest"),
    [
        (
            seen("TLS_AES_128_GCM_SHA256", "TLSv1.3", (43, 51, 0, 16)),
            "771,4865,43-51",
            "f4febc55ea12b31ae17cfb7e614afda8",
        ),
        (
            seen("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLSv1.2", (65281, 0, 11, 35, 16, 23)),
            "771,49199,65281-0-11-35-16-23",
            "00447ab319e9d94ba2b4c1248e155917",
        ),
        (
            seen("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLSv1.2", (65281, 0, 11, 16, 23)),
            "771,49199,65281-0-11-16-23",
            "5d79edf64e03689ff559a54e9d9487bc",
        ),
        (
            seen("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLSv1.2", (65281, 11, 35, 23)),
            "771,49199,65281-11-35-23",
            "1af33e1657631357c73119488045302c",
        ),
    ],
    ids=["1.3, nginx and openssl", "1.2, nginx with ticket", "1.2, nginx", "1.2, openssl"],
)
def test_ja3s_is_that_of_wireshark(observation: TLSObservation, text: str, digest: str):
    """The texts and digests are those that tshark 4.0.17 gave for a capture of the same handshakes."""
    assert ja3s_text(observation) == text
    assert ja3s(observation) == digest


def test_ja3s_of_odd_suites_and_old_versions():
    assert ja3s_text(seen("TLS_CIPHER_SUITE_UNKNOWN_4660", "TLSv1", ())) == "769,4660,"


@pytest.mark.parametrize(
    "observation",
    [
        seen("", "", ()),
        seen("TLS_AES_128_GCM_SHA256", "TLSv1.3", (), "openssl"),
        seen("NONE_OF_OURS", "TLSv1.2", ()),
        seen("TLS_AES_128_GCM_SHA256", "", ()),
    ],
    ids=["nothing", "openssl", "suite", "version"],
)
def test_ja3s_is_not_told_without_a_server_hello_of_our_own_reading(observation: TLSObservation):
    assert ja3s(observation) is None


@pytest.mark.parametrize(("name", "most"), [("tls11", 200), ("tls12", 517), ("ech", 600)])
def test_more_profiles_leave_in_one_segment(name: str, most: int):
    driver = client(name, sni="www.example.test")
    (segment,) = driver.start()
    assert len(segment) <= most
    assert observe(driver).hello.profile == name
