"""Servers that break the rules of records, or any limit: each ends at once with the right failure."""

import tracemalloc

import pytest
from forged_server import (
    certificate12,
    client,
    handshake,
    hello12,
    message,
    record,
    seeded,
    u16,
    vec,
)
from refusals import DONE, ECDHE_SUITE, LEAF, RSA_SUITE, ending, refused
from wire_support import observe

from kzmitm.wire import limits

# What is not TLS


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00" * 20,
        b"\x16\x02\x00\x00\x01\x00",
        b"\xff" * 100,
    ],
)
def test_other_protocols_are_kept_to_be_told_by(answer):
    seen = refused(answer, detail="what came is not TLS", alert=10)
    assert seen.first_bytes == answer[:64]
    assert seen.version == ""


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"HT", "ssl_failed_handshake"),
        (b"\x16", "eof_error"),
        (b"\x16\x03\x03", "eof_error"),
        (b"\x16\x09", "ssl_failed_handshake"),
        (b"", "eof_error"),
    ],
)
def test_a_short_answer_and_theending(answer, failure):
    driver = client()
    driver.receive(answer, 0.0)
    driver.receive_eof(1.0)
    seen = observe(driver)
    assert seen.failure == failure
    assert seen.first_bytes == (answer if failure == "ssl_failed_handshake" else b"")


def test_our_own_hello_echoed():
    driver = client(rng=seeded())
    driver.receive(b"".join(driver.start()), 0.0)
    seen = observe(driver)
    assert seen.failure == "ssl_failed_handshake"
    assert "client_hello" in seen.detail
    assert seen.first_bytes.startswith(b"\x16\x03\x01")


@pytest.mark.parametrize("failure", ["connection_reset", "generic_timeout_error"])
def test_silence_and_resets_are_the_callers_to_tell(failure):
    driver = client()
    driver.fail(failure, 1.0, "why")
    assert (observe(driver).failure, observe(driver).detail) == (failure, "why")


# Alerts


@pytest.mark.parametrize(
    ("level", "description", "failure", "words"),
    [
        (2, 40, "ssl_failed_handshake", "handshake_failure"),
        (2, 112, "ssl_invalid_hostname", "unrecognized_name"),
        (2, 201, "ssl_failed_handshake", "alert 201 (unknown)"),
        (7, 40, "ssl_failed_handshake", "level 7"),
        (1, 0, "eof_error", "close_notify"),
        (2, 0, "eof_error", "close_notify"),
    ],
)
def test_alerts_that_end_it(level, description, failure, words):
    seen, said = ending(record(21, bytes((level, description))))
    assert seen.failure == failure
    assert words in seen.detail
    assert [(a.level, a.description, a.sent) for a in seen.alerts] == [(level, description, False)]
    assert said == b""


def test_a_warning_is_passed_over_but_not_a_storm_of_them():
    warning = record(21, b"\x01\x70")
    seen, _ = ending(warning, handshake(hello12(RSA_SUITE), certificate12(LEAF), DONE))
    assert seen.failure is None
    assert [a.description for a in seen.alerts] == [112, 90, 0]
    seen = refused(record(21, b"\x01\x64") * 1000, detail="warning alerts", alert=10)
    assert len(seen.alerts) == limits.MAX_WARNINGS + 2


def test_an_alert_of_another_size():
    refused(record(21, b"\x02"), detail="two octets", alert=50)


# Records


def test_endless_and_odd_records():
    refused(b"\x16\x03\x03" + u16(20000), detail="20000 octets", alert=22)
    refused(
        handshake(hello12()[:-1]), b"\x16\x03\x03\x41\x00" + bytes(16640), detail="16640 octets", alert=22
    )
    refused(record(22, b"") * 33, detail="empty records", alert=10)
    refused(record(23, b"x"), detail="type 23", alert=10)
    refused(record(20, b"\x01") * 40, detail="ChangeCipherSpec", alert=10)
    refused(record(20, b"\x02"), detail="ChangeCipherSpec", alert=10)


def test_a_change_of_cipher_before_the_keys_is_refused_up_to_tls12():
    ccs = record(20, b"\x01")
    refused(handshake(hello12()) + ccs, detail="ChangeCipherSpec", alert=10)
    refused(ccs + handshake(hello12()), detail="does not fit", alert=47)


def test_empty_records_and_many_small_ones_are_bounded():
    fragments = (
        record(22, b"\x02") + record(22, b"\x00\xff\xff") + record(22, b"x") * (limits.MAX_RECORDS + 1)
    )
    refused(fragments, detail=f"more than {limits.MAX_RECORDS} records", alert=10)


def test_octets_are_bounded():
    driver = client(rng=seeded())
    driver.receive(handshake(hello12(ECDHE_SUITE)), 0.0)
    driver.receive(message(11, b"")[:1] + b"", 0.0)
    big = message(11, bytes(limits.MAX_CERTIFICATE_MESSAGE))
    for start in range(0, len(big), 16000):
        driver.receive(record(22, big[start : start + 16000]), 0.0)
    assert driver.done
    chatty = client(rng=seeded())
    chatty.receive(handshake(hello12(ECDHE_SUITE)), 0.0)
    for _ in range(200):
        chatty.receive(b"\x15\x03\x03\x40\x00" + bytes(8000), 0.0)
    assert "alert is not of two octets" in observe(chatty).detail


def test_more_than_a_million_octets_end_it():
    """A whole server flight at the limits, and then more of it than anybody needs."""
    driver = client(rng=seeded())
    seen, _ = ending(b"\x16\x03\x03\x40\x00" + bytes(limits.MAX_RECEIVED))
    assert seen.failure == "ssl_failed_handshake"
    quiet = record(22, b"\x02") + record(22, b"\x00\xff\xff")
    driver.receive(quiet, 0.0)
    data = record(22, bytes(60)) * 1000 + b"\x16"
    driver.receive(data, 0.0)
    driver._reader._received = limits.MAX_RECEIVED - 1
    driver.receive(b"\x03\x03", 0.0)
    assert f"more than {limits.MAX_RECEIVED} octets" in observe(driver).detail


def test_a_certificate_message_of_16_mb_costs_little_and_keeps_what_fitted():
    tracemalloc.start()
    driver = client(rng=seeded())
    driver.receive(handshake(hello12(ECDHE_SUITE)), 0.0)
    entry = vec(bytes(2000), 3)
    head = b"\x0b\xff\xff\xff" + b"\xff\xff\xfc"
    driver.receive(record(22, head), 0.0)
    count = 0
    while not driver.done:
        driver.receive(record(22, entry * 8), 0.0)
        count += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    seen = observe(driver)
    assert count < 20
    assert peak < 4 << 20
    assert seen.failure == "ssl_failed_handshake"
    assert "16777219 octets" in seen.detail or "16777215 octets" in seen.detail
    assert seen.chain_truncated is True
    assert seen.presented_chain == (bytes(2000),) * limits.MAX_CERTIFICATES
    assert (seen.version, seen.cipher_suite) == ("TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")


def test_ten_thousand_certificates_end_soon():
    driver = client(rng=seeded())
    driver.receive(handshake(hello12(RSA_SUITE)), 0.0)
    data = certificate12(*[b"cert"] * 10000) + DONE
    for start in range(0, len(data), 16384):
        driver.receive(record(22, data[start : start + 16384]), 0.0)
    seen = observe(driver)
    assert seen.failure is None
    assert seen.chain_truncated is True
    assert len(seen.presented_chain) == limits.MAX_CERTIFICATES


def test_a_certificate_message_of_exactly_the_limit_is_read():
    size = limits.MAX_CERTIFICATE_MESSAGE - 6
    data = certificate12(bytes(size)) + DONE
    driver = client(rng=seeded())
    driver.receive(handshake(hello12(RSA_SUITE)), 0.0)
    for start in range(0, len(data), 16384):
        driver.receive(record(22, data[start : start + 16384]), 0.0)
    seen = observe(driver)
    assert seen.failure is None
    assert seen.presented_chain == (bytes(size),)


@pytest.mark.parametrize(("kind", "size"), [(2, limits.MAX_MESSAGE + 1)])
def test_other_messages_are_smaller(kind, size):
    refused(record(22, bytes((kind,)) + size.to_bytes(3, "big")), detail=f"{size} octets", alert=47)


def test_a_certificate_request_has_a_limit_of_its_own():
    start = handshake(hello12(RSA_SUITE), certificate12(LEAF))
    refused(start, record(22, b"\x0d\x02\x00\x01"), detail="certificate_request of 131073", alert=47)
    names = vec(b"", 1) + vec(b"", 2) + vec(bytes(65000), 2)
    request = message(13, names) + DONE
    seen, _ = ending(start, *(record(22, request[i : i + 16000]) for i in range(0, len(request), 16000)))
    assert seen.failure is None
    assert seen.client_certificate_requested is True
