"""The page of a report: one HTML file that needs nothing else, runs nothing and asks for nothing.

Jinja2 escapes every text (docs/adr/0037). The content security policy in the page lets in the one style
sheet, by its hash, and nothing else: whatever a forged certificate is called, a browser fetches and runs
nothing for it.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from kzmitm.report.document import Document, Fold, Picture
from kzmitm.report.language import _
from kzmitm.report.safe import UNSEEN, UNSEEN_CATEGORIES

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
TEMPLATES = "templates"
PAGE = "page.html"

SPACES = frozenset(" \n\u00a0\u2009\u202f")
"""Our own texts have line ends, and the spaces that numbers and dates are written with (CLDR)."""


def render_page(document: Document) -> str:
    """The page as text, to be written as UTF-8."""
    style = style_sheet()
    return (
        _environment()
        .get_template(PAGE)
        .render(
            document=document,
            style=Markup(style),  # noqa: S704 (a file of ours)
            policy=content_security_policy([style, *_styles_of_pictures(document)]),
            words={"skip": _("Skip to the content"), "contents": _("In this report")},
        )
    )


def content_security_policy(styles: Iterable[str]) -> str:
    """The policy (CSP level 3) of a page whose style elements hold these texts."""
    digests = (base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in styles)
    allowed = " ".join(dict.fromkeys(f"'sha256-{digest}'" for digest in digests))
    return f"default-src 'none'; style-src {allowed}; base-uri 'none'; form-action 'none'"


def _styles_of_pictures(document: Document) -> Iterator[str]:
    """What stands in style elements of the pictures, which are ours."""
    blocks = [block for section in document.sections for block in section.blocks]
    while blocks:
        match blocks.pop():
            case Picture(svg=svg):
                yield from _STYLE.findall(svg)
            case Fold(blocks=folded):
                blocks += folded
            case _:
                pass


@cache
def style_sheet() -> str:
    """All style sheets of the templates, in the order of their names."""
    files = resources.files("kzmitm.report").joinpath(TEMPLATES).iterdir()
    sheets = sorted((file for file in files if file.name.endswith(".css")), key=lambda file: file.name)
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kind"] = lambda block: type(block).__name__.lower()
    return environment


def _source(name: str) -> str:
    return resources.files("kzmitm.report").joinpath(TEMPLATES, name).read_text(encoding="utf-8")


def _seen(value: Any) -> Any:
    """What goes out of a template: text in which everything can be seen."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def visible(text: str) -> str:
    """The text with an escape in the place of each character that cannot be seen, or turns others round."""
    if text.isascii() and text.isprintable():
        return text
    # By the set of its characters: a text has few different ones, and may be long.
    unseen = {ord(each): _escape(each) for each in set(text) if _is_unseen(each)}
    return text.translate(unseen) if unseen else text


def _is_unseen(character: str) -> bool:
    if character in SPACES:
        return False
    return unicodedata.category(character) in UNSEEN_CATEGORIES or character in UNSEEN


def _escape(character: str) -> str:
    return f"\\u{{{ord(character):x}}}"
