"""Markdown and CSV: what strangers wrote stays text there too. The formats, found by their files."""

import csv
import io

import document_samples as here
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kzmitm.errors import UsageError
from kzmitm.report.format import format_named, format_names
from kzmitm.report.formats import csv as csv_format
from kzmitm.report.formats import md
from kzmitm.report.page import visible

ACTIVE = {"link_open", "image", "html_inline", "html_block"}


def tokens(text):
    """All tokens of a text in CommonMark with GitHub's tables and struck words."""
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return [
        each
        for token in reader.parse(text)
        for each in (token, *(token.children or ()))
        if each.type != "inline"
    ]


def kinds_of(document):
    return [each.type for each in tokens(md.render(document).decode())]


def words_of(text):
    return "".join(each.content for each in tokens(text) if each.type in {"text", "code_inline"})


def structure(kinds):
    """Without what stands inside a line: a word may become code, which is no structure."""
    inside = {"text", "code_inline"}
    return [each for each in kinds if each not in inside]


PLAIN = structure(kinds_of(here.document("plain")))


def test_there_is_a_format_of_each_kind():
    assert format_names() == ("csv", "html", "md", "pdf")
    for name in format_names():
        assert callable(format_named(name).render)


def test_an_unknown_format_is_refused():
    with pytest.raises(UsageError, match="no such format: docx"):
        format_named("docx")


@pytest.mark.parametrize("text", here.HOSTILE.values(), ids=here.HOSTILE)
def test_hostile_text_is_no_markdown(text):
    kinds = kinds_of(here.document(text))
    assert not ACTIVE & set(kinds)
    assert structure(kinds) == PLAIN


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("`*_[](){}<>#+-.!|~&$\\'\":@/=1w \n") | st.characters(), max_size=40))
def test_any_text_is_read_back_as_it_was(text):
    escaped = md.escape(text)
    assert "\n" not in escaped
    assert not ACTIVE & {each.type for each in tokens(escaped)}
    read = words_of(escaped).replace("|", "¦")
    assert read.split() == visible(text).replace("|", "¦").split()


@pytest.mark.parametrize(
    "text", ["www.evil.test", "http://evil.test", "who@evil.test", "@everyone", "see #12", "xmpp:a"]
)
def test_what_github_links_by_itself_is_code(text):
    last = text.split()[-1]
    assert f"`{last}`" in md.escape(text)
    assert f"`{last}`, and more" in md.escape(f"{text}, and more")


@given(st.text("`ab |", min_size=1, max_size=20))
def test_code_cannot_be_left(text):
    if text.strip():
        assert [each.type for each in tokens(md.code(text)) if each.content] == ["code_inline"]


@given(st.lists(st.text("`~ab\n", max_size=12), max_size=4))
def test_a_fence_cannot_be_closed_from_inside(lines):
    found = [each.type for each in tokens(md.fenced(tuple(lines)))]
    assert found == ["fence"]


def rows_of(octets):
    assert octets.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(octets.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("text", here.HOSTILE.values(), ids=here.HOSTILE)
def test_no_cell_begins_as_a_formula(text):
    (head, row) = rows_of(csv_format.render(here.document(text)))
    assert head == ["a", "b"]
    assert row[0].lstrip()[:1] not in {"=", "+", "-", "@", "|", "%", "\t", "\uff1d"}
    assert visible(text) in row[0]


@given(st.text(max_size=30))
def test_a_table_keeps_its_shape(text):
    rows = rows_of(csv_format.render(here.document(text)))
    assert [len(row) for row in rows] == [2, 2]
