"""Every rule of df-000 to df-008 that a line of ours must keep."""

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import (
    Alert,
    DNSAnswer,
    DNSObservation,
    Hello,
    NetworkEvent,
    Proof,
    ProofKind,
    Role,
    Split,
    TCPObservation,
    TLSObservation,
)
from kzmitm.model.target import Endpoint, Target, Vantage
from kzmitm.ooni.emit import emit, input_url
from kzmitm.ooni.rows import MAX_EVENTS

STARTED = datetime(2026, 1, 2, 8, 4, 5, 999999, timezone(timedelta(hours=5)))
V4, V6 = Endpoint("192.0.2.7", 443), Endpoint("2001:db8::7", 8443)
CHAIN = (b"leaf", b"intermediate", b"root")


def tls(**fields) -> TLSObservation:
    defaults = {"endpoint": V4, "sni": "a.test", "hello": Hello("small"), "t0": 0.2, "t": 0.5}
    return TLSObservation(**(defaults | fields))


def measurement(**fields) -> Measurement:
    defaults = {"target": Target("a.test"), "vantage": Vantage(), "started_at": STARTED}
    return Measurement(**(defaults | fields))


def line(m: Measurement, **options) -> dict:
    return json.loads(json.dumps(emit(m, test_start_time=STARTED, **options)))


def keys(m: Measurement, **options) -> dict:
    return line(m, **options)["test_keys"]


def test_the_envelope_of_a_measurement_of_nothing():
    document = line(measurement(), annotations={"platform": "linux", "engine_name": "forged"})
    assert document.pop("test_keys") == {
        "agent": "redirect",
        "failed_operation": None,
        "failure": None,
        "network_events": [],
        "queries": [],
        "requests": [],
        "socksproxy": None,
        "tcp_connect": [],
        "tls_handshakes": [],
        "x_kzmitm": {
            "format": "kzmitm.measurement/1.0",
            "target": {"hostname": "a.test", "port": 443, "sni": "a.test", "address": None},
            "vantage": {"id": "direct", "kind": "direct", "asn": "AS0", "cc": "ZZ", "network_name": ""},
            "started_at": "2026-01-02T03:04:05.999999Z",
            "clock_offset_s": None,
            "software_version": "",
            "versions": {},
        },
    }
    version = document["software_version"]
    assert document == {
        "annotations": {"platform": "linux", "engine_name": "kzmitm", "engine_version": version},
        "data_format_version": "0.2.0",
        "extensions": {},
        "input": "tlshandshake://a.test:443",
        "measurement_start_time": "2026-01-02 03:04:05",
        "options": [],
        "probe_asn": "AS0",
        "probe_cc": "ZZ",
        "probe_ip": "127.0.0.1",
        "probe_network_name": "",
        "report_id": "",
        "resolver_asn": "AS0",
        "resolver_ip": "127.0.0.2",
        "resolver_network_name": "",
        "software_name": "kzmitm",
        "software_version": version,
        "test_name": "urlgetter",
        "test_runtime": 0.0,
        "test_start_time": "2026-01-02 03:04:05",
        "test_version": "0.2.0+kzmitm.1",
    }


def test_names_and_versions_keep_to_the_letters_allowed():
    document = line(measurement(software_version="1.2 beta"))
    for key in ("software_name", "software_version", "test_version"):
        assert re.fullmatch(r"[0-9A-Za-z_.+-]+", document[key])
    assert re.fullmatch(r"[a-z][a-z0-9_]{1,29}", document["test_name"])
    assert line(measurement(software_version="9.9.9"))["software_version"] == "9.9.9"


@pytest.mark.parametrize(
    ("asn", "cc", "expected"),
    [
        ("AS9198", "KZ", ("AS9198", "KZ")),
        ("AS09198", "kz", ("AS0", "ZZ")),
        ("9198", "KAZ", ("AS0", "ZZ")),
        ("AS12345678901", "", ("AS0", "ZZ")),
        ("AS٣", "ЫЫ", ("AS0", "ZZ")),
    ],
)
def test_what_the_user_says_of_the_network_is_checked(asn, cc, expected):
    m = measurement(vantage=Vantage(asn=asn, cc=cc, network_name="Example"))
    document = line(m)
    assert (document["probe_asn"], document["probe_cc"]) == expected
    assert document["probe_network_name"] == "Example"


def test_an_address_as_input_is_in_brackets():
    assert input_url(Target("2001:db8::1", 8443)) == "tlshandshake://[2001:db8::1]:8443"


def test_extensions_are_those_that_are_used():
    dns = DNSObservation(hostname="a.test", engine="udp", query_type="A")
    assert line(measurement(dns=(dns,)))["extensions"] == {"dnst": 0}
    assert line(measurement(tcp=(TCPObservation(endpoint=V4),)))["extensions"] == {
        "tcpconnect": 0,
        "netevents": 0,
    }
    assert line(measurement(tls=(tls(),)))["extensions"] == {"tlshandshake": 0, "netevents": 0}


def test_queries():
    answers = (
        DNSAnswer(answer_type="CNAME", hostname="b.test", ttl=5),
        DNSAnswer(answer_type="A", ip=V4.ip),
        DNSAnswer(answer_type="AAAA", ip=V6.ip),
    )
    lookups = (
        DNSObservation(
            hostname="a.test", engine="getaddrinfo", query_type="ANY", answers=answers, t0=0.1, t=0.2
        ),
        DNSObservation(
            hostname="a.test",
            engine="doh",
            query_type="AAAA",
            resolver_address="https://dns.test/dns-query",
            failure="dns_nxdomain_error",
            rcode=3,
        ),
    )
    rows = keys(measurement(dns=lookups, tcp=(TCPObservation(endpoint=V4, transaction_id=7),)))["queries"]
    assert rows[0] == {
        "answers": [
            {"answer_type": "CNAME", "hostname": "b.test", "ttl": 5},
            {"answer_type": "A", "ipv4": "192.0.2.7", "ttl": None},
            {"answer_type": "AAAA", "ipv6": "2001:db8::7", "ttl": None},
        ],
        "engine": "getaddrinfo",
        "failure": None,
        "hostname": "a.test",
        "query_type": "ANY",
        "raw_response": None,
        "resolver_hostname": None,
        "resolver_port": None,
        "resolver_address": "",
        "t0": 0.1,
        "t": 0.2,
        "tags": [],
        "transaction_id": 8,
    }
    assert rows[1]["answers"] is None
    assert (rows[1]["failure"], rows[1]["rcode"], rows[1]["transaction_id"]) == ("dns_nxdomain_error", 3, 9)


def test_connects():
    tcp = (
        TCPObservation(endpoint=V6, failure="connection_refused", t0=0.1, t=0.2, transaction_id=1),
        TCPObservation(endpoint=V4, t0=0.1, t=0.3, transaction_id=2),
    )
    found = keys(measurement(tcp=tcp))
    assert found["tcp_connect"] == [
        {
            "ip": "2001:db8::7",
            "port": 8443,
            "status": {"failure": "connection_refused", "success": False},
            "t0": 0.1,
            "t": 0.2,
            "tags": [],
            "transaction_id": 1,
        },
        {
            "ip": "192.0.2.7",
            "port": 443,
            "status": {"failure": None, "success": True},
            "t0": 0.1,
            "t": 0.3,
            "tags": [],
            "transaction_id": 2,
        },
    ]
    assert [(e["operation"], e["address"], e["failure"]) for e in found["network_events"]] == [
        ("connect", "[2001:db8::7]:8443", "connection_refused"),
        ("connect", "192.0.2.7:443", None),
    ]


def test_a_handshake_keeps_its_whole_chain_whatever_the_failure():
    for failure in (None, "ssl_unknown_authority", "ssl_invalid_hostname"):
        (row,) = keys(measurement(tls=(tls(presented_chain=CHAIN),)), failures=[failure])["tls_handshakes"]
        assert [base64.b64decode(c["data"]) for c in row["peer_certificates"]] == list(CHAIN)
        assert all(c["format"] == "base64" for c in row["peer_certificates"])
        assert row["failure"] == failure
        assert row["no_tls_verify"] is False


def test_the_failure_of_the_network_comes_before_that_of_the_certificate():
    o = tls(presented_chain=CHAIN, failure="connection_reset", alerts=(Alert(2, 40),))
    (row,) = keys(measurement(tls=(o,)), failures=["ssl_unknown_authority"])["tls_handshakes"]
    assert row["failure"] == row["x_network_failure"] == "connection_reset"
    assert row["x_alerts"] == [{"level": 2, "description": 40, "sent": False}]


def test_what_nobody_verified_is_said_not_to_be_verified():
    (row,) = keys(measurement(tls=(tls(presented_chain=CHAIN),)))["tls_handshakes"]
    assert row["no_tls_verify"] is True
    assert row["failure"] is None


def test_each_handshake_has_its_own_word_on_its_chain():
    with pytest.raises(ValueError, match="zip"):
        emit(measurement(tls=(tls(), tls())), failures=[None], test_start_time=STARTED)


def test_a_plain_handshake_has_only_the_keys_that_say_something():
    (row,) = keys(
        measurement(tls=(tls(version="TLSv1.3", cipher_suite="TLS_AES_128_GCM_SHA256", alpn="h2"),))
    )["tls_handshakes"]
    assert row == {
        "network": "tcp",
        "address": "192.0.2.7:443",
        "server_name": "a.test",
        "cipher_suite": "TLS_AES_128_GCM_SHA256",
        "tls_version": "TLSv1.3",
        "negotiated_protocol": "h2",
        "failure": None,
        "no_tls_verify": True,
        "peer_certificates": [],
        "t0": 0.2,
        "t": 0.5,
        "tags": ["role=first"],
        "transaction_id": 1,
        "x_role": "first",
        "x_sni": "a.test",
        "x_hello": {"profile": "small", "engine": "kzmitm", "size": 0, "split": "none"},
        "x_network_failure": None,
    }


def test_a_handshake_without_server_name_is_written_as_ooni_does():
    (row,) = keys(measurement(tls=(tls(sni=None, role=Role.NO_SNI, endpoint=V6),)))["tls_handshakes"]
    assert row["server_name"] == "2001:db8::7"
    assert row["x_sni"] is None


def test_the_proof_is_there_to_be_checked_again():
    proof = Proof(ProofKind.TLS12, 0x0401, b"sig", b"signed", b"c", b"s", verified=True)
    (row,) = keys(measurement(tls=(tls(proof=proof, hello=Hello("legacy", split=Split.TCP)),)))[
        "tls_handshakes"
    ]
    assert row["x_proof"] == {
        "kind": "tls12_server_key_exchange",
        "scheme": 0x0401,
        "signature": "c2ln",
        "signed": "c2lnbmVk",
        "client_random": "Yw==",
        "server_random": "cw==",
        "verified": True,
        "transcript": "",
    }


def test_the_earliest_event_of_each_transaction_has_the_address_of_its_handshake():
    events = (
        NetworkEvent("connect", 0.2),
        NetworkEvent("write", 0.21, 517),
        NetworkEvent("read", 0.3, 0, "connection_reset"),
    )
    m = measurement(
        tcp=(TCPObservation(endpoint=V4, t0=0.1, t=0.2, transaction_id=3),),
        tls=(tls(events=events, transaction_id=3), tls(endpoint=V6, t0=0.6, t=0.7, transaction_id=4)),
    )
    found = keys(m)
    for row in found["tls_handshakes"]:
        own = [e for e in found["network_events"] if e["transaction_id"] == row["transaction_id"]]
        assert min(own, key=lambda e: e["t"])["address"] == row["address"]
    assert [(e["operation"], e["transaction_id"]) for e in found["network_events"]] == [
        ("connect", 3),
        ("tls_handshake_start", 3),
        ("write", 3),
        ("read", 3),
        ("tls_handshake_done", 3),
        ("tls_handshake_start", 4),
        ("tls_handshake_done", 4),
    ]
    write, read = found["network_events"][2:4]
    assert write["num_bytes"] == 517
    assert "num_bytes" not in read
    assert read["failure"] == "connection_reset"


def test_events_are_capped_and_records_are_no_events_of_ooni():
    events = tuple(NetworkEvent("read" if i % 2 else "record_handshake", i / 100, 1) for i in range(400))
    found = keys(measurement(tls=(tls(events=events),)))
    shown = [e["operation"] for e in found["network_events"]]
    assert shown.count("read") == MAX_EVENTS
    assert "record_handshake" not in shown
    assert len(found["tls_handshakes"][0]["x_events"]) == 400


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (None, None)),
        ({"dns": ["dns_nxdomain_error"]}, ("resolve", "dns_nxdomain_error")),
        ({"dns": ["dns_nxdomain_error", None]}, (None, None)),
        ({"dns": [None], "tcp": ["connection_refused"]}, ("connect", "connection_refused")),
        ({"tcp": ["connection_refused", None]}, (None, None)),
        ({"tcp": [None], "tls": ["eof_error"]}, ("tls_handshake", "eof_error")),
        ({"tcp": [None], "tls": [None]}, (None, None)),
    ],
)
def test_where_it_stopped(fields, expected):
    m = measurement(
        dns=tuple(
            DNSObservation(hostname="a.test", engine="udp", query_type="A", failure=f)
            for f in fields.get("dns", ())
        ),
        tcp=tuple(TCPObservation(endpoint=V4, failure=f) for f in fields.get("tcp", ())),
        tls=tuple(tls(failure=f) for f in fields.get("tls", ())),
    )
    found = keys(m)
    assert (found["failed_operation"], found["failure"]) == expected


def test_what_a_server_or_a_system_says_of_our_address_is_scrubbed():
    o = tls(
        detail="cannot bind 198.51.100.9:5123 for 192.0.2.7:443 via fe80::1%eth0",
        first_bytes=b"554 203.0.113.5 is blocked by 192.0.2.7\r\n",
        failure="ssl_failed_handshake",
    )
    document = emit(measurement(tls=(o,)), test_start_time=STARTED)
    (row,) = document["test_keys"]["tls_handshakes"]
    assert row["x_detail"] == "cannot bind [scrubbed] for 192.0.2.7:443 via [scrubbed]"
    assert base64.b64decode(row["x_first_bytes"]) == b"554 [scrubbed] is blocked by 192.0.2.7\r\n"


def test_versions_and_options_are_told():
    document = line(measurement(), options=["Profile=small"], versions={"rules": "7"})
    assert document["options"] == ["Profile=small"]
    assert document["test_keys"]["x_kzmitm"]["versions"] == {"rules": "7"}


def test_times_are_utc_seconds():
    late = replace(measurement(), started_at=datetime(2026, 1, 2, 3, 4, 5, 999999, UTC))
    assert line(late)["measurement_start_time"] == "2026-01-02 03:04:05"
