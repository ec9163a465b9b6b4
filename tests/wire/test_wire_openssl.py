"""The second engine: the same observations from the same wrong answers."""

import dataclasses

import pytest
from forged_server import (
    MemoryServer,
    certificate12,
    client,
    converse,
    handshake,
    hello12,
    message,
    openssl_context,
    record,
)
from OpenSSL import SSL
from wire_support import NAME, observe

from kzmitm.errors import UsageError
from kzmitm.model.observation import Split
from kzmitm.wire import limits
from kzmitm.wire.openssl import OpenSSLClient
from kzmitm.wire.profiles import PROFILES, HelloProfile


def _openssl(profile: str = "small", **keywords) -> OpenSSLClient:
    keywords.setdefault("sni", NAME)
    return OpenSSLClient(profile=PROFILES[profile], **keywords)


WRONG_ANSWERS = {
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
    "garbage": (b"\xff" * 100,),
    "silence": (),
    "half a record": (b"\x16\x03\x03\x00\x50abc",),
    "handshake failure": (record(21, b"\x02\x28"),),
    "unknown alert": (record(21, b"\x02\xc8"),),
    "unrecognized name": (record(21, b"\x02\x70"),),
    "close": (record(21, b"\x01\x00"),),
    "warnings": (record(21, b"\x01\x70") * 50,),
    "unknown suite": (handshake(hello12(0x1234)),),
    "old version": (handshake(hello12(version=0x0300)),),
    "empty records": (record(22, b"") * 50,),
    "a certificate at once": (handshake(certificate12(b"x")),),
    "a finished at once": (handshake(message(20, b"")),),
    "hello and silence": (handshake(hello12()),),
    "warning, hello and silence": (record(21, b"\x01\x70"), handshake(hello12())),
    "hello and alert": (handshake(hello12()), record(21, b"\x02\x28")),
}


@pytest.mark.parametrize("case", WRONG_ANSWERS)
def test_both_engines_end_the_same(case):
    told = []
    for driver in (client(sni=NAME), _openssl()):
        driver.start()
        for answer in WRONG_ANSWERS[case]:
            driver.receive(answer, 0.0)
        driver.receive_eof(1.0)
        assert driver.done
        seen = observe(driver)
        received = [(a.level, a.description) for a in seen.alerts if not a.sent]
        told.append(
            (
                seen.failure,
                seen.version,
                seen.cipher_suite,
                seen.presented_chain,
                seen.first_bytes,
                received[:6],
            )
        )
    assert told[0] == told[1]
    assert told[0][0] in ("ssl_failed_handshake", "ssl_invalid_hostname", "eof_error")


def test_a_chain_is_kept_though_the_signature_is_wrong(identity):
    leaf = identity("rsa").chain[0]
    exchange = message(12, b"\x03\x00\x17\x41" + bytes(65) + b"\x08\x04\x01\x00" + bytes(256))
    flight = handshake(hello12(), certificate12(leaf), exchange, message(14, b""))
    told = []
    for driver in (client(sni=NAME), _openssl()):
        driver.start()
        driver.receive(flight, 0.0)
        seen = observe(driver)
        told.append((seen.failure, seen.presented_chain, seen.cipher_suite, seen.version))
        assert [a.sent for a in seen.alerts] == [True]
    assert told[0] == told[1]
    assert told[0][:2] == ("ssl_failed_handshake", (leaf,))


@pytest.mark.parametrize("version", [SSL.TLS1_VERSION, SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_one_octet_at_a_time_is_the_same(identity, version):
    """OpenSSL's randomness is its own, so the flights differ, and with them the hashes only."""
    told = []
    for size in (1, 1 << 20):
        driver = _openssl()
        server = MemoryServer(openssl_context(identity("long"), version=version, alpn=b"h2"))
        out = b"".join(driver.start())
        while not driver.done:
            flight = server.say(out)
            out = b"".join(driver.receive(flight[i : i + size], 0.0) for i in range(0, len(flight), size))
        told.append(dataclasses.replace(observe(driver)))
    assert told[0] == told[1]
    assert told[0].failure is None
    assert told[0].presented_chain == identity("long").chain


@pytest.mark.parametrize("split", Split)
@pytest.mark.parametrize("sni", [NAME, None, "UPPER.example.test", "\udcff\udcfe"])
def test_a_cut_hello_is_answered(identity, split, sni):
    driver = _openssl(sni=sni, split=split)
    segments = driver.start()
    assert len(segments) == (3 if split is Split.TCP else 1)
    server = MemoryServer(openssl_context(identity("rsa")))
    converse(driver, server)
    seen = observe(driver)
    assert seen.failure is None
    assert seen.hello.size == sum(map(len, segments))
    assert (seen.hello.engine, seen.hello.split) == ("openssl", split)
    wanted = None if sni is None else sni.encode("utf-8", "surrogateescape")
    assert server.connection.get_servername() == wanted


@pytest.mark.parametrize("sni", ["x" * 256, "a\x00b"])
def test_a_name_that_openssl_cannot_send(sni):
    with pytest.raises(UsageError):
        _openssl(sni=sni)


def test_no_protocols_and_no_modern_suites(identity):
    driver = _openssl("legacy", alpn=())
    converse(driver, MemoryServer(openssl_context(identity("rsa"))))
    seen = observe(driver)
    assert (seen.version, seen.cipher_suite, seen.alpn) == ("TLSv1", "TLS_RSA_WITH_AES_128_CBC_SHA", "")


def test_an_anonymous_server_presents_nothing(identity):
    """A suite that ours does not offer; there is no chain, and that is no failure."""
    context = openssl_context(identity("rsa"), version=SSL.TLS1_2_VERSION)
    context.set_cipher_list(b"AECDH-AES128-SHA:@SECLEVEL=0")
    driver = _openssl()
    converse(driver, MemoryServer(context))
    seen = observe(driver)
    assert (seen.failure, seen.presented_chain) == (None, ())
    assert seen.cipher_suite == "TLS_ECDH_anon_WITH_AES_128_CBC_SHA"


def test_octets_and_alerts_are_bounded():
    driver = _openssl()
    driver.receive(b"\x16\x03\x03\x40\x00", 0.0)
    driver._received = limits.MAX_RECEIVED
    driver.receive(b"x", 0.0)
    assert f"more than {limits.MAX_RECEIVED} octets" in observe(driver).detail
    busy = _openssl()
    for _ in range(100):
        busy.saw_alert(observe(_failed()).alerts[0])
    assert len(observe(busy).alerts) == 16


def _failed() -> OpenSSLClient:
    driver = _openssl()
    driver.receive(record(21, b"\x02\x28"), 0.0)
    return driver


def test_after_the_end_nothing_changes():
    driver = _failed()
    before = observe(driver)
    assert driver.receive(b"more", 1.0) == b""
    driver.receive_eof(1.0)
    driver.fail("connection_reset", 1.0)
    assert observe(driver) == before
    assert _openssl().receive(b"", 0.0) == b""


def test_a_profile_of_one_suite_each_leaves_openssl_its_own():
    for suites in ((0x1301,), (0x002F,), (0x7777,)):
        profile = HelloProfile(name="one", cipher_suites=suites, versions=(0x0304, 0x0303))
        assert OpenSSLClient(sni=None, profile=profile).start()
