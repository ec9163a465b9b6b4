"""Words that layers below the report say: English, and able to be said in another language later."""

import re
from collections.abc import Callable
from typing import Self

Translate = Callable[[str], str]
"""Gives the words of another language for an English text."""

_PLACE = re.compile(r"\{([a-z_][a-z0-9_]*)\}", re.ASCII)


class Wording(str):
    """An English text that remembers what was put into it: `Wording("{path} is empty", path=path)`.

    It is the English text wherever a string is wanted, as in JSON; `kzmitm.report.language._` says it in
    the language spoken. The first argument is a literal, so that tools/catalogues.py finds it. Braces that
    name no value stay, as what strangers wrote may hold them.
    """

    __slots__ = ("text", "values")

    text: str
    values: dict[str, object]

    def __new__(cls, text: str, /, **values: object) -> Self:
        wording = super().__new__(cls, _filled(text, values, str))
        wording.text = text
        wording.values = values
        return wording

    def told(self, translate: Translate) -> str:
        """The words in another language, with those of the values that are words of ours too."""
        return _filled(translate(self.text), self.values, translate)

    def __str__(self) -> str:
        return self  # the string alone would forget; `str(error)` is this too

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, object]]:
        return (self.text,), self.values


def _filled(text: str, values: dict[str, object], translate: Translate) -> str:
    def put(place: re.Match[str]) -> str:
        if place[1] not in values:
            return place[0]
        said = str(values[place[1]])
        return said.told(translate) if isinstance(said, Wording) else said

    return _PLACE.sub(put, text) if values else text
