"""The language of the command: that of `--lang`, else of the environment; chosen before words are parsed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TextIO

from kzmitm.report.language import LANGUAGES, preferred

OPTION = "--lang"

LETTERS = {"en": "", "ru": "БЯбя", "kk": "ӘәҒғҚқҢңӨөҰұҮүҺһІі"}
"""What an encoding must have for a language; code pages 1251 and 866 lack the Kazakh letters."""


def language_of(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """The one of LANGUAGES to speak. A value that is none of them is left for the parser to complain of."""
    return _asked_for(argv) or preferred(environment)


def _asked_for(argv: Sequence[str]) -> str | None:
    own = argv[: argv.index("--")] if "--" in argv else argv
    given = [value for word, value in pairwise(own) if word == OPTION]
    given += [word.removeprefix(f"{OPTION}=") for word in own if word.startswith(f"{OPTION}=")]
    return next((value for value in given if value in LANGUAGES), None)


def shown_language(argv: Sequence[str], environment: Mapping[str, str], terminals: Iterable[TextIO]) -> str:
    """As `language_of`; but English where a terminal has not the letters, unless --lang insists."""
    language = language_of(argv, environment)
    if _asked_for(argv) is None and not all(map(has_letters(language), terminals)):
        return "en"
    return language


def has_letters(language: str) -> Callable[[TextIO], bool]:
    """Whether a stream can show the letters of a language."""

    def has(stream: TextIO) -> bool:
        try:
            LETTERS[language].encode(stream.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    return has


def first_word(argv: Sequence[str]) -> str:
    """The first word that is no option nor the value of --lang; "" if there is none."""
    pairs = zip(argv, ["", *argv], strict=False)
    return next((word for word, before in pairs if not word.startswith("-") and before != OPTION), "")
