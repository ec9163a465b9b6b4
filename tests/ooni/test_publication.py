"""What of a measurement may be published, and what the collector would not keep."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from measurement_strategies import MEASUREMENTS

from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import DNSObservation, Hello, TLSObservation
from kzmitm.model.target import Endpoint, Target, Vantage
from kzmitm.ooni.decode import decode
from kzmitm.ooni.emit import emit
from kzmitm.ooni.publication import complaint, is_thrown_away, publishable

NOON = datetime(2026, 1, 2, 12, 0, 0, 5, tzinfo=UTC)
TRUST = LocalTrust(
    leaf_sha256="ab" * 32, accepted=True, root=b"root", root_class="company", origins=("user",)
)


def lookup(address):
    return DNSObservation(hostname="a.test", engine="udp", query_type="A", resolver_address=address)


def handshake(vantage_id=""):
    return TLSObservation(
        endpoint=Endpoint("192.0.2.7", 443), sni="a.test", hello=Hello("small"), vantage_id=vantage_id
    )


def document(**fields):
    vantage = Vantage(id="my-office", kind="socks5h", asn="AS9198", cc="KZ", network_name="Kazakhtelecom")
    defaults = {"target": Target("a.test"), "vantage": vantage, "started_at": NOON, "local_trust": TRUST}
    m = Measurement(**(defaults | fields))
    return emit(m, test_start_time=NOON, annotations={"salt": "5a17" * 8, "platform": "linux"})


def test_what_is_only_its_owners_is_left_out():
    told = publishable(document(tls=(handshake("my-office"), handshake())))
    text = json.dumps(told)
    for secret in ("5a17", "my-office", "local_trust", "company"):
        assert secret not in text
    assert told["annotations"]["platform"] == "linux"
    assert [row.get("x_vantage_id") for row in told["test_keys"]["tls_handshakes"]] == ["other", None]
    assert told["test_keys"]["x_kzmitm"]["vantage"] == {
        "id": "socks5h",
        "kind": "socks5h",
        "asn": "AS9198",
        "cc": "KZ",
        "network_name": "Kazakhtelecom",
    }
    assert complaint(told) == ""
    assert not is_thrown_away(told)


@pytest.mark.parametrize(
    ("address", "shown", "anonymous"),
    [
        ("https://1.1.1.1/dns-query", "https://1.1.1.1/dns-query", "https://1.1.1.1/dns-query"),
        ("", "", ""),
        ("89.218.1.1", "89.218.1.1", "[scrubbed]"),
        ("89.218.1.1:53", "89.218.1.1:53", "[scrubbed]"),
        ("192.168.1.1", "[scrubbed]", "[scrubbed]"),
        ("100.64.3.4", "[scrubbed]", "[scrubbed]"),
        ("2a00:1:2:3::1", "[scrubbed]", "[scrubbed]"),
        ("[fe80::1%eth0]:53", "[scrubbed]", "[scrubbed]"),
        ("router.home", "[scrubbed]", "[scrubbed]"),
    ],
)
def test_resolvers_at_home_are_nobodys_affair(address, shown, anonymous):
    line = document(dns=(lookup(address),))
    [row] = publishable(line)["test_keys"]["queries"]
    assert row["resolver_address"] == shown
    [row] = publishable(line, anonymous_network=True)["test_keys"]["queries"]
    assert row["resolver_address"] == anonymous


def test_without_the_network():
    told = publishable(document(), anonymous_network=True)
    text = json.dumps(told)
    assert "9198" not in text
    assert "Kazakhtelecom" not in text
    assert (told["probe_asn"], told["probe_cc"]) == ("AS0", "KZ")
    assert complaint(told) == ""
    assert is_thrown_away(told)


@settings(max_examples=200, deadline=None)
@given(MEASUREMENTS)
def test_nothing_else_is_changed_and_twice_is_once(measurement):
    line = emit(measurement, test_start_time=NOON)
    told = publishable(line)
    assert publishable(told) == told
    vantage = replace(measurement.vantage, id=measurement.vantage.kind)
    kept = replace(measurement, local_trust=None, trace=(), vantage=vantage)
    dns = tuple(replace(each, resolver_address="") for each in kept.dns)
    tls = tuple(replace(each, vantage_id="") for each in kept.tls)
    again = decode(json.loads(json.dumps(told)))
    assert replace(
        again,
        dns=tuple(replace(each, resolver_address="") for each in again.dns),
        tls=tuple(replace(each, vantage_id="") for each in again.tls),
    ) == replace(decode(json.loads(json.dumps(emit(kept, test_start_time=NOON)))), dns=dns, tls=tls)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"software_name": "ooniprobe"}, "not a measurement of kzmitm"),
        ({"test_keys": {}}, "not a measurement of kzmitm"),
        ({"test_keys": 7}, "not an object"),
        ({"probe_cc": "kz"}, "probe_cc"),
        ({"probe_cc": "KAZ"}, "probe_cc"),
        ({"probe_cc": None}, "probe_cc"),
        ({"probe_asn": "AS09198"}, "probe_asn"),
        ({"probe_asn": "9198"}, "probe_asn"),
        ({"probe_asn": 9198}, "probe_asn"),
        ({"probe_asn": "AS12345678901"}, "probe_asn"),
        ({"test_name": "u"}, "test_name"),
        ({"test_name": "u" * 31}, "test_name"),
        ({"test_name": "Urlgetter"}, "test_name"),
        ({"test_version": "1 2"}, "test_version"),
        ({"software_version": ""}, "software_version"),
        ({"measurement_start_time": "2026-01-02T12:00:00Z"}, "measurement_start_time"),
        ({"probe_ip": "198.51.100.9"}, "probe_ip"),
        ({"resolver_ip": "198.51.100.9"}, "resolver_ip"),
        ({"data_format_version": "0.4.0"}, "data_format_version"),
        ({"report_id": "20260101T000000Z_x"}, "report_id"),
    ],
)
def test_what_the_collector_would_refuse(change, why):
    assert why in complaint(publishable(document()) | change)


@pytest.mark.parametrize(("asn", "cc"), [("AS0", "KZ"), ("AS9198", "ZZ"), ("AS0", "ZZ")])
def test_what_the_collector_would_throw_away(asn, cc):
    assert is_thrown_away({"probe_asn": asn, "probe_cc": cc})
