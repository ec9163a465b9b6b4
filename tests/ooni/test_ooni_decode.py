"""Others' lines: what OONI wrote over the years, and what nobody should."""

import base64
from datetime import UTC, datetime

import pytest

from kzmitm.model.observation import NetworkEvent, Role
from kzmitm.model.target import Endpoint, Target, Vantage
from kzmitm.ooni.decode import DecodeError, decode

LEAF = base64.b64encode(b"leaf").decode()


def line(test_keys=None, **fields):
    return {
        "input": "https://example.test/path?q",
        "measurement_start_time": "2023-08-17 09:00:00",
        "probe_asn": "AS9198",
        "probe_cc": "KZ",
        "test_runtime": 1.5,
        "software_version": "3.18.1",
        "test_keys": test_keys,
    } | fields


def handshake(**fields):
    (o,) = decode(line({"tls_handshakes": [fields]})).tls
    return o


def test_a_line_of_ooni():
    m = decode(line({"tls_handshakes": None, "queries": None, "network_events": None}))
    assert m.target == Target("example.test")
    assert m.vantage == Vantage("ooni", "ooni", "AS9198", "KZ")
    assert m.started_at == datetime(2023, 8, 17, 9, tzinfo=UTC)
    assert (m.dns, m.tcp, m.tls, m.runtime_s, m.software_version) == ((), (), (), 1.5, "3.18.1")


def test_without_test_keys_there_is_still_a_target():
    assert decode(line()).target == Target("example.test")


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ("http://яндекс.рф/", Target("xn--d1acpjx3f.xn--p1ai")),
        ("tlshandshake://192.0.2.1:8443", Target("192.0.2.1", 8443)),
        ("https://u:p@[2001:db8::1]:444/", Target("2001:db8::1", 444)),
        (["https://old.test/"], Target("old.test")),
        ("bare.test", Target("bare.test")),
    ],
)
def test_the_target_is_what_the_input_names(given, target):
    assert decode(line(input=given)).target == target


@pytest.mark.parametrize(
    "given", [None, 7, [], ["a", "b"], "https://", "https://[::1", "https://a b/", "https://a:99999/"]
)
def test_an_input_without_host_is_named(given):
    with pytest.raises(DecodeError, match=r"^\$\.input: "):
        decode(line(input=given))


def test_a_time_that_is_none_is_named():
    with pytest.raises(DecodeError, match="measurement_start_time: not a UTC time"):
        decode(line(measurement_start_time="yesterday"))


@pytest.mark.parametrize(
    ("failure", "kept"),
    [
        (None, None),
        ("ssl_unknown_authority", None),
        ("ssl_invalid_certificate", None),
        ("ssl_invalid_hostname", None),
        ("connection_reset", "connection_reset"),
        ("ssl_failed_handshake", "ssl_failed_handshake"),
    ],
)
def test_a_verdict_on_the_chain_is_no_failure_of_the_network(failure, kept):
    o = handshake(address="192.0.2.1:443", server_name="a.test", failure=failure)
    assert (o.failure, o.sni, o.role, o.endpoint) == (kept, "a.test", Role.FIRST, Endpoint("192.0.2.1", 443))


@pytest.mark.parametrize("name", ["192.0.2.1", "2001:db8::1", "", None])
def test_an_address_as_server_name_means_none_was_sent(name):
    assert handshake(server_name=name).sni is None


@pytest.mark.parametrize(
    ("certificates", "chain", "truncated"),
    [
        (None, (), False),
        ([], (), False),
        ([{"format": "base64", "data": LEAF}], (b"leaf",), False),
        ([{"data": LEAF}, {"format": "base64"}, {"data": LEAF}], (b"leaf",), True),
    ],
)
def test_certificates_as_seen_in_the_wild(certificates, chain, truncated):
    o = handshake(peer_certificates=certificates)
    assert (o.presented_chain, o.chain_truncated) == (chain, truncated)


def test_an_address_is_recovered_from_the_events_and_they_are_joined():
    event = {"operation": "read", "t": 0.5, "num_bytes": 7, "transaction_id": 9, "failure": None}
    test_keys = {
        "tls_handshakes": [{"transaction_id": 9}, {"transaction_id": 8}],
        "network_events": [
            event | {"transaction_id": 1, "address": "192.0.2.1:1"},
            event,
            {"operation": "connect", "t": 0.1, "transaction_id": 9, "address": "[2001:db8::1]:443"},
            {"operation": "tls_handshake_start", "t": 0.2, "transaction_id": 9},
        ],
    }
    joined, alone = decode(line(test_keys)).tls
    assert joined.endpoint == Endpoint("2001:db8::1", 443)
    assert joined.events == (NetworkEvent("read", 0.5, 7), NetworkEvent("connect", 0.1))
    assert alone.endpoint == Endpoint("", 443)
    assert alone.events == ()


def test_connects_old_and_new():
    rows = [
        {"ip": "192.0.2.1", "port": 443, "status": {"success": True, "failure": False}},
        {"ip": "[scrubbed]", "port": 443, "status": {"failure": "connection_refused", "blocked": True}},
        {"ip": "192.0.2.1", "port": 443},
    ]
    found = decode(line({"tcp_connect": rows})).tcp
    assert [o.failure for o in found] == [None, "connection_refused", None]
    assert found[1].endpoint.ip == "[scrubbed]"


def test_queries_of_any_engine():
    row = {
        "hostname": "a.test",
        "engine": "system",
        "query_type": "A",
        "answers": [{"answer_type": "A", "ipv4": "1.2.3.4"}],
    }
    (o,) = decode(line({"queries": [row | {"resolver_port": None}]})).dns
    assert (o.ips, o.rcode, o.failure) == (("1.2.3.4",), None, None)


@pytest.mark.parametrize(
    ("test_keys", "message"),
    [
        (7, r"\$\.test_keys: not an object"),
        ({"queries": {}}, r"\$\.test_keys\.queries: not a list"),
        ({"queries": [7]}, r"\$\.test_keys\.queries\[0\]: not an object"),
        ({"queries": [{}] * 5000}, "at most 4096"),
        ({"queries": [{"hostname": 7}]}, r"queries\[0\]\.hostname: not a text"),
        ({"queries": [{"hostname": "a" * 70_000}]}, r"queries\[0\]\.hostname: not a text of at most"),
        ({"queries": [{"hostname": "\ud800"}]}, r"queries\[0\]\.hostname: half"),
        ({"queries": [{"t": "1"}]}, r"queries\[0\]\.t: a number"),
        ({"tcp_connect": [{"port": 70_000}]}, "not a port: 70000"),
        ({"tcp_connect": [{"port": True}]}, r"tcp_connect\[0\]\.port: an integer"),
        ({"tcp_connect": [{"status": "ok"}]}, r"tcp_connect\[0\]\.status: not an object"),
        ({"tls_handshakes": [{"address": "nowhere"}]}, "no port in 'nowhere'"),
        ({"tls_handshakes": [{"address": "a:²"}]}, "no port in"),
        ({"tls_handshakes": [{"address": "a:99999"}]}, "not a port"),
        ({"tls_handshakes": [{"peer_certificates": [{"data": "?"}]}]}, "not base64"),
        ({"tls_handshakes": [{"x_role": "spy"}]}, r"x_role: not one of first"),
        ({"tls_handshakes": [{"x_role": "first", "x_proof": {}}]}, r"x_proof\.kind: missing"),
        ({"x_kzmitm": {"format": "kzmitm.measurement/1.0"}}, "target or started_at missing"),
        ({"x_kzmitm": {"format": "kzmitm.measurement/1.0", "target": {"host": "a"}}}, "hostname: missing"),
    ],
)
def test_what_is_wrong_is_named(test_keys, message):
    with pytest.raises(DecodeError, match=message):
        decode(line(test_keys))
