"""Our client against OpenSSL's server in memory: what is observed, however the octets arrive."""

import dataclasses
import itertools

import pytest
from forged_server import MemoryServer, client, converse, openssl_context, seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from wire_support import NAME, observe

from kzmitm.model.observation import NetworkEvent, ProofKind, Split
from kzmitm.wire.openssl import OpenSSLClient
from kzmitm.wire.profiles import PROFILES
from kzmitm.wire.proof import verify_proof

V10, V11, V12, V13 = SSL.TLS1_VERSION, SSL.TLS1_1_VERSION, SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION


def _canned(identity, profile, version=V13, **keywords):
    """A client maker that always sends the same hello, and the flights that answer it."""

    def make(**more):
        return client(profile, sni=NAME, rng=seeded(), **keywords, **more)

    server = MemoryServer(openssl_context(identity, version=version, alpn=b"h2"))
    return make, [flight for flight in converse(make(), server) if flight]


def _feed(driver, chunks):
    driver.start()
    sent = b"".join(driver.receive(chunk, 0.0) for chunk in chunks)
    return sent, observe(driver)


@pytest.mark.parametrize(
    ("kind", "version", "scheme"),
    [
        ("rsa", V13, 0x0804),
        ("p256", V13, 0x0403),
        ("p384", V13, 0x0503),
        ("p521", V13, 0x0603),
        ("ed25519", V13, 0x0807),
        ("ed448", V13, 0x0808),
        ("rsa", V12, 0x0804),
        ("p256", V12, 0x0403),
        ("ed25519", V12, 0x0807),
        ("rsa", V11, 0xFF01),
        ("p256", V11, 0x0203),
        ("rsa", V10, 0xFF01),
        ("p256", V10, 0x0203),
    ],
)
def test_chain_and_signed_nonce(identity, kind, version, scheme):
    who = identity(kind)
    driver = client(sni=NAME)
    server = MemoryServer(openssl_context(who, version=version, alpn=b"h2"))
    converse(driver, server)
    seen = observe(driver)
    assert seen.failure is None
    assert seen.detail == ""
    assert seen.presented_chain == who.chain
    assert seen.alpn == "h2"
    assert seen.version == {V10: "TLSv1", V11: "TLSv1.1", V12: "TLSv1.2", V13: "TLSv1.3"}[version]
    proof = seen.proof
    assert proof is not None
    assert proof.kind is (ProofKind.TLS13 if version == V13 else ProofKind.TLS12)
    assert proof.scheme == scheme
    assert proof.verified is True
    assert verify_proof(proof, who.chain[0]) is True
    assert proof.client_random == driver._hello.random
    assert proof.server_random == server.connection.server_random()
    assert verify_proof(proof, identity("p384" if kind != "p384" else "rsa").chain[0]) is False


def test_the_server_takes_our_leave_for_a_close(identity):
    """A polite end: OpenSSL sees the peer close, no bad record and no unexpected message."""
    for version in (V10, V11, V12, V13):
        driver = client(sni=NAME)
        server = MemoryServer(openssl_context(identity("p256"), version=version))
        converse(driver, server)
        assert server.connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN
        assert isinstance(server.error, SSL.ZeroReturnError | SSL.SysCallError)
        assert [(a.level, a.description, a.sent) for a in observe(driver).alerts] == [
            (1, 90, True),
            (1, 0, True),
        ]


def test_the_hybrid_group_is_really_spoken(identity):
    driver = client("browser", sni=NAME)
    server = MemoryServer(openssl_context(identity("p256")))
    converse(driver, server)
    assert server.connection.get_group_name() == "X25519MLKEM768"
    assert observe(driver).proof.verified is True


def test_a_static_rsa_exchange_proves_nothing(identity):
    driver = client("legacy", sni=NAME)
    converse(driver, MemoryServer(openssl_context(identity("rsa"))))
    seen = observe(driver)
    assert (seen.version, seen.cipher_suite) == ("TLSv1", "TLS_RSA_WITH_AES_128_CBC_SHA")
    assert seen.failure is None
    assert seen.presented_chain == identity("rsa").chain
    assert seen.proof is None


FLIGHTS = [("rsa", "small", V13), ("p256", "browser", V13), ("long", "small", V13), ("rsa", "small", V12)]
FLIGHTS += [("p256", "small", V10), ("long", "legacy", V10)]


@pytest.mark.parametrize(("kind", "profile", "version"), FLIGHTS)
def test_one_octet_at_a_time_is_the_same(identity, kind, profile, version):
    make, flights = _canned(identity(kind), profile, version)
    whole = _feed(make(), flights)
    octets = (bytes((octet,)) for octet in b"".join(flights))
    assert _feed(make(), octets) == whole
    assert whole[1].failure is None


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 3000), max_size=12), which=st.integers(0, len(FLIGHTS) - 1))
def test_any_chunks_are_the_same(identity, cuts, which):
    kind, profile, version = FLIGHTS[which]
    make, flights = _remembered(identity, kind, profile, version)
    data = b"".join(flights)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    chunks = [data[a:b] for a, b in itertools.pairwise(edges)]
    assert _feed(make(), chunks) == _feed(make(), [data])


_CANNED = {}


def _remembered(identity, kind, profile, version):
    key = (kind, profile, version)
    if key not in _CANNED:
        _CANNED[key] = _canned(identity(kind), profile, version)
    return _CANNED[key]


@settings(max_examples=300, deadline=None)
@given(data=st.data(), which=st.integers(0, len(FLIGHTS) - 1), eof=st.booleans())
def test_mutated_flights_end_without_raising(identity, data, which, eof):
    make, flights = _remembered(identity, *FLIGHTS[which])
    flight = bytearray(b"".join(flights))
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, min(len(flight) - 1, 4000)))
        match data.draw(st.sampled_from("xid")):
            case "x":
                flight[place] = data.draw(st.integers(0, 255))
            case "i":
                flight[place:place] = data.draw(st.binary(max_size=8))
            case "d" if len(flight) > 64:
                del flight[place : place + data.draw(st.integers(1, 40))]
    driver = make()
    driver.receive(bytes(flight), 0.0)
    driver.receive_eof(1.0) if eof else driver.fail("generic_timeout_error", 1.0)
    seen = observe(driver)
    assert driver.done
    assert seen.failure in {
        None,
        "ssl_failed_handshake",
        "ssl_invalid_hostname",
        "eof_error",
        "generic_timeout_error",
    }
    if seen.failure is None:
        assert seen.proof is None or seen.proof.verified is not False
        assert seen.presented_chain


def test_records_of_one_octet_each(identity):
    """A fragmented flight: each octet of the handshake in a record of its own."""
    make, flights = _canned(identity("rsa"), "small", V12)
    data, payload = b"".join(flights), b""
    while data:
        size = int.from_bytes(data[3:5], "big")
        payload += data[5 : 5 + size]
        data = data[5 + size :]
    driver = make()
    driver.receive(b"".join(b"\x16\x03\x03\x00\x01" + bytes((octet,)) for octet in payload), 0.0)
    seen = observe(driver)
    assert seen.failure is None
    assert seen.presented_chain == identity("rsa").chain


@pytest.mark.parametrize(("version", "share"), [(V12, 0.3), (V12, 0.6), (V12, 0.9), (V13, 1.0)])
def test_a_flight_that_breaks_off_keeps_what_came(identity, version, share):
    who = identity("long")
    make, flights = _canned(who, "small", version)
    data = b"".join(flights)
    # Of TLS 1.3 only whole records can be read: break off behind the first full one.
    full = data.find(b"\x17\x03\x03\x40\x11")
    driver = make()
    driver.receive(data[: full + 16420 if full > 0 else int(len(data) * share)], 0.0)
    driver.receive_eof(1.0)
    seen = observe(driver)
    assert seen.failure == "eof_error"
    assert seen.chain_truncated is True
    assert seen.version
    assert seen.cipher_suite
    assert 0 < len(seen.presented_chain) < 60
    assert seen.presented_chain == who.chain[: len(seen.presented_chain)]


def test_after_the_end_nothing_changes(identity):
    make, flights = _canned(identity("rsa"), "small")
    driver = make()
    driver.receive(b"".join(flights), 0.0)
    before = observe(driver)
    assert driver.receive(b"garbage", 1.0) == b""
    driver.receive_eof(1.0)
    driver.fail("connection_reset", 1.0)
    assert observe(driver) == before


def test_records_are_logged_on_request(identity):
    make, flights = _canned(identity("rsa"), "small", log_records=True)
    driver = make()
    driver.receive(b"".join(flights), 0.5)
    pumped = (NetworkEvent("write", 0.1, 517), NetworkEvent("read", 0.9, 5))
    events = observe(driver, events=pumped).events
    assert events[0].operation == "write"
    assert events[-1].operation == "read"
    assert [e.operation for e in events[1:3]] == ["record_read_handshake", "record_read_change_cipher_spec"]
    assert all(e.t == 0.5 for e in events[1:-1])
    assert observe(make()).events == ()


@pytest.mark.parametrize("split", Split)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_cut_hello_is_answered(identity, profile, split):
    driver = client(profile, sni=NAME, split=split)
    server = MemoryServer(openssl_context(identity("rsa")))
    converse(driver, server)
    seen = observe(driver)
    assert seen.failure is None
    assert seen.hello.split is split
    assert server.connection.get_servername() == NAME.encode()


def test_both_engines_see_the_same_in_memory(identity):
    for kind, version in itertools.product(("rsa", "p256", "long"), (V10, V12, V13)):
        seen = []
        for engine in (client, _openssl):
            driver = engine(sni=NAME)
            converse(driver, MemoryServer(openssl_context(identity(kind), version=version, alpn=b"http/1.1")))
            seen.append(_comparable(observe(driver)))
        assert seen[0] == seen[1]


def _openssl(**keywords):
    return OpenSSLClient(profile=PROFILES["small"], **keywords)


def _comparable(seen):
    return dataclasses.asdict(seen) | dict.fromkeys(
        ("hello", "proof", "server_extensions", "alerts", "detail"), None
    )
