"""Words that layers below the report say: English, and able to be said in another language later."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

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


def joined(separator: str, parts: Iterable[str]) -> str:
    """The parts with the separator between them, as `str.join`; each keeps its other languages."""
    values: dict[str, object] = {f"part_{number}": part for number, part in enumerate(parts)}
    return Wording(separator.join(f"{{{name}}}" for name in values), **values)


def reason_of(error: BaseException) -> str:
    """Why it failed: the system's word for an OSError, which is known in other languages, else its own."""
    if isinstance(error, OSError) and error.strerror:
        return Wording(error.strerror)
    return str(error)


def one_line(words: str, most: int) -> str:
    """The words as one line of at most `most` characters; those that are one already stay what they are."""
    line = " ".join(words.split())[:most]
    return words if line == words else line


def parts(error: BaseException, hint: str = "") -> dict[str, object]:
    """`error` and `hint` for JSON, in English, with what `put_together` makes the same wordings of."""
    return {
        "error": str(error),
        "hint": hint,
        "parts": {"error": _parts(str(error)), "hint": _parts(hint)},
    }


def put_together(answer: Mapping[str, Any], name: str) -> str:
    """The `error` or `hint` of what `parts` gave and JSON carried; "" where there is none."""
    return _whole(answer.get("parts", {}).get(name, answer.get(name, "")))


def _parts(words: str) -> object:
    if not isinstance(words, Wording):
        return words
    return [words.text, {name: _parts(str(value)) for name, value in words.values.items()}]


def _whole(carried: Any) -> str:
    if isinstance(carried, str):
        return carried
    text, values = carried
    return Wording(text, **{name: _whole(value) for name, value in values.items()})


def _filled(text: str, values: dict[str, object], translate: Translate) -> str:
    def put(place: re.Match[str]) -> str:
        if place[1] not in values:
            return place[0]
        said = str(values[place[1]])
        return said.told(translate) if isinstance(said, Wording) else said

    return _PLACE.sub(put, text) if values else text
