"""ServerHellos and flights up to TLS 1.2 that break the rules; what was learnt before is kept."""

import pytest
from forged_server import (
    certificate12,
    client,
    extension,
    handshake,
    hello12,
    message,
    record,
    seeded,
    u16,
    vec,
)
from refusals import DHE_SUITE, DONE, ECDHE_SUITE, LEAF, RSA_SUITE, ending, refused
from wire_support import observe

# ServerHello


@pytest.mark.parametrize(
    ("hello", "detail"),
    [
        (hello12(0x1234), "was not offered"),
        (hello12(0x00FF), "TLS_CIPHER_SUITE_UNKNOWN_255 is no suite of TLSv1.2"),
        (hello12(0x1301), "TLS_AES_128_GCM_SHA256 is no suite of TLSv1.2"),
        (hello12(version=0x0300), "SSLv3 was not offered"),
        (hello12(version=0x0304), "is no suite of TLSv1.3"),
        (hello12(version=0x9999), "TLS_VERSION_UNKNOWN_39321"),
        (hello12(compression=1), "compresses"),
        (hello12(session_id=bytes(33)), "long session id"),
        (hello12(ECDHE_SUITE, extension(23, b""), extension(23, b"")), "came twice"),
        (hello12(ECDHE_SUITE, extension(16, b"\x00\x03\x01xy")), "left behind"),
        (message(2, hello12()[4:30]), "longer than its message"),
        (message(2, hello12()[4:-2]), "cut off"),
        (message(2, hello12()[4:-1]), "cut off"),
        (message(2, hello12()[4:] + b"\x00\x01\x00"), "an extension is cut off"),
        (message(2, hello12()[4:] + b"\x00\x04\x00\x17\x00\x09"), "longer than its block"),
        (message(2, hello12()[4:] + b"\x00"), "longer than its message"),
        (message(2, b""), "cut off"),
        (message(3, b""), "hello_verify_request has no place"),
        (message(77, b""), "message of type 77 has no place"),
        (certificate12(LEAF), "certificate has no place"),
    ],
)
def test_bad_hellos(hello, detail):
    seen = refused(handshake(hello), detail=detail)
    assert seen.presented_chain == ()


PUT_UP_WITH = {
    "extension 99 was not asked for": hello12(RSA_SUITE, extension(99, b"")),
    "extension 51 was not asked for": hello12(RSA_SUITE, extension(51, b""), extension(98, b"")),
    "protocol was not offered": hello12(RSA_SUITE, extension(16, b"\x00\x03\x02xy")),
    "suite TLS_RSA_WITH_RC4_128_SHA was not offered": hello12(0x0005),
    "suite TLS_RSA_WITH_RC4_128_MD5 was not offered": hello12(0x0004, extension(99, b"")),
}


@pytest.mark.parametrize("detail", PUT_UP_WITH)
def test_a_careless_hello_fails_at_the_end_but_shows_its_chain(detail):
    seen = refused(handshake(PUT_UP_WITH[detail], certificate12(LEAF), DONE), detail=detail)
    assert seen.presented_chain == (LEAF,)
    assert seen.version == "TLSv1.2"
    assert seen.alerts[-1].sent


def test_a_careless_hello_and_then_nothing_tells_both():
    for answer, failure in ((b"", "eof_error"), (record(21, b"\x02\x28"), "ssl_failed_handshake")):
        driver = client(rng=seeded())
        driver.receive(handshake(hello12(RSA_SUITE, extension(99, b""))) + answer, 0.0)
        driver.receive_eof(1.0)
        seen = observe(driver)
        assert seen.failure == failure
        assert seen.detail.endswith("; extension 99 was not asked for")


def test_a_version_that_was_not_offered_fails_at_the_end_but_shows_its_chain():
    flight = handshake(hello12(RSA_SUITE, version=0x0302), certificate12(LEAF), DONE)
    seen = refused(flight, detail="TLSv1.1 was not offered", alert=70, profile="legacy")
    assert (seen.presented_chain, seen.version) == ((LEAF,), "TLSv1.1")
    seen, _ = ending(handshake(hello12(RSA_SUITE, version=0x0302)), profile="browser")
    assert seen.failure is None


def test_a_name_that_was_not_sent_is_not_acknowledged():
    flight = handshake(hello12(RSA_SUITE, extension(0, b"")), certificate12(LEAF), DONE)
    refused(flight, detail="extension 0 was not asked for", alert=110, sni=None)
    seen, _ = ending(flight)
    assert seen.failure is None
    assert seen.server_extensions == (0,)


@pytest.mark.parametrize(
    ("mark", "spoken", "version"), [(1, "TLS 1.3", 0x0303), (0, "TLS 1.2", 0x0302), (0, "TLS 1.2", 0x0301)]
)
def test_the_downgrade_sentinel_is_told(mark, spoken, version):
    hello = hello12(RSA_SUITE, version=version, server_random=bytes(24) + b"DOWNGRD" + bytes((mark,)))
    seen, _ = ending(handshake(hello, certificate12(LEAF), DONE))
    assert seen.failure is None
    assert seen.detail == f"downgrade sentinel: the server speaks {spoken}"
    assert ending(handshake(hello12(RSA_SUITE), certificate12(LEAF), DONE))[0].detail == ""


def test_the_sentinel_is_nothing_to_a_client_that_offers_no_more():
    hello = hello12(RSA_SUITE, version=0x0301, server_random=bytes(24) + b"DOWNGRD\x00")
    assert ending(handshake(hello, certificate12(LEAF), DONE), profile="legacy")[0].detail == ""


# The flight of TLS 1.0 to 1.2

ECDHE_PARAMETERS = b"\x03\x00\x17" + vec(bytes(65), 1)
BAD_SIGNATURE = u16(0x0804) + vec(bytes(256), 2)


@pytest.mark.parametrize(
    ("suite", "flight", "detail"),
    [
        (RSA_SUITE, [message(11, b"\x00\x00\x00")], "is empty"),
        (RSA_SUITE, [message(11, vec(vec(b"", 3), 3))], "a certificate is empty"),
        (RSA_SUITE, [message(11, b"")], "does not fill"),
        (RSA_SUITE, [certificate12(LEAF), message(12, b"")], "server_key_exchange has no place"),
        (RSA_SUITE, [certificate12(LEAF), message(22, b"\x01\x00\x00\x00")], "not announced"),
        (RSA_SUITE, [certificate12(LEAF), message(14, b"x")], "not empty"),
        (RSA_SUITE, [certificate12(LEAF), message(13, b"\x00\x00\x00\x00\x00\x00")], "left behind"),
        (ECDHE_SUITE, [certificate12(LEAF), DONE], "server_hello_done has no place"),
        (ECDHE_SUITE, [certificate12(LEAF), message(13, b"")], "certificate_request has no place"),
        (ECDHE_SUITE, [certificate12(LEAF), message(12, b"\x03")], "no name"),
        (ECDHE_SUITE, [certificate12(LEAF), message(12, b"\x01" + bytes(80))], "no name"),
        (
            ECDHE_SUITE,
            [certificate12(LEAF), message(12, b"\x03\x00\x1e" + bytes(80))],
            "x448 was not offered",
        ),
        (
            ECDHE_SUITE,
            [certificate12(LEAF), message(12, b"\x03\x77\x77" + bytes(80))],
            "0x7777 was not offered",
        ),
        (ECDHE_SUITE, [certificate12(LEAF), message(12, b"\x03\x00\x17\xff")], "longer than its message"),
        (ECDHE_SUITE, [certificate12(LEAF), message(12, ECDHE_PARAMETERS)], "a number is cut off"),
        (
            ECDHE_SUITE,
            [certificate12(LEAF), message(12, ECDHE_PARAMETERS + b"\x08\x04\x00\x00x")],
            "left behind",
        ),
        (
            DHE_SUITE,
            [certificate12(LEAF), message(12, vec(b"p", 2) + vec(b"g", 2))],
            "longer than its message",
        ),
        (RSA_SUITE, [message(0, b"")] * 5, "HelloRequests"),
        (RSA_SUITE, [certificate12(LEAF), certificate12(LEAF)], "certificate has no place"),
        (RSA_SUITE, [message(20, b"")], "finished has no place"),
    ],
)
def test_bad_flights_keep_what_came_before(suite, flight, detail):
    seen = refused(handshake(hello12(suite)), *map(handshake, flight), detail=detail)
    assert seen.version == "TLSv1.2"
    assert seen.cipher_suite.startswith("TLS_")
    assert seen.presented_chain == ((LEAF,) if flight[0] == certificate12(LEAF) else ())


def test_a_chain_with_a_bad_end_keeps_its_beginning():
    entries = vec(LEAF, 3) + vec(b"second", 3) + b"\x00\x10\x00short"
    seen = refused(handshake(hello12(), message(11, vec(entries, 3))), detail="longer than its message")
    assert seen.presented_chain == (LEAF, b"second")
    seen = refused(handshake(hello12(), message(11, vec(vec(LEAF, 3), 3) + b"more")), detail="does not fill")
    assert seen.presented_chain == (LEAF,)


@pytest.mark.parametrize(
    ("octets", "kept", "truncated"), [(5041, 2, True), (128, 1, True), (20, 0, True), (7, 0, False)]
)
def test_a_chain_cut_off_in_the_middle_of_a_record_keeps_its_beginning(octets, kept, truncated):
    chain = (LEAF, b"x" * 5000, b"y" * 5000)
    driver = client(rng=seeded())
    driver.receive(handshake(hello12()), 0.0)
    driver.receive(handshake(certificate12(*chain))[:octets], 0.0)
    driver.fail("connection_reset", 1.0)
    seen = observe(driver)
    assert seen.presented_chain == chain[:kept]
    assert seen.chain_truncated is truncated
    assert seen.failure == "connection_reset"


@pytest.mark.parametrize(
    ("entries", "declared", "truncated"),
    [
        (vec(LEAF, 3) + b"\x00\x00\x00" + vec(b"issuer", 3), 0, True),
        (vec(LEAF, 3) + b"\x00\x01\x00issuer", 0, True),
        (vec(LEAF, 3), 9, True),
        (vec(LEAF, 3) + vec(b"issuer", 3), -1, True),
        (vec(LEAF, 3) + vec(b"issuer", 3), -9, False),
        (b"\x00\x00\x00" + vec(LEAF, 3), 0, False),
    ],
    ids=["empty entry", "long entry", "more declared", "less declared", "one not declared", "nothing kept"],
)
def test_a_chain_with_a_fault_in_the_middle_is_told_to_be_a_part(entries, declared, truncated):
    """Its issuer was sent and could not be read: a genuine leaf must not look like a forged one."""
    length = (len(entries) + declared).to_bytes(3, "big")
    seen, _ = ending(handshake(hello12(), message(11, length + entries)))
    assert (seen.failure, seen.chain_truncated) == ("ssl_failed_handshake", truncated)


def test_an_alert_behind_the_chain_keeps_the_chain():
    seen, _ = ending(handshake(hello12(), certificate12(LEAF)), record(21, b"\x02\x28"))
    assert (seen.failure, seen.presented_chain) == ("ssl_failed_handshake", (LEAF,))


def test_a_signature_of_an_unreadable_key_is_neither_true_nor_false():
    exchange = message(12, ECDHE_PARAMETERS + BAD_SIGNATURE)
    seen, _ = ending(handshake(hello12(), certificate12(LEAF), exchange, DONE))
    assert seen.failure is None
    assert seen.proof.verified is None
    assert seen.presented_chain == (LEAF,)


def test_a_wrong_signature_fails_the_handshake_and_is_kept(identity):
    leaf = identity("rsa").chain[0]
    exchange = message(12, ECDHE_PARAMETERS + BAD_SIGNATURE)
    seen = refused(
        handshake(hello12(), certificate12(leaf), exchange, DONE), detail="does not verify", alert=51
    )
    assert seen.proof.verified is False
    assert seen.presented_chain == (leaf,)


def test_a_staple_of_tls12():
    hello = hello12(RSA_SUITE, extension(5, b""))
    status = message(22, b"\x01" + vec(b"response", 3))
    seen, _ = ending(handshake(hello, certificate12(LEAF), status, DONE))
    assert seen.ocsp_staple == b"response"
    refused(handshake(hello, certificate12(LEAF), status, status), detail="certificate_status has no place")
    refused(handshake(hello, certificate12(LEAF), message(22, b"\x02\x00\x00\x00")), detail="unknown type")
    refused(handshake(hello, certificate12(LEAF), message(22, b"")), detail="unknown type")
