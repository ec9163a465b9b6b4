"""Rows: what is kept of a measurement, of every age and writing."""

import json

import pytest
from archive_samples import (
    Rows,
    both,
    document,
    encode_line,
    enveloped,
    handshake_of,
    measurement_of,
    read,
    row,
    without,
)

from kzmitm.ooni.archive.documents import MAX_ROWS
from kzmitm.ooni.archive.extraction import cut
from kzmitm.ooni.archive.rows import MAX_TEXT


def event(operation, address=None, *, t=0.0, failure=None, number=None):
    return {"operation": operation, "address": address, "t": t, "failure": failure, "transaction_id": number}


OLD = without(row(), "address", "transaction_id")
ADDRESSES = {
    "number": (
        [row(address=None, transaction_id=7)],
        [
            event("connect", "192.0.2.1:443", number=6),
            event("read", number=7),
            event("write", "192.0.2.7:443", number=7),
        ],
        ["192.0.2.7"],
    ),
    "number-without-events": (
        [row(address=None, transaction_id=7)],
        [event("connect", "192.0.2.1:443")],
        [""],
    ),
    "time": (
        [OLD | {"t": 2.5}, OLD | {"t": 1.5}],
        [
            event("connect", "192.0.2.8:443", failure="connection_refused"),
            event("connect", "192.0.2.1:443"),
            event("tls_handshake_done", t=1.5),
            event("connect", "192.0.2.2:443"),
            event("tls_handshake_done", t=2.5),
        ],
        ["192.0.2.2", "192.0.2.1"],
    ),
    "order": (
        [OLD, OLD],
        [event("connect", "192.0.2.1:443"), event("connect", "[2001:db8::1]:443")],
        ["192.0.2.1", "2001:db8::1"],
    ),
    "fewer-connects": (
        [OLD, OLD],
        [event("connect", "192.0.2.1:443"), event("tls_handshake_done", t=9.0)],
        ["192.0.2.1", ""],
    ),
    "connect-without-address": ([OLD], [event("connect")], [""]),
    "done-without-connect": ([OLD], [event("tls_handshake_done", t=1.5)], [""]),
    "none": ([OLD], [], [""]),
    "one-of-two": ([OLD, row()], [event("connect", "192.0.2.9:443")], ["192.0.2.9", "192.0.2.1"]),
    "wrong-events": ([OLD], [5, {"operation": []}, event("connect", "192.0.2.1:443")], ["192.0.2.1"]),
    "no-events": ([OLD], None, [""]),
    "no-list": ([OLD], {"a": 1}, [""]),
}


@pytest.mark.parametrize(("rows", "events", "expected"), ADDRESSES.values(), ids=ADDRESSES)
def test_old_rows_have_their_address_from_events(rows, events, expected):
    _, handshakes, *_ = both(document(tls_handshakes=rows, network_events=events))
    assert [each["ip"] for each in handshakes] == expected
    assert [each["port"] for each in handshakes] == [443 if ip else 0 for ip in expected]


ENDPOINTS = {
    "95.59.1.1:443": ("95.59.1.1", 443, False),
    "10.1.2.3:8443": ("10.1.2.3", 8443, True),
    "[2a00:1450::1]:443": ("2a00:1450::1", 443, False),
    "[::1]:443": ("::1", 443, True),
    "[scrubbed]:443": ("[scrubbed]", 443, False),
    "example.kz:443": ("example.kz", 443, False),
    "192.0.2.1": ("", 0, False),
    "192.0.2.1:": ("", 0, False),
    "192.0.2.1:65536": ("", 0, False),
    "95.59.1.1:0": ("95.59.1.1", 0, False),
    "192.0.2.1:-1": ("", 0, False),
    "192.0.2.1:٣": ("", 0, False),
    "192.0.2.1:000443": ("", 0, False),
    "": ("", 0, False),
    "a" * 400 + ":443": ("", 0, False),
    "a\0b:443": ("a�b", 443, False),
}


@pytest.mark.parametrize(
    ("address", "expected"), ENDPOINTS.items(), ids=[ascii(each[:20]) for each in ENDPOINTS]
)
def test_endpoints(address, expected):
    found = handshake_of(document(tls_handshakes=[row(address=address)]))
    assert (found["ip"], found["port"], found["private"]) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("AS9198", 9198),
        ("9198", 9198),
        ("AS0", 0),
        ("AS4294967295", 4294967295),
        ("AS4294967296", 0),
        ("AS", 0),
        ("", 0),
        ("as9198", 0),
        ("AS-1", 0),
        ("AS９１９８", 0),
        ("ASAS9198", 0),
        ("AS" + "9" * 5000, 0),
        (None, 0),
        (9198, 0),
        ("AS 9198", 0),
        ("AS00000000001", 0),
    ],
    ids=lambda value: ascii(value)[:16],
)
def test_networks(value, expected):
    assert measurement_of(document() | {"probe_asn": value})["asn"] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-03-01 12:00:00", "2024-03-01 12:00:00"),
        ("2024-03-01T12:00:00", "2024-03-01 12:00:00"),
        ("2024-02-29 23:59:59", "2024-02-29 23:59:59"),
        ("0001-01-01 00:00:00", "0001-01-01 00:00:00"),
        ("2023-02-29 00:00:00", None),
        ("2024-03-01 24:00:00", None),
        ("2024-03-01 12:00:00Z", None),
        ("2024-03-01 12:00:00.5", None),
        ("2024-03-01T12:00+01", None),
        ("20240301T120000.123", None),
        ("2024-W09-5T12:00:00", None),
        ("2024-03-01", None),
        ("2024-03-01 12:00", None),
        ("", None),
        ("yesterday", None),
        ("２０２４-03-01 12:00:00", None),
        ("2024-03-01 12:00:00\0", None),
        ("2024-03-01x12:00:00", None),
        ("2" * 100_000, None),
        (" 2024-03-01 12:00:00", None),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_times(value, expected):
    rows = Rows()
    why = rows.add(json.dumps(document() | {"measurement_start_time": value}).encode())
    if expected is None:
        assert why == f"measurement_start_time is no UTC time: {value[:40]!r}"
        assert rows.measurements == []
    else:
        assert why is None
        assert rows.measurements[0]["time"] == expected


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("https://example.kz/", "example.kz"),
        ("https://EXAMPLE.kz:8443/a?b#c", "example.kz"),
        ("example.kz/a", "example.kz"),
        ("http://user:word@example.kz./", "example.kz"),
        ("http://яндекс.рф/", "xn--d1acpjx3f.xn--p1ai"),
        ("tlstrace://example.kz", "example.kz"),
        ("https://192.0.2.1/", "192.0.2.1"),
        ("https://[2001:db8::1]:443/", "2001:db8::1"),
        (["https://example.kz/"], "example.kz"),
        (["https://a.kz/", "https://b.kz/"], ""),
        ([], ""),
        (None, ""),
        ("", ""),
        (5, ""),
        ({"a": 1}, ""),
        ("https://[::1/", ""),
        ("https://exa mple.kz/", ""),
        ("https://" + "a" * 5000 + "/", ""),
        ("://", ""),
        ("https://a\0b/", ""),
        ("https://[fe80::1%" + "x" * 5000 + "]/", ""),
        ("dot://8.8.8.8:853", "8.8.8.8"),
    ],
    ids=lambda value: ascii(value)[:28],
)
def test_inputs(value, host):
    found = measurement_of(document(tls_handshakes=[row()]) | {"input": value})
    assert found["host"] == host
    assert len(found["input"]) <= MAX_TEXT


TEXT_FIELDS = (
    "probe_cc",
    "probe_network_name",
    "test_version",
    "software_version",
    "measurement_uid",
    "input",
)


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", "\0" * 400], ids=["long", "nul", "both"])
def test_texts_of_strangers_are_kept_short_and_without_nul(text):
    made = document(
        tls_handshakes=[
            row(failure=text, server_name=text, tls_version=text, x_role=text, address=text + ":443")
        ],
        queries=[{"engine": "system", "failure": text, "answers": None}],
        tcp_connect=[{"status": {"failure": text}}],
        control={"dns": {"failure": text, "addrs": None}, "tcp_connect": {"a": {"failure": text}}},
    )
    made |= dict.fromkeys(TEXT_FIELDS, text) | {"software_name": text}
    ((measurement,), (handshake,), *_) = both(made)
    for value in (*measurement.values(), *handshake.values()):
        assert not isinstance(value, str) or (len(value) <= MAX_TEXT and "\0" not in value)
    assert handshake["failure"] == cut(text)
    assert measurement["dns_failure"] == measurement["tcp_failure"] == cut(text)
    assert measurement["control_dns"] == measurement["control_tcp"] == cut(text)
    made["test_keys"]["control_failure"] = text
    assert measurement_of(made)["control"] == cut(text)


def test_the_place_of_a_document_is_kept_short_too():
    rows = Rows()
    rows.extractor.add(json.dumps(document()).encode(), source="a" * 1000, number=5)
    assert (rows.measurements[0]["source"], rows.measurements[0]["line"]) == ("a" * MAX_TEXT, 5)


@pytest.mark.parametrize("content", ["object", "text"])
def test_envelopes_are_opened(content):
    made = document(tls_handshakes=[row()])
    envelope = {"format": "json", "content": made if content == "object" else json.dumps(made)}
    assert read(envelope).kept == read(made).kept


OWN = {"format": "kzmitm.measurement/1.7", "target": {"hostname": "example.kz"}}


@pytest.mark.parametrize(
    "write",
    [
        lambda made: json.dumps(made).encode(),
        lambda made: encode_line(made, "uploader", {}),
        lambda made: json.dumps(made, indent=2).replace("\n", "\r\n").encode(),
        enveloped,
        lambda made: enveloped(json.dumps(made)),
    ],
    ids=["line", "uploader", "lines", "envelope", "text-in-envelope"],
)
def test_our_own_are_kept_whole_on_one_line(write):
    made = document(x_kzmitm=OWN, tls_handshakes=[row()])
    rows = read(write(made))
    ((doc, line),) = rows.owned
    assert doc == 0
    assert rows.measurements[0]["own"] is True
    assert b"\n" not in line
    assert json.loads(line) == made


@pytest.mark.parametrize(
    "own",
    [
        None,
        [],
        "kzmitm.measurement/1.0",
        {},
        {"format": None},
        {"format": "kzmitm.measurement/2.0"},
        {"a": OWN["format"]},
    ],
    ids=ascii,
)
def test_what_only_looks_like_ours_is_not(own):
    ((measurement,), _, _, owned) = both(document(x_kzmitm=own))
    assert measurement["own"] is False
    assert owned == []


def test_what_the_fast_reading_passed_over_may_keep_ours_from_being_kept():
    line = json.dumps(document(x_kzmitm=OWN, x_other="HERE")).encode().replace(b'"HERE"', b"9" * 5000)
    rows = read(line)
    assert rows.measurements[0]["own"] is False
    assert rows.owned == []


def test_failures_that_only_requests_tell_of():
    """Before 2020, as in July 2019 in Kazakhstan: no list of handshakes, and OpenSSL's words."""
    failure = "ssl_error: error:14007086:SSL routines:CONNECT_CR_CERT:certificate verify failed"
    made = document(requests=[{"failure": failure}, {"failure": "dns_lookup_error"}, {"failure": None}, 5])
    assert [each["failure"] for each in both(made)[1]] == [failure]
    assert both(document(requests=[{"failure": failure}], tls_handshakes=[]))[1] == []


@pytest.mark.parametrize(
    ("options", "verified"),
    [
        (["NoTLSVerify=true"], False),
        (["NoTLSVerify=false"], True),
        ([5, "NoTLSVerify=true"], False),
        ("NoTLSVerify=true", True),
    ],
    ids=["true", "false", "among-others", "no-list"],
)
def test_options_tell_that_nothing_was_verified(options, verified):
    made = document(tls_handshakes=[without(row(failure=None), "no_tls_verify")])
    made |= {"test_name": "urlgetter", "options": options}
    assert handshake_of(made)["verified"] is verified


def test_a_test_that_nobody_knows_keeps_its_handshakes_where_most_do():
    assert handshake_of(document(tls_handshakes=[row()]) | {"test_name": "signal"})["test"] == "signal"


@pytest.mark.parametrize(
    ("tags", "depth"),
    [
        (["depth=0"], 0),
        (["classic", "depth=2"], 2),
        (["depth=999"], 255),
        (["depth=1000"], 0),
        (["depth="], 0),
        (["depth=x"], 0),
        (["depth=-1"], 0),
        (["depth=٣"], 0),
        ([], 0),
        (None, 0),
        ("depth=1", 0),
        ([5, "depth=3"], 3),
    ],
    ids=ascii,
)
def test_depths(tags, depth):
    assert handshake_of(document(tls_handshakes=[row(tags=tags)]))["depth"] == depth


@pytest.mark.parametrize(
    ("role", "expected"),
    [("first", ""), ("", ""), (None, ""), ("other_name", "other_name"), (5, "")],
    ids=ascii,
)
def test_roles_of_our_own(role, expected):
    assert handshake_of(document(tls_handshakes=[row(x_role=role)]))["role"] == expected


def test_what_else_was_seen_is_left_out_where_the_probe_verified_all():
    seen = {"queries": [{"engine": "system", "failure": "dns_nxdomain_error"}], "control_failure": "x"}
    settled = measurement_of(document(tls_handshakes=[row(failure=None)], **seen))
    assert (settled["dns_failure"], settled["control"]) == ("", "")
    for unsettled in ([row(failure=None), row()], [row(failure=None, no_tls_verify=True)], [], None):
        found = measurement_of(document(tls_handshakes=unsettled, **seen))
        assert (found["dns_failure"], found["control"]) == ("dns_nxdomain_error", "x")


SYSTEM = {
    "engine": "getaddrinfo",
    "failure": None,
    "answers": [{"ipv4": "192.0.2.1"}, {"ipv6": "2001:db8::1"}],
}
QUERIES = {
    "none": ([], ("", 0)),
    "answers": ([SYSTEM], ("", 2)),
    "alias-only": ([SYSTEM | {"answers": [{"answer_type": "CNAME", "hostname": "a"}]}], ("", 0)),
    "failure": (
        [SYSTEM | {"answers": None, "failure": "a"}, SYSTEM | {"answers": None, "failure": "b"}],
        ("a", 0),
    ),
    "failure-of-one-kind": ([SYSTEM, SYSTEM | {"answers": None, "failure": "dns_no_answer"}], ("", 2)),
    "other-resolver": ([SYSTEM | {"engine": "udp", "answers": None, "failure": "a"}], ("", 0)),
    "nobody's": ([without(SYSTEM, "engine")], ("", 2)),
    "nobody's-elsewhere": ([without(SYSTEM, "engine") | {"resolver_hostname": "8.8.8.8"}], ("", 0)),
    "twice-the-same": ([SYSTEM, SYSTEM], ("", 2)),
}


@pytest.mark.parametrize(("queries", "expected"), QUERIES.values(), ids=QUERIES)
def test_what_the_system_resolver_gave(queries, expected):
    found = measurement_of(document(tls_handshakes=[row()], queries=queries))
    assert (found["dns_failure"], found["addresses"]) == expected


@pytest.mark.parametrize(
    ("ips", "private"),
    [(["10.0.0.1", "127.0.0.1"], True), (["10.0.0.1", "192.0.2.1"], None), (["1.1.1.1"], False), ([], False)],
)
def test_private_answers(ips, private):
    queries = [SYSTEM | {"answers": [{"ipv4": ip} for ip in ips]}]
    found = measurement_of(document(queries=queries))["private"]
    assert private is None or found is private


CONNECTS = {
    "none": ([], ""),
    "refused": (["connection_refused"], "connection_refused"),
    "first-of-two": (["host_unreachable", "connection_refused"], "host_unreachable"),
    "one-worked": (["connection_refused", None], ""),
    "old-false": ([False], ""),
}


@pytest.mark.parametrize(("failures", "expected"), CONNECTS.values(), ids=CONNECTS)
def test_why_connects_failed(failures, expected):
    connects = [{"status": {"failure": failure}} for failure in failures]
    assert measurement_of(document(tcp_connect=[*connects, {"status": None}]))["tcp_failure"] == expected


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (None, ""),
        ({}, ""),
        ({"x": 1}, ""),
        ({"tcp_connect": {}, "ip_info": {}}, ""),
        ({"dns": {}}, "ok"),
        ({"http_request": {}}, "ok"),
        ({"tcp_connect": {"a": {}}}, "ok"),
        ([], ""),
    ],
    ids=ascii,
)
def test_whether_there_is_a_control(control, expected):
    assert measurement_of(document(control=control))["control"] == expected


def test_made_names_are_those_of_the_measurement_however_written():
    made = document()
    names = [read(line).measurements[0]["uid"] for line in (json.dumps(made).encode(), enveloped(made))]
    assert names[0] == names[1]
    assert names[0].startswith("made-")
    for other in (2, 2**70, -1e300, 10**400, None):
        assert measurement_of(document() | {"test_runtime": other})["uid"] != names[0]
    assert measurement_of(document() | {"measurement_uid": "u"})["uid"] == "u"
    bare = without(document(), "report_id")
    assert read(bare).measurements[0]["uid"] != read(bare | {"probe_cc": "RU"}).measurements[0]["uid"]


def test_rows_beyond_the_limit_are_left_out():
    for handshake in (row(), OLD):
        made = document(tls_handshakes=[handshake] * (MAX_ROWS + 5), network_events=[event("read")] * 3)
        measurements, handshakes, *_ = both(made)
        assert measurements[0]["handshakes"] == len(handshakes) == MAX_ROWS


def test_events_beyond_the_limit_are_left_out():
    """A handshake looks through all events: a few thousand of either are no harm, a million are."""
    events = [event("read")] * MAX_ROWS + [event("connect", "192.0.2.1:443")]
    assert handshake_of(document(tls_handshakes=[OLD], network_events=events))["ip"] == ""
    assert handshake_of(document(tls_handshakes=[OLD], network_events=events[1:]))["ip"] == "192.0.2.1"


def test_documents_are_numbered_and_bad_ones_take_no_number():
    rows = Rows()
    line = json.dumps(document(tls_handshakes=[row()])).encode()
    assert [rows.add(each) is None for each in (line, b"x", line)] == [True, False, True]
    assert [each["doc"] for each in rows.measurements] == [each["doc"] for each in rows.handshakes] == [0, 1]
