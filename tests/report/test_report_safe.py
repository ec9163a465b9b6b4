"""Nothing that a stranger writes moves the cursor, hides, or pretends to be a line of ours."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.report.safe import ELLIPSIS, MAX_LENGTH, harmless, harmless_lines

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)  # lone surrogates too


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("Security Certificate", "Security Certificate"),
        ("НЕГІЗГІ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ", "НЕГІЗГІ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ"),
        ("\x1b[2J\x1b[31mCLEAN", "\\x1b[2J\\x1b[31mCLEAN"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nCLEAN  b", "a\\x0aCLEAN  b"),
        ("a\rb\tc\x00d\x7f", "a\\x0db\\x09c\\x00d\\x7f"),
        ("\u202emoc.elgoog", "\\u202emoc.elgoog"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("goo\u200bgle\ufeff\u00ad", "goo\\u200bgle\\ufeff\\xad"),
        ("a\u2028b\u2029c\u0085", "a\\u2028b\\u2029c\\x85"),
        ("\U000e0041", "\\U000e0041"),
        ("\ue000\U0010ffff\u0378", "\\ue000\\U0010ffff\\u0378"),
        ("\ud800x\udfff", "\\ud800x\\udfff"),
        ("\u3164\u2800\ufe0f", "\\u3164\\u2800\\ufe0f"),
        ("a\u00a0b\u3000c", "a\\xa0b\\u3000c"),
        ("\u0301e\u0301", "\\u0301e\u0301"),
        ("e\u0301\u0302\u0303\u0304", "e\u0301\u0302\\u0303\\u0304"),
        ("", ""),
    ],
)
def test_what_is_shown(hostile, shown):
    assert harmless(hostile) == shown


@settings(deadline=None)
@given(ANY_TEXT)
def test_everything_shown_is_visible(text):
    shown = harmless(text)
    assert all(c == " " or unicodedata.category(c)[0] not in "CZ" for c in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


@settings(deadline=None)
@given(ANY_TEXT, st.integers(0, 400))
def test_length_is_bounded_and_a_cut_is_shown(text, max_length):
    shown = harmless(text, max_length)
    assert len(shown) <= max_length
    if len(text) > max_length > 0:
        assert shown.endswith(ELLIPSIS)


@settings(deadline=None)
@given(st.text(st.sampled_from("\x1b\u202e\U000e0041a"), max_size=60), st.integers(1, 60))
def test_a_cut_never_halves_an_escape(text, max_length):
    shown = harmless(text, max_length).removesuffix(ELLIPSIS)
    assert harmless(text, 10_000).startswith(shown)
    rest = shown.replace("\\x1b", "").replace("\\u202e", "").replace("\\U000e0041", "")
    assert rest.strip("a") == ""


@settings(deadline=None)
@given(ANY_TEXT)
def test_doing_it_twice_changes_nothing(text):
    once = harmless(text)
    assert harmless(once) == once


def test_a_huge_string_costs_no_more_than_what_is_shown():
    assert len(harmless("\x1b" * 50_000_000)) <= MAX_LENGTH
    assert len(harmless("a" * 50_000_000)) == MAX_LENGTH


def test_lines_are_kept_as_lines():
    assert harmless_lines("a\nb\x1b\r\n\u2028c") == ("a", "b\\x1b\\x0d", "\\u2028c")
