"""The page: proper HTML, nothing in it that acts, whatever strangers called themselves."""

import base64
import hashlib
import itertools
import re
import unicodedata
import warnings

import document_samples as here
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.report.page import SPACES, render_page, style_sheet, visible

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of html5lib's own imports
    import html5lib


def parsed(page):
    """The tree of a page; raises ParseError for any error that the standard names."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def elements(tree):
    return [each for each in tree.iter() if isinstance(each.tag, str)]


PLAIN = elements(parsed(render_page(here.document("plain"))))


def test_every_kind_of_block_is_in_the_sample():
    assert {type(each) for each in here.blocks("x")} == here.kinds()


@pytest.mark.parametrize("text", here.HOSTILE.values(), ids=here.HOSTILE)
def test_hostile_text_makes_no_element_and_no_attribute(text):
    tree = elements(parsed(render_page(here.document(text))))
    assert [(e.tag, sorted(e.attrib)) for e in tree] == [(e.tag, sorted(e.attrib)) for e in PLAIN]


@pytest.mark.parametrize("text", here.HOSTILE.values(), ids=here.HOSTILE)
def test_hostile_text_is_shown_as_it_is_but_for_what_cannot_be_seen(text):
    tree = parsed(render_page(here.document(text)))
    shown = next(each for each in tree.iter("h3"))
    assert "".join(shown.itertext()) == visible(text)


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=60))
def test_any_text_leaves_the_page_as_it_is(text):
    page = render_page(here.document(text)).encode("utf-8")
    tree = elements(parsed(page.decode()))
    assert len(tree) == len(PLAIN)


@given(st.text(st.characters(exclude_categories=())))
def test_everything_can_be_seen(text):
    shown = visible(text)
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
    assert not [c for c in shown if unicodedata.category(c) in hidden and c not in SPACES]


def test_a_long_text_is_shown_whole():
    assert visible("\u202e" * 100_000) == "\\u{202e}" * 100_000


def test_the_policy_lets_in_the_style_of_the_page_and_nothing_else():
    page = render_page(here.document("x"))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)[1].replace(
        "&#39;", "'"
    )
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in styles]
    directives = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "style-src": " ".join(dict.fromkeys(f"'sha256-{digest}'" for digest in digests)),
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_page_needs_nothing_else():
    page = render_page(here.document("x"))
    for each in elements(parsed(page)):
        assert each.tag not in {"script", "link", "iframe", "object", "embed", "form", "base", "img"}
        assert not [name for name in each.attrib if name.startswith("on") or name == "style"]
        assert each.get("href", "#").startswith("#")
    assert "url(" not in style_sheet()
    assert "@import" not in style_sheet()


def test_the_policy_stands_before_all_that_it_governs():
    head = [each.tag for each in elements(parsed(render_page(here.document("x"))).find("head"))]
    assert head.index("meta") < head.index("title") < head.index("style")
    metas = list(parsed(render_page(here.document("x"))).iter("meta"))
    assert [next(iter(e.attrib)) for e in metas][:2] == ["charset", "http-equiv"]


def test_the_language_is_told():
    page = parsed(render_page(here.document("x")))
    assert page.get("lang") == "en"


def test_ids_are_unique_and_headings_never_skip_a_level():
    tree = elements(parsed(render_page(here.document("x"))))
    ids = [each.get("id") for each in tree if each.get("id")]
    assert len(ids) == len(set(ids))
    levels = [int(each.tag[1]) for each in tree if re.fullmatch(r"h[1-6]", each.tag)]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
