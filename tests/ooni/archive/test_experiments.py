"""Where each of OONI's experiments keeps its handshakes, and what the row itself does not tell."""

import pytest
from archive_samples import both, document, enveloped, read, row, sample, without

from kzmitm.ooni.experiment import (
    MAX_OBJECTS,
    OTHER_NAME,
    RESOLVER,
    TRACE,
    UNCHECKED,
    experiments,
    handshakes_of,
    is_usual,
    objects,
)

CONNECT = {"operation": "connect", "failure": None, "address": "95.59.1.9:443", "t": 0.1}
TESTS = {
    "web_connectivity": True,
    "urlgetter": True,
    "kzmitm": True,
    "dnscheck": False,
    "echcheck": False,
    "sni_blocking": False,
    "tlsmiddlebox": False,
    "tlsping": False,
}


def found_in(test, keys, *options: str):
    return list(handshakes_of(test)(keys, frozenset(options)))


def test_every_experiment_has_one_file():
    assert set(experiments()) == set(TESTS)
    assert {name: is_usual(name) for name in experiments()} == TESTS
    assert is_usual("signal")
    assert handshakes_of("signal") is handshakes_of("web_connectivity")


def handshakes(made):
    """Rows of a whole measurement, as far as experiments differ in them."""
    names = ("ip", "name", "failure", "role", "verified", "control")
    return [tuple(each[name] for name in names) for each in both(made)[1]]


REAL = {
    "isca_no_tls_verify": [("", "", False, "")],
    "clean_no_tls_verify": [("", "", False, "")],
    "isca_tlsmiddlebox": [("generic_timeout_error", TRACE, False, "ok")] * 4 + [("", TRACE, False, "ok")],
    "isca_tlsping": [("ssl_unknown_authority", "", True, "")] * 2,
    "isca_sni_blocking": [("ssl_unknown_authority", OTHER_NAME, True, "ok")],
    "clean_sni_blocking": [("ssl_invalid_hostname", OTHER_NAME, True, "ok")],
    "isca_echcheck": [("ssl_unknown_authority", "", False, "")] * 2,
    "isca_intermediate": [("ssl_unknown_authority", "", True, "ok")],
}


@pytest.mark.parametrize(("name", "expected"), REAL.items(), ids=REAL)
def test_documents_as_they_are_written(name, expected):
    made = sample(name)
    found = both(made)[1]
    assert [(each["failure"], each["role"], each["verified"]) for each in found] == [
        each[:3] for each in expected
    ]
    assert {each["test"] for each in found} == {made["test_name"]}
    assert all(each["ip"] and each["name"] for each in found)
    assert found[-1]["chain"]
    if made["test_name"] in ("sni_blocking", "web_connectivity"):
        assert [each["control"] for each in found] == [each[3] for each in expected]


def trace(name="example.kz", address="95.59.1.1:443", **handshake):
    made = {"ttl": 1, "handshake": row(**handshake)}
    other = {"server_name": "example.com", "iterations": [{"ttl": 1, "handshake": row(failure="control")}]}
    return {
        "address": address,
        "target_trace": {"server_name": name, "iterations": [made]},
        "control_trace": other,
    }


TRACES = {
    "list": ([trace(), trace(name="b.kz")], ["example.kz", "example.kz"]),
    "object": (trace(), ["example.kz"]),
    "name-of-the-trace": ([trace("c.kz") | {"x": 1}], ["example.kz"]),
    "null": (None, []),
    "other": (["x", 5, None, [], {}], []),
    "no-target": ([{"target_trace": None, "control_trace": {}}], []),
    "no-iterations": ([{"target_trace": {"server_name": "a", "iterations": None}}], []),
    "no-handshake": ([{"target_trace": {"iterations": [{"ttl": 1, "handshake": None}, {"ttl": 2}, 5]}}], []),
}


@pytest.mark.parametrize(("traces", "names"), TRACES.values(), ids=TRACES)
def test_traces_of_the_targets_name_count(traces, names):
    made = document(iterative_trace=traces) | {"test_name": "tlsmiddlebox"}
    found = both(made)[1]
    assert [each["name"] for each in found] == names
    assert {each["role"] for each in found} <= {TRACE}
    assert not any(each["verified"] for each in found)


def test_a_trace_tells_address_and_name_where_its_handshakes_do_not():
    bare = trace("example.kz")
    bare["target_trace"]["iterations"][0]["handshake"] = {"failure": "eof_error"}
    made = document(iterative_trace=[bare]) | {"test_name": "tlsmiddlebox"}
    assert handshakes(made) == [("95.59.1.1", "example.kz", "eof_error", TRACE, False, "")]


PINGS = {
    "two": ([{"tls_handshake": row()}, {"tls_handshake": row(failure=None)}], ["ssl_unknown_authority", ""]),
    "no-connection": (
        [{"tls_handshake": None, "tcp_connect": {}}, {"tls_handshake": row()}],
        ["ssl_unknown_authority"],
    ),
    "null": (None, []),
    "other": ({"a": 1}, []),
}


@pytest.mark.parametrize(("pings", "failures"), PINGS.values(), ids=PINGS)
def test_every_ping_is_a_handshake(pings, failures):
    assert [each[2] for each in handshakes(document(pings=pings) | {"test_name": "tlsping"})] == failures


def test_the_events_of_a_ping_are_its_own():
    old = without(row(), "address", "transaction_id")
    pings = [
        {"tls_handshake": old, "network_events": [CONNECT | {"address": f"95.59.1.{number}:443"}]}
        for number in (1, 2)
    ]
    found = handshakes(document(pings=pings[:1]) | {"test_name": "tlsping"})
    assert [each[0] for each in found] == ["95.59.1.1"]
    assert found_in("tlsping", {"pings": pings})[1].events == [CONNECT | {"address": "95.59.1.2:443"}]


def parts(target, control):
    return document(target={"tls_handshakes": target}, control={"tls_handshakes": control}) | {
        "test_name": "sni_blocking"
    }


SNI = {
    "control-answered": ([row()], [row(failure=None)], ["ok"]),
    "control-failed": ([row()], [row(failure="eof_error")], [""]),
    "one-of-two": ([row()], [row(), row(failure=None)], ["ok"]),
    "no-control": ([row()], None, [""]),
    "cached-control": ([row()], [], [""]),
    "no-target": (None, [row(failure=None)], []),
    "no-address": ([row(address="")], [row(failure=None)], [""]),
}


@pytest.mark.parametrize(("target", "control", "words"), SNI.values(), ids=SNI)
def test_the_control_of_another_name_is_the_contrast(target, control, words):
    found = handshakes(parts(target, control))
    assert [each[5] for each in found] == words
    assert {each[3] for each in found} <= {OTHER_NAME}


@pytest.mark.parametrize(
    "keys", [{}, {"target": None, "control": None}, {"target": [], "control": 5}], ids=repr
)
def test_sni_blocking_without_its_parts_has_no_handshakes(keys):
    assert found_in("sni_blocking", keys) == []


@pytest.mark.parametrize("test", ["web_connectivity", "urlgetter", "kzmitm", "facebook_messenger"])
def test_most_have_a_list(test):
    assert [
        each[2]
        for each in handshakes(document(tls_handshakes=[row(), row(failure="a")]) | {"test_name": test})
    ] == [
        "ssl_unknown_authority",
        "a",
    ]
    assert [each.verified for each in found_in(test, {"tls_handshakes": [row()]}, UNCHECKED)] == [False]
    assert [each.verified for each in found_in(test, {"tls_handshakes": [row()]}, "NoTLSVerify=false")] == [
        True
    ]


def test_echcheck_asks_the_roots_of_the_device():
    """The engine gives it no list of roots, and the system's may hold an interceptor's."""
    made = document(tls_handshakes=[row(failure=None), row()]) | {"test_name": "echcheck"}
    assert [each[4] for each in handshakes(made)] == [False, False]


LOOKUPS = {
    "two": ({"dot://a/": {"tls_handshakes": [row()]}, "doh": {"tls_handshakes": [row(failure=None)]}}, 2),
    "null": (None, 0),
    "list": ([{"tls_handshakes": [row()]}], 0),
    "other": ({"dot://a/": None, "dot://b/": {"tls_handshakes": None}}, 0),
}


@pytest.mark.parametrize(("lookups", "count"), LOOKUPS.values(), ids=LOOKUPS)
def test_every_lookup_of_dnscheck_has_handshakes_of_its_own(lookups, count):
    found = handshakes(document(lookups=lookups) | {"test_name": "dnscheck", "input": "dot://dns.google/"})
    assert len(found) == count
    assert {each[3:5] for each in found} <= {("", True)}


def resolver(**fields):
    return row(server_name="dns.google", address="8.8.8.8:443", **fields)


DOH = {
    "refused": ({"tls_handshakes": [resolver(), resolver(failure=None), resolver()]}, 2),
    "verified": ({"tls_handshakes": [resolver(failure=None)]}, 0),
    "nothing-kept": (
        {"tls_handshakes": [resolver(peer_certificates=[]), resolver(peer_certificates=None)]},
        0,
    ),
    "empty": ({"tls_handshakes": []}, 0),
    "null": (None, 0),
    "no-list": ({"tls_handshakes": None}, 0),
    "other": ({"tls_handshakes": [None, 5]}, 0),
    "list": ([], 0),
}


@pytest.mark.parametrize(("doh", "count"), DOH.values(), ids=DOH)
def test_a_resolver_that_was_refused_is_looked_at(doh, count):
    """0.5 keeps the handshakes of its own resolvers apart; of those only interceptors count."""
    found = handshakes(document(tls_handshakes=[row(failure=None)], x_doh=doh))
    assert found[0][1:4] == ("example.kz", "", "")
    assert [each[:4] for each in found[1:]] == [
        ("8.8.8.8", "dns.google", "ssl_unknown_authority", RESOLVER)
    ] * count


REQUESTS = {
    "refused": ("ssl_error: error:14007086:SSL routines:CONNECT_CR_CERT:certificate verify failed", 1),
    "no-tls": ("ssl_error: error:1400410B:SSL routines:CONNECT_CR_SRVR_HELLO:wrong version number", 1),
    "refused-then": ("ssl_invalid_certificate self signed certificate", 1),
    "other-name": ("ssl_invalid_hostname", 1),
    "no-certificate": ("ssl_no_certificate", 1),
    "engine": ("ssl_unknown_authority", 1),
    "unmapped": ("unknown_failure: x509: unhandled critical extension", 1),
    "twisted": ("[('SSL routines', 'ssl3_get_server_certificate', 'certificate verify failed')]", 1),
    "own-fault": ("ssl_ctx_new_error", 0),
    "afterwards": ("ssl_dirty_shutdown", 0),
    "reset": ("connection_reset", 0),
    "null": (None, 0),
    "number": (5, 0),
}


@pytest.mark.parametrize(("failure", "count"), REQUESTS.values(), ids=REQUESTS)
def test_requests_told_of_handshakes_that_had_no_list(failure, count):
    requests = [{"failure": failure, "request": {"url": "https://www.Example.kz:8443/a"}}]
    for keys in (
        {"requests": requests},
        {"requests": requests, "tls_handshakes": None},
        {"requests": requests, "http_experiment_failure": failure},
        {"requests": requests, "http_experiment_failure": failure, "tls_handshakes": []},
    ):
        found = handshakes({**document(), "test_keys": keys})
        assert [(each[1], each[2]) for each in found] == [("www.example.kz", failure)] * count
    for keys in (
        {"requests": requests, "tls_handshakes": []},
        {"requests": requests, "http_experiment_failure": None},
        {"requests": requests, "http_experiment_failure": "eof_error"},
    ):
        assert handshakes({**document(), "test_keys": keys}) == []


def test_a_redirect_that_was_refused_is_not_hidden_by_a_page_that_was_not():
    """Until version 0.5 of web_connectivity only the site itself has rows."""
    requests = [
        {"failure": "ssl_unknown_authority", "request": {"url": "https://www.example.kz/"}},
        {"failure": None, "request": {"url": "https://example.kz/"}},
    ]
    keys = {"requests": requests, "http_experiment_failure": "ssl_unknown_authority"}
    made = document(tls_handshakes=[row(failure=None)], **keys)
    assert [each[:3] for each in handshakes(made)] == [
        ("192.0.2.1", "example.kz", ""),
        ("", "www.example.kz", "ssl_unknown_authority"),
    ]
    made = document(tls_handshakes=[row()], **keys)
    assert [each[:3] for each in handshakes(made)] == [("192.0.2.1", "example.kz", "ssl_unknown_authority")]


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ({"url": "https://[2001:db8::1]/"}, "2001:db8::1"),
        ({"url": "https://яндекс.рф/"}, "xn--d1acpjx3f.xn--p1ai"),
        ({"url": "https://[::1"}, ""),
        ({"url": "https://"}, ""),
        ({"url": 5}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_name_is_that_of_the_request(sent, name):
    made = document(requests=[{"failure": "ssl_invalid_hostname", "request": sent}])
    assert [each[1] for each in handshakes(made)] == [name]


def test_only_objects_of_a_list_are_looked_at_and_not_too_many():
    assert objects([{"a": 1}, None, 5, "x", [], {}]) == [{"a": 1}, {}]
    assert [objects(value) for value in (None, {}, "x", 5)] == [[]] * 4
    assert len(objects([{}] * (MAX_OBJECTS + 1))) == MAX_OBJECTS


@pytest.mark.untraced
def test_all_pings_and_traces_together_are_bounded():
    """Each trace may have as many as there may be, and so may there be traces."""
    one = trace()
    one["target_trace"]["iterations"] *= 100
    made = document(iterative_trace=[one] * 100) | {"test_name": "tlsmiddlebox"}
    assert len(read(enveloped(made)).handshakes) == MAX_OBJECTS
