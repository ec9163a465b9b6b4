"""Flights of TLS 1.3 that break the rules, under the right keys."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from forged_server import (
    EMPTY_EXTENSIONS,
    RETRY,
    SERVER_RANDOM,
    Forger13,
    certificate13,
    client,
    extension,
    handshake,
    hello12,
    message,
    record,
    seeded,
    server_hello,
    u16,
    vec,
)
from refusals import LEAF, RSA_SUITE
from wire_support import observe

from kzmitm.model.observation import Split
from kzmitm.wire.client import TLSClient
from kzmitm.wire.keyshare import X25519Share, generate_share
from kzmitm.wire.profiles import GREASE, HelloProfile

# TLS 1.3


def _forged(suite: int = 0x1301, profile: str = "small"):
    driver = client(profile, rng=seeded())
    driver.start()
    forger = Forger13(driver, suite)
    driver.receive(forger.open(), 0.0)
    assert not driver.done
    return driver, forger


def _refused13(forge, detail: str, alert: int | None = None):
    """What becomes of a flight that `forge` makes of a forger, record by record."""
    driver, forger = _forged()
    said = b"".join(driver.receive(data, 0.0) for data in forge(forger))
    seen = observe(driver)
    assert seen.failure == "ssl_failed_handshake"
    assert detail in seen.detail
    assert (seen.version, seen.cipher_suite) == ("TLSv1.3", "TLS_AES_128_GCM_SHA256")
    assert said.startswith(b"\x14\x03\x03\x00\x01\x01\x17\x03\x03")
    if alert is not None:
        assert forger.client.open(said[6:11], said[11:]) == (21, bytes((2, alert)))
    return seen


def test_a_chain_with_an_odd_status_in_the_middle_is_told_to_be_a_part():
    entry = certificate13(LEAF, b"issuer", extra=[extension(5, b"\x03")])
    seen = _refused13(lambda f: [f.say(EMPTY_EXTENSIONS, entry)], "unknown type", 50)
    assert (seen.presented_chain, seen.chain_truncated) == ((LEAF,), True)


REQUEST = message(13, b"\x00" + vec(extension(13, u16(0x0804)), 2))


@pytest.mark.parametrize(
    ("forge", "detail", "alert"),
    [
        (lambda _: [record(23, bytes(40))], "does not decrypt", 20),
        (lambda _: [record(23, b"short")], "does not decrypt", 20),
        (lambda _: [handshake(EMPTY_EXTENSIONS)], "type 22 has no place", 10),
        (lambda f: [f.say(b"\x01", kind=20)], "type 20 has no place", 10),
        (lambda f: [f.say(b"data", kind=23)], "type 23 has no place", 10),
        (lambda f: [f.say(b"", kind=0)], "nothing but padding", 10),
        (lambda f: [f.say(message(0, b""))], "hello_request has no place", 10),
        (lambda f: [f.say(certificate13(LEAF))], "certificate has no place", 10),
        (lambda f: [f.say(message(8, b""))], "longer than its message", 50),
        (
            lambda f: [f.say(EMPTY_EXTENSIONS), f.say(message(25, b"x"))],
            "compressed_certificate has no place",
            10,
        ),
        (
            lambda f: [f.say(EMPTY_EXTENSIONS), f.say(certificate13(LEAF, context=b"c"))],
            "request context",
            50,
        ),
        (lambda f: [f.say(EMPTY_EXTENSIONS), f.say(certificate13())], "is empty", 50),
        (lambda f: [f.say(EMPTY_EXTENSIONS, REQUEST, REQUEST)], "certificate_request has no place", 10),
        (lambda f: [f.say(EMPTY_EXTENSIONS, message(13, b"\x00\x00\x02\x00\x00"))], "is cut off", 50),
        (
            lambda f: [f.say(EMPTY_EXTENSIONS, certificate13(LEAF, extra=[extension(5, b"\x03")]))],
            "unknown type",
            50,
        ),
        (
            lambda f: [f.say(EMPTY_EXTENSIONS, certificate13(LEAF), message(20, bytes(32)))],
            "finished has no place",
            10,
        ),
        (lambda f: [f.say(EMPTY_EXTENSIONS, certificate13(LEAF), message(15, b"\x08"))], "cut off", 50),
        (
            lambda f: [f.say(EMPTY_EXTENSIONS, certificate13(LEAF), message(15, u16(0x0804) + b"\x00\x09x"))],
            "longer",
            50,
        ),
        (lambda f: [f.say(b"\x01", kind=21)], "two octets", 50),
        (lambda f: [f.say(b"\x01\x5a", kind=21) for _ in range(6)], "warning alerts", 10),
        (lambda f: [f.say(b"", kind=22) for _ in range(40)], "empty records", 10),
        (lambda _: [b"\x17\x03\x03" + u16(16641)], "16641 octets", 22),
    ],
)
def test_bad_flights_of_tls13(forge, detail, alert):
    _refused13(forge, detail, alert)


PUT_UP_WITH = {
    "extension 99 was not asked for": extension(99, b""),
    "extension 51 was not asked for": extension(51, b""),
    "protocol was not offered": extension(16, b"\x00\x03\x02xy"),
}


@pytest.mark.parametrize("detail", PUT_UP_WITH)
def test_careless_extensions_fail_at_the_end_but_show_the_chain(identity, detail):
    who = identity("ed25519")
    driver, forger = _forged()
    flight = forger.say(
        message(8, vec(PUT_UP_WITH[detail], 2)), certificate13(*who.chain, extra=[extension(9, b"")])
    )
    signature = who.key.sign(forger.signed())
    driver.receive(flight + forger.say(message(15, u16(0x0807) + vec(signature, 2))), 0.0)
    seen = observe(driver)
    assert seen.failure == "ssl_failed_handshake"
    assert detail in seen.detail
    assert seen.presented_chain == who.chain
    assert seen.proof.verified is True


def test_a_suite_that_was_not_offered_but_is_spoken(identity):
    profile = HelloProfile(
        name="one",
        cipher_suites=(0x1301,),
        extensions=(10, 43, 51),
        groups=(0x1D,),
        key_shares=(0x1D,),
        versions=(0x0304,),
    )
    driver = TLSClient(sni=None, profile=profile, rng=seeded())
    forger = Forger13(driver, 0x1303)
    driver.receive(forger.open(), 0.0)
    who = identity("ed25519")
    flight = forger.say(EMPTY_EXTENSIONS, certificate13(*who.chain))
    driver.receive(flight + forger.say(message(15, u16(0x0807) + vec(who.key.sign(forger.signed()), 2))), 0.0)
    assert "TLS_CHACHA20_POLY1305_SHA256 was not offered" in observe(driver).detail
    assert observe(driver).presented_chain == who.chain


def test_a_plaintext_beyond_the_limit():
    seen = _refused13(lambda f: [f.say(bytes(16385))], "octets", 22)
    assert seen.presented_chain == ()


def test_alerts_of_tls13_end_it_whatever_their_level():
    for level, description, failure in (
        (1, 112, "ssl_invalid_hostname"),
        (1, 40, "ssl_failed_handshake"),
        (1, 0, "eof_error"),
    ):
        driver, forger = _forged()
        driver.receive(forger.say(bytes((level, description)), kind=21), 0.0)
        assert observe(driver).failure == failure


def test_padding_and_plain_change_cipher_specs_are_passed_over():
    driver, forger = _forged()
    driver.receive(record(20, b"\x01"), 0.0)
    sealed = forger.server.seal(0, EMPTY_EXTENSIONS + b"\x16" + bytes(99))
    driver.receive(sealed, 0.0)
    assert not driver.done
    assert 11 in driver._session.expected


@pytest.mark.parametrize("suite", [0x1301, 0x1302, 0x1303])
def test_a_forged_flight_with_a_true_signature(identity, suite):
    who = identity("p256")
    driver, forger = _forged(suite)
    staple = extension(5, b"\x01" + vec(b"staple", 3))
    flight = forger.say(
        EMPTY_EXTENSIONS, REQUEST, certificate13(*who.chain, b"odd", extra=[staple, extension(18, b"")])
    )
    signature = who.key.sign(forger.signed(), ec.ECDSA(hashes.SHA256()))
    flight += forger.say(message(15, u16(0x0403) + vec(signature, 2)))
    driver.receive(flight, 0.0)
    seen = observe(driver)
    assert seen.failure is None
    assert seen.presented_chain == (*who.chain, b"odd")
    assert seen.ocsp_staple == b"staple"
    assert seen.client_certificate_requested is True
    assert seen.proof.verified is True
    assert seen.proof.server_random == SERVER_RANDOM


@pytest.mark.parametrize(
    ("scheme", "verified"), [(0x0403, False), (0x0503, False), (0x0401, False), (0x0804, False)]
)
def test_a_forged_flight_with_a_wrong_signature(identity, scheme, verified):
    who = identity("p256")
    driver, forger = _forged()
    flight = forger.say(EMPTY_EXTENSIONS, certificate13(*who.chain))
    flight += forger.say(message(15, u16(scheme) + vec(b"signature", 2)))
    driver.receive(flight, 0.0)
    seen = observe(driver)
    assert (seen.failure, seen.proof.verified) == ("ssl_failed_handshake", verified)
    assert seen.proof.scheme == scheme
    assert seen.presented_chain == who.chain


def test_a_scheme_that_was_not_offered_is_refused_even_with_a_true_signature(identity):
    who = identity("p521")
    driver, forger = _forged(profile="browser")
    flight = forger.say(EMPTY_EXTENSIONS, certificate13(*who.chain))
    signature = who.key.sign(forger.signed(), ec.ECDSA(hashes.SHA512()))
    driver.receive(flight + forger.say(message(15, u16(0x0603) + vec(signature, 2))), 0.0)
    seen = observe(driver)
    assert seen.failure == "ssl_failed_handshake"
    assert "0x0603 was not offered" in seen.detail
    assert seen.proof.verified is True


def _hello13(driver, *extensions: bytes, suite=0x1301, **keywords):
    keywords.setdefault("session_id", driver._hello.session_id)
    return server_hello(suite, *extensions, **keywords)


V13 = extension(43, u16(0x0304))


@pytest.mark.parametrize(
    ("extensions", "keywords", "detail"),
    [
        ([V13], {}, "no key share"),
        ([V13, extension(51, b"")], {}, "cut off"),
        ([V13, extension(51, u16(0x17) + vec(bytes(65), 2))], {}, "secp256r1, not ours"),
        ([V13, extension(51, u16(0x1D) + vec(bytes(31), 2))], {}, "not a valid one"),
        ([V13, extension(51, u16(0x1D) + vec(bytes(32), 2))], {}, "not a valid one"),
        ([V13, extension(51, u16(0x1D) + vec(bytes(32), 2) + b"x")], {}, "left behind"),
        ([V13, extension(0, b"")], {}, "of another message"),
        ([extension(43, u16(0x0303))], {}, "selected version 0x0303"),
        ([extension(43, b"\x04")], {}, "selected version"),
        ([V13], {"suite": 0xC02F}, "none of TLS 1.3"),
        ([V13], {"session_id": b"other"}, "echo our session id"),
        ([V13], {"version": 0x0302}, "echo our session id"),
        ([V13], {"server_random": RETRY}, "asks for nothing"),
        ([V13, extension(51, u16(0x1D))], {"server_random": RETRY}, "x25519, wrongly"),
        ([V13, extension(51, u16(0x1E))], {"server_random": RETRY}, "x448, wrongly"),
        ([V13, extension(51, u16(0x17) + b"x")], {"server_random": RETRY}, "secp256r1, wrongly"),
        ([V13, extension(44, vec(b"", 2))], {"server_random": RETRY}, "a cookie of 0 octets"),
        ([V13, extension(44, vec(bytes(9000), 2))], {"server_random": RETRY}, "a cookie of 9000 octets"),
        ([V13, extension(44, b"\x00")], {"server_random": RETRY}, "longer"),
        ([V13, extension(16, b"")], {"server_random": RETRY}, "of another message"),
    ],
)
def test_bad_hellos_of_tls13(extensions, keywords, detail):
    driver = client(rng=seeded())
    driver.receive(handshake(_hello13(driver, *extensions, **keywords)), 0.0)
    seen = observe(driver)
    assert seen.failure == "ssl_failed_handshake"
    assert detail in seen.detail


def test_tls13_is_not_for_a_client_that_does_not_offer_it():
    driver = client("legacy", rng=seeded())
    driver.receive(handshake(_hello13(driver, V13, suite=RSA_SUITE)), 0.0)
    assert "selected version 0x0304" in observe(driver).detail


def test_octets_behind_a_hello_in_its_record_arerefused():
    driver = client(rng=seeded())
    forger = Forger13(driver)
    driver.receive(handshake(forger.hello, EMPTY_EXTENSIONS), 0.0)
    assert "octets follow" in observe(driver).detail


# HelloRetryRequest


def _retry(driver, *extensions: bytes, **keywords):
    return handshake(_hello13(driver, V13, *extensions, server_random=RETRY, **keywords))


def test_a_cookie_comes_back_and_the_share_stays():
    driver = client(rng=seeded())
    first = b"".join(driver.start())
    second = driver.receive(_retry(driver, extension(44, vec(b"cookie", 2))), 0.0)
    assert second.startswith(b"\x14\x03\x03\x00\x01\x01\x16\x03\x01")
    assert extension(44, vec(b"cookie", 2)) in second
    assert second[6 + 11 : 6 + 43] == first[11:43]
    assert driver._hello.shares.keys() == {0x1D}
    forger = Forger13(driver)
    driver.receive(forger.open(), 0.0)
    driver.receive(forger.say(EMPTY_EXTENSIONS), 0.0)
    assert not driver.done


@pytest.mark.parametrize("group", [0x17, 0x18, 0x19])
def test_another_group_with_a_cookie(group):
    driver = client(rng=seeded(), split=Split.RECORDS)
    driver.start()
    second = driver.receive(_retry(driver, extension(51, u16(group)), extension(44, vec(b"c", 2))), 0.0)
    assert second
    forger = Forger13(driver, group=group)
    driver.receive(forger.open(), 0.0)
    said = driver.receive(forger.say(message(8, b"")), 0.0)
    # No second ChangeCipherSpec.
    assert said.startswith(b"\x17\x03\x03")


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (lambda d: _retry(d, extension(44, vec(b"c", 2))), "second HelloRetryRequest"),
        (lambda _: handshake(hello12()), "does not fit"),
        (lambda d: handshake(Forger13(d, 0x1302).hello), "not the one of the HelloRetryRequest"),
        (lambda _: handshake(message(2, b"")), "cut off"),
    ],
)
def test_after_a_retry(answer, detail):
    driver = client(rng=seeded())
    driver.receive(_retry(driver, extension(44, vec(b"cookie", 2))), 0.0)
    driver.receive(answer(driver), 0.0)
    assert detail in observe(driver).detail


def test_octets_behind_a_retry_arerefused():
    driver = client(rng=seeded())
    retry = _hello13(driver, V13, extension(44, vec(b"c", 2)), server_random=RETRY)
    driver.receive(handshake(retry, retry), 0.0)
    assert "octets follow" in observe(driver).detail


def test_a_retry_for_a_group_that_is_offered_but_not_spoken():
    profile = HelloProfile(
        name="odd",
        cipher_suites=(0x1301,),
        extensions=(10, 43, 51),
        groups=(GREASE, 0x1E, 0x1D),
        key_shares=(0x1D,),
        versions=(0x0304,),
        session_id_size=0,
    )
    driver = TLSClient(sni=None, profile=profile, rng=seeded())
    assert driver.receive(_retry(driver, extension(51, u16(0x1E))), 0.0)[:1] == b"\x15"
    assert "x448, wrongly" in observe(driver).detail
    plain = TLSClient(sni=None, profile=profile, rng=seeded())
    # Without a session id there is no ChangeCipherSpec (RFC 8446, D.4).
    assert plain.receive(_retry(plain, extension(44, vec(b"c", 2))), 0.0)[:1] == b"\x16"


def test_the_browser_hello_ignores_the_answer_to_its_grease():
    driver = client("browser", rng=seeded())
    driver.start()
    ech = driver._hello._values[4]
    answer = _retry(driver, extension(51, u16(0x17)), extension(0xFE0D, bytes(8)))
    assert ech in driver.receive(answer, 0.0)


def test_a_bad_hybrid_share():
    for body in (bytes(1120), bytes(10), bytes(1119)):
        driver = client("browser", rng=seeded())
        driver.receive(handshake(_hello13(driver, V13, extension(51, u16(0x11EC) + vec(body, 2)))), 0.0)
        assert "not a valid one" in observe(driver).detail


def test_a_hybrid_share_on_request():
    share = generate_share(0x11EC, seeded())
    peer = X25519Share(seeded(1))
    secret, ciphertext = MLKEM768PublicKey.from_public_bytes(share.public[:1184]).encapsulate()
    assert share.agree(ciphertext + peer.public) == secret + peer.agree(share.public[1184:])
    assert generate_share(0x1E, seeded()) is None


def test_bad_points():
    driver = client(rng=seeded())
    driver.receive(_retry(driver, extension(51, u16(0x17))), 0.0)
    driver.receive(
        handshake(_hello13(driver, V13, extension(51, u16(0x17) + vec(b"\x04" + bytes(64), 2)))), 0.0
    )
    assert "not a valid one" in observe(driver).detail
