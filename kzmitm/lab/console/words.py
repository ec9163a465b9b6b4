"""The words of the page: it is written in English, and asks for those of the language spoken."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from html.parser import HTMLParser

from kzmitm.lab.console.page import page
from kzmitm.report.language import _

_SAID = re.compile(r'\bt\(("(?:[^"\\]|\\.)+")')
"""How the script of the page marks a text."""


@cache
def texts() -> tuple[str, ...]:
    """Every text of the page in English: what stands in its elements, and what its script says."""
    source = page().decode()
    elements = _Elements()
    elements.feed(source)
    said = (json.loads(literal) for literal in _SAID.findall(source))
    return tuple(dict.fromkeys([*elements.texts, *said]))


def words() -> Mapping[str, str]:
    """The texts that the language spoken has other words for."""
    return dict(_translated())


def _translated() -> Iterator[tuple[str, str]]:
    for text in texts():
        said = _(text)
        if said != text:
            yield text, said


class _Elements(HTMLParser):
    """Collects the texts between tags, but neither style nor script."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        text = data.strip()
        is_name = self.get_starttag_text() == "<kbd>"
        if self.cdata_elem is None and any(map(str.isalpha, text)) and not is_name:
            self.texts.append(text)
