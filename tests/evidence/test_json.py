import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.evidence.damage import Code
from kzmitm.evidence.json_reader import UnreadableJSONError, parse_json
from kzmitm.evidence.json_writer import canonical

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_is_read(value):
    assert parse_json(canonical(value)) == value


@given(st.dictionaries(st.text(max_size=5), VALUES))
def test_the_order_of_keys_does_not_show(value):
    backwards = dict(reversed(list(value.items())))
    assert canonical(value) == canonical(backwards)
    assert b"\n" not in canonical(value)


@given(st.binary(max_size=60) | st.text('[]{}:,"\\u0dD8eE-1.tfn ', max_size=40).map(str.encode))
def test_anything_is_read_or_refused(data):
    try:
        parse_json(data)
    except UnreadableJSONError:
        return
    json.loads(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff", "not UTF-8 at octet 0"),
        (b"\xef\xbb\xbf{}", "line 1"),
        (b"{", "line 1, column 2"),
        (b'{"a', "string starting at line 1"),
        (b"1 2", "Extra data"),
        (b'{"a":1,"b":2,"a":3}', "key 'a' twice"),
        (b'[{"x":{"\\u0061":1,"a":3}}]', "key 'a' twice"),
        (b"[NaN]", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"1e999", "out of range"),
        (b"9" * 20, "more than 19 digits"),
        (b"-" + b"9" * 5000, "more than 19 digits"),
        (b"[" * 33 + b"]" * 33, "deeper than 32"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "deeper than 32"),
        (b"[" * 200_000, "deeper than 32"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\uDC00":1}', "surrogate"),
    ],
)
def test_what_two_readers_could_take_for_two_things_is_refused(data, message):
    with pytest.raises(UnreadableJSONError, match=message):
        parse_json(data)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"[" * 32 + b"]" * 32, None),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b"-9223372036854775808", -(2**63)),
        (b" 1.5 ", 1.5),
    ],
)
def test_what_is_just_allowed(data, value):
    found = parse_json(data)
    assert value is None or found == value


def test_a_document_that_is_too_long():
    with pytest.raises(UnreadableJSONError, match="longer than 3"):
        parse_json(b"1234", max_bytes=3)


@pytest.mark.parametrize("data", [b"1.5", b"[1e2]", b'{"a":-0.0}', b"[NaN]", b"1E400"])
def test_without_floats_every_fraction_is_refused(data):
    with pytest.raises(UnreadableJSONError) as caught:
        parse_json(data, floats=False)
    assert caught.value.code is Code.JSON_NUMBER
    assert parse_json(b"[1,-2]", floats=False) == [1, -2]


@given(VALUES)
def test_what_we_write_is_plain(value):
    assert parse_json(canonical(value), floats=False, plain=True) == value


@pytest.mark.parametrize("character", "\x9b\u00ad\u200b\u202e\u2028\u2066\ufeff")
def test_what_steers_a_terminal_is_no_plain_text(character):
    text = f'"a{character}b"'.encode()
    assert parse_json(text) == f"a{character}b"
    with pytest.raises(UnreadableJSONError, match="steers") as caught:
        parse_json(text, plain=True)
    assert caught.value.code is Code.JSON_TEXT
    assert parse_json(canonical(f"a{character}b"), plain=True) == f"a{character}b"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff", Code.JSON_TEXT),
        (b"{", Code.JSON_SYNTAX),
        (b'{"a":1,"a":2}', Code.JSON_DUPLICATE_KEY),
        (b"[" * 40 + b"]" * 40, Code.JSON_DEPTH),
        (b"[" * 200_000, Code.JSON_DEPTH),
        (b"9" * 20, Code.JSON_NUMBER),
        (b'"\\ud800"', Code.JSON_TEXT),
    ],
)
def test_each_kind_of_damage_has_its_code(data, code):
    with pytest.raises(UnreadableJSONError) as caught:
        parse_json(data)
    assert caught.value.code is code
    with pytest.raises(UnreadableJSONError) as caught:
        parse_json(data, max_bytes=0)
    assert caught.value.code is Code.FILE_TOO_LONG


@pytest.mark.parametrize("value", [1.0, [1.5], {"a": ({"b": [0.1]},)}])
def test_floats_only_where_they_are_allowed(value):
    with pytest.raises(ValueError, match="float"):
        canonical(value)
    canonical(value, floats=True)
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical([float("nan")], floats=True)


def test_half_pairs_and_what_steers_a_terminal():
    assert canonical("a\ud800b") == b'"a?b"'
    assert canonical("\x1b\x7f\x9b\u202eевil\u2066") == '"\\u001b\\u007f\\u009b\\u202eевil\\u2066"'.encode()
    assert canonical("қазақ") == '"қазақ"'.encode()
