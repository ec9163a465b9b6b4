"""Documents: the fast reading and the patient one agree on all, and nothing that one holds is fatal."""

import base64
import json
import random
from contextlib import contextmanager

import pytest
from archive_samples import (
    CASES,
    IDS,
    KIND_IDS,
    KINDS,
    Rows,
    both,
    document,
    encode_line,
    enveloped,
    read,
    row,
    sample,
    shuffled,
    without,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kzmitm.ooni.archive.documents import decode_typed, without_pages
from kzmitm.ooni.archive.reading import TooLong

STYLES = ("go", "uploader")
NOT_USUAL = {"tlsmiddlebox", "tlsping", "sni_blocking", "echcheck"}
MARKS = (
    '"response":{"body":"',
    '","body_is_truncated":',
    '"ssl_error',
    "\\",
    '\\"',
    "\n",
    "</p>",
    "қ",
    "\u2028",
)
"""What looks like the marks by which pages are cut out."""


@pytest.mark.parametrize(("name", "era"), CASES, ids=IDS)
def test_both_readings_of_every_situation_agree(name, era):
    made = sample(name, era)
    patient = read(enveloped(made)).kept
    rng = random.Random(name)
    for style in STYLES:
        for each in (made, shuffled(made, rng)):
            assert read(encode_line(each, style, {})).kept == patient
    assert read(json.dumps(made, indent=1).encode()).kept == patient


@pytest.mark.parametrize(("name", "era"), KINDS, ids=KIND_IDS)
def test_the_fast_reading_takes_what_probes_write(name, era):
    """Else both would be the patient one, and the agreement nothing."""
    made = sample(name, era)
    for style in STYLES:
        found = decode_typed(encode_line(made, style, {}))
        assert (found is None) is (made["test_name"] in NOT_USUAL)


def with_pages(made, pages, rng):
    """Requests with pages: texts, objects in base64, followed by what follows, or by something else."""
    keys = made["test_keys"]
    for text, form in pages:
        body = {"format": "base64", "data": base64.b64encode(text.encode()).decode()} if form == 0 else text
        response = {"body": body, "body_is_truncated": False, "code": 200, "headers": {"a": text}}
        if form == 1:
            del response["body_is_truncated"]
        if form == 2:
            response = shuffled(response, rng)
        keys.setdefault("requests", []).append({"request": {"body": "", "url": text}, "response": response})
    return made


def with_unknown(value, rng):
    """Keys that nobody knows, at any place."""
    if isinstance(value, list):
        return [with_unknown(each, rng) for each in value]
    if not isinstance(value, dict):
        return value
    more = {key: with_unknown(each, rng) for key, each in value.items()}
    if rng.random() < 0.2:
        more[f"x_{rng.randrange(9)}"] = rng.choice(
            [None, 1e300, [[]], {"tls_handshakes": [5]}, rng.choice(MARKS)]
        )
    return more


def written(made, form):
    if form in STYLES:
        return encode_line(made, form, {})
    spaces = {"wide": (" ,\t", " : "), "lines": (",\n", ": ")}[form]
    return json.dumps(made, separators=spaces, ensure_ascii=form == "wide").encode()


FAILURES = (
    None,
    "",
    5,
    "eof_error",
    "ssl_unknown_authority",
    "unknown_failure: x509: a",
    "dns_nxdomain_error",
)


def with_requests_that_failed(made, failures, rng):
    """Before, behind or without handshakes that have rows, whether the last request is told of or not."""
    keys = made["test_keys"]
    for failure in failures:
        request = {"failure": failure, "request": {"url": "https://b.kz/"}, "response": None}
        keys.setdefault("requests", []).insert(0, request)
    if rng.random() < 0.3:
        keys.pop("tls_handshakes", None)
    elif rng.random() < 0.3:
        keys["tls_handshakes"] = rng.choice([None, []])
    keys["http_experiment_failure"] = rng.choice(FAILURES)
    if rng.random() < 0.3:
        del keys["http_experiment_failure"]
    return made


@given(
    st.sampled_from(CASES),
    st.lists(st.sampled_from(FAILURES), max_size=3),
    st.sampled_from((*STYLES, "wide", "lines")),
    st.integers(0, 2**32),
)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_both_readings_agree_on_requests_that_failed(case, failures, form, seed):
    made = with_requests_that_failed(sample(*case), failures, random.Random(seed))
    assert read(written(made, form)).kept == read(enveloped(made)).kept


TEXTS = st.lists(st.sampled_from(MARKS), max_size=6).map("".join)


@given(
    st.sampled_from(CASES),
    st.lists(st.tuples(TEXTS, st.integers(0, 4)), max_size=4),
    st.booleans(),
    st.booleans(),
    st.sampled_from((*STYLES, "wide", "lines")),
    st.integers(0, 2**32),
)
@settings(max_examples=250, deadline=None, derandomize=True)
def test_both_readings_agree_however_a_document_is_written(case, pages, unknown, shuffle, form, seed):
    rng = random.Random(seed)
    made = with_pages(sample(*case), pages, rng)
    made = with_unknown(made, rng) if unknown else made
    made = shuffled(made, rng) if shuffle else made
    assert read(written(made, form)).kept == read(enveloped(made)).kept


@given(st.lists(st.tuples(TEXTS, st.integers(3, 4)), min_size=1, max_size=4), st.sampled_from(STYLES))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_pages_go_and_all_else_stays(pages, style):
    made = with_pages(document(), pages, random.Random(1))
    found = json.loads(without_pages(encode_line(made, style, {})))
    for request in made["test_keys"]["requests"]:
        request["response"]["body"] = ""
    assert found == made


def test_a_page_that_is_not_followed_as_probes_do_does_not_take_the_handshakes_with_it():
    """Between the page and the next mark stands the list that matters."""
    short = {"response": {"body": "page", "code": 200}}
    long = {"response": {"body": "page", "body_is_truncated": False}}
    keys = {"requests": [short], "tls_handshakes": [row()], "x_other": long}
    line = json.dumps(document(**keys), separators=(",", ":")).encode()
    assert b"tls_handshakes" not in without_pages(line)
    assert [each["failure"] for each in read(line).handshakes] == ["ssl_unknown_authority"]


@pytest.mark.parametrize("key", ["queries", "tcp_connect", "control", "network_events"])
def test_nor_anything_else_that_is_asked_for(key):
    short, long = {"body": "page"}, {"body": "page", "body_is_truncated": False}
    keys = {
        "queries": [{"engine": "system", "answers": [{"ipv4": "10.0.0.1"}]}],
        "tcp_connect": [{"status": {"failure": "connection_refused"}}],
        "control": {"dns": {"addrs": ["192.0.2.1"]}},
        "network_events": [{"operation": "connect", "failure": None, "address": "192.0.2.9:443"}],
        "tls_handshakes": [without(row(), "address", "transaction_id")],
    }
    hidden = {"first": {"response": short}, key: keys.pop(key), "last": {"response": long}}
    made = document()
    made["test_keys"] = keys | hidden
    line = json.dumps(made, separators=(",", ":")).encode()
    assert f'"{key}"'.encode() not in without_pages(line)
    assert read(line).kept == read(enveloped(made)).kept


def paths_of(value, path=()):
    """The places of all values within a value."""
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value[:3])
    else:
        return
    for key, each in inner:
        yield (*path, key)
        yield from paths_of(each, (*path, key))


MISSING = object()
WRONG = {
    "missing": (MISSING,),
    "null": (None,),
    "text": ("x",),
    "number": (1, 2**70, -1.5),
    "other": (True, [None], {"a": 1}),
}


@contextmanager
def changed(made, path, value):
    """The document with another value at one place, for a while."""
    *above, last = path
    place = made
    for key in above:
        place = place[key]
    before = list(place.items()) if isinstance(place, dict) else list(place)
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    yield json.dumps(made)
    place.clear()
    place.update(before) if isinstance(place, dict) else place.extend(before)


def is_read(path):
    """Pages, their headers and what OONI concluded are not, so one place of them stands for all."""
    return not {"requests", "annotations", "extensions", "x_control_request"} & set(path[:-1])


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(("name", "era"), KINDS, ids=KIND_IDS)
@pytest.mark.untraced
def test_every_field_may_be_missing_or_wrong(name, era, wrong):
    """A row or a reason, and never two opinions."""
    made = sample(name, era)
    for path in list(filter(is_read, paths_of(made))):
        for value in wrong:
            fast, patient = Rows(), Rows()
            with changed(made, path, value) as text:
                why = fast.add(text.encode())
                assert patient.add(f'{{"format":"json","content":{text}}}'.encode()) == why
            assert fast.kept == patient.kept
            assert len(fast.measurements) == (why is None)
            is_given = value is not None and value is not MISSING  # else that of the whole run stands for it
            fatal = (path == ("measurement_start_time",) and is_given) or (
                path == ("test_name",) and type(value) is not str
            )
            assert (why is not None) is fatal


def test_what_oonis_interface_tells_of_a_measurement_holds_it():
    """`/api/v1/measurement_meta?full=true` has the document as a text, beside what is said of it."""
    made = sample()
    meta = {"anomaly": True, "measurement_uid": made["measurement_uid"], "test_name": made["test_name"]}
    meta |= {"measurement_start_time": "2024-03-01T12:00:00Z", "raw_measurement": json.dumps(made)}
    assert read(json.dumps(meta).encode()).kept == read(made).kept
    del made["measurement_uid"]
    for raw in (json.dumps(made), made):
        meta["raw_measurement"] = raw
        ((row_of_it,), *_) = read(json.dumps(meta).encode()).kept
        assert row_of_it["uid"] == meta["measurement_uid"]


@pytest.mark.parametrize("raw", ["", "[]", "null", "{", '"x"'])
def test_a_document_that_the_interface_lost_is_none(raw):
    meta = {"measurement_uid": "20240301", "test_name": "web_connectivity", "raw_measurement": raw}
    assert Rows().add(json.dumps(meta).encode()) is not None


BODIES = {
    "half-character": rb"\ud83d",
    "other-half": rb"a\udc00b",
    "octets-that-are-no-text": b"\xff\xfe",
    "character-cut": "қ".encode()[:1],
}


@pytest.mark.parametrize("style", ["page", "other"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("test", ["web_connectivity", "tlsping"])
def test_half_characters_anywhere_do_not_cost_a_measurement(body, style, test):
    """Pages are cut at a length in octets, and names of networks are anything."""
    made = document(tls_handshakes=[row()], pings=[{"tls_handshake": row()}]) | {"test_name": test}
    marks = (
        (b'"response":{"body":"', b'","body_is_truncated":')
        if style == "page"
        else (b'"a":{"b":"', b'","c":')
    )
    made["test_keys"]["requests"] = ["HERE"]
    line = json.dumps(made).encode().replace(b'"HERE"', b"{%s%s%sfalse}}" % (marks[0], body, marks[1]))
    assert read(line).handshakes[0]["failure"] == "ssl_unknown_authority"
    enveloped_line = b'{"format":"json","content":' + line + b"}"
    assert read(enveloped_line).kept == read(line).kept


def test_half_characters_in_what_is_kept():
    for octets in (b"a\xff", rb"a\ud83d"):
        line = json.dumps(document() | {"probe_network_name": "HERE"}).encode().replace(b"HERE", octets)
        assert read(line).measurements[0]["network"] in ("a�", "a?")


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e999", b"-1e999", b"[1.5, NaN]"])
def test_a_number_that_is_none_costs_no_measurement(number):
    """Python writes them, OONI's first probes among what does."""
    made = document(tls_handshakes=[row()])
    made["test_keys"]["x"] = "HERE"
    line = json.dumps(made).encode()
    assert read(line.replace(b'"HERE"', number)).kept == read(line).kept
    made["test_runtime"] = "HERE"
    got = read(json.dumps(made).encode().replace(b'"HERE"', number)).measurements
    assert len(got) == 1


NO_MEASUREMENT = {
    "nothing": (b"", "not JSON: "),
    "no-json": (b"<html>", "not JSON: "),
    "cut": (json.dumps(document()).encode()[:-20], "not JSON: "),
    "deep": (b"[" * 100_000, "not JSON: "),
    "deep-and-whole": (b'{"a":' * 5000 + b"1" + b"}" * 5000, "not JSON: "),
    "not-a-number": (b'{"a":NaNa,"b":"\xff"}', "not JSON: "),
    "list": (b"[]", "not an object"),
    "text": (b'"a"', "not an object"),
    "number": (b"5", "not an object"),
    "other-object": (b'{"a":1}', "no OONI measurement: "),
    "envelope-of-nothing": (b'{"format":"json","content":null}', "not an object"),
    "envelope-of-no-json": (b'{"format":"json","content":"<html>"}', "not JSON: "),
    "envelope-in-envelope": (
        b'{"format":"json","content":{"format":"json","content":{}}}',
        "no OONI measurement: ",
    ),
    "yaml-envelope": (b'{"format":"yaml","content":"a: 1"}', "a report in YAML"),
    "too-long": (TooLong(b"{"), "longer than any measurement; passed over"),
}


@pytest.mark.parametrize(("line", "why"), NO_MEASUREMENT.values(), ids=NO_MEASUREMENT)
def test_what_is_no_measurement_is_named(line, why):
    rows = Rows()
    assert rows.add(line).startswith(why)
    assert rows.kept == ([], [], {}, [])


@pytest.mark.parametrize("depth", range(880, 1000, 7))
def test_depth_is_never_fatal(depth):
    """Decoding and encoding have the same limit, and run at different depths of our own."""
    deep = json.loads("[" * 500 + "]" * 500)
    text = json.dumps(
        document(x_kzmitm={"format": "kzmitm.measurement/1.0", "a": deep}, tls_handshakes=[row()])
    )
    text = text.replace("[" * 500 + "]" * 500, "[" * depth + "]" * depth)
    for line in (text, f'{{"format":"json","content":{text}}}'):
        rows = Rows()
        why = rows.add(line.encode())
        assert why is None or why.startswith("not JSON")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["failure", "address", "status", "data", "addrs", "a"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
KEYS = (
    "queries",
    "tcp_connect",
    "tls_handshakes",
    "control",
    "control_failure",
    "network_events",
    "pings",
    "target",
)


@given(
    st.dictionaries(st.sampled_from(KEYS), JSON | st.lists(JSON, max_size=3)),
    st.sampled_from(["web_connectivity", "tlsping", "sni_blocking", "tlsmiddlebox", "x"]),
)
@example({"tls_handshakes": [{"peer_certificates": [{"data": "QUFB"}, {"data": 5}, {"data": "QUFB"}]}]}, "x")
@example({"tls_handshakes": [{"peer_certificates": [None, {"data": "QUFB"}]}]}, "x")
@settings(max_examples=200, deadline=None, derandomize=True)
def test_test_keys_of_any_shape(keys, test):
    both(document(**keys) | {"test_name": test})
