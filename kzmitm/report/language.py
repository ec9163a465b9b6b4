"""The language of what people read: English is written in the code, and a catalogue may replace it.

`_` stands in the body of a function and gives the words of the language spoken there and then. `N_`
marks a text of a table, which is made once, before any language is chosen; who takes it from the table
says `_` of it, unless the table is `Words`, which says it itself. The catalogues are gettext's and lie
in `locale/`; tools/catalogues.py makes them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any, TypeVar, cast

from kzmitm.wording import Wording

LANGUAGES = ("en", "ru", "kk")
"""The languages spoken, by their codes of ISO 639-1."""

VARIABLE = "KZMITM_LANG"
"""The variable of the environment that chooses a language for this program alone."""

_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""In the order of POSIX.1-2017, XBD 8.2. GNU's LANGUAGE goes before them, unless they say "C"."""

_ENGLISH = NullTranslations()
_SPOKEN: ContextVar[NullTranslations | None] = ContextVar("spoken", default=None)
_of_process: NullTranslations = _ENGLISH

K = TypeVar("K")
V = TypeVar("V")


def _(text: str) -> str:
    """The words of the language spoken here for an English text or `Wording`; itself where there are none."""
    if not text:
        return text
    said = _spoken().gettext
    return text.told(said) if isinstance(text, Wording) else said(text)


def N_(text: str) -> str:  # noqa: N802 (the name that gettext's tools know)
    """The text itself, marked for translators."""
    return text


def ngettext(one: str, many: str, count: int) -> str:
    """The form of the language spoken here that goes with `count`, from the two forms of English."""
    return _spoken().ngettext(one, many, count)


class Words(Mapping[K, V]):
    """A table of texts marked with `N_`, or of tuples of such; read, it gives them in the language spoken."""

    def __init__(self, marked: Mapping[K, V]) -> None:
        self._marked = marked

    def __getitem__(self, key: K) -> V:
        return cast("V", _said(self._marked[key]))

    def __iter__(self) -> Iterator[K]:
        return iter(self._marked)

    def __len__(self) -> int:
        return len(self._marked)


def _said(marked: Any) -> Any:
    return _(marked) if isinstance(marked, str) else tuple(map(_said, marked))


def language_spoken() -> str:
    """The one of LANGUAGES that is spoken here."""
    return _spoken().info().get("language", "en")


@contextmanager
def speaking(catalogue: NullTranslations, *, in_threads: bool = False) -> Iterator[None]:
    """Speak by this catalogue in this context, and in the tasks that inherit it.

    `in_threads` is for a program that speaks one language: its threads, which inherit no context, do too.
    """
    global _of_process  # noqa: PLW0603 (threads have nothing else in common)
    before, before_in_process = _SPOKEN.set(catalogue), _of_process
    if in_threads:
        _of_process = catalogue
    try:
        yield
    finally:
        _SPOKEN.reset(before)
        _of_process = before_in_process


@cache
def catalogue_of(language: str) -> NullTranslations:
    """The catalogue of one of LANGUAGES; raises KeyError for another."""
    if language not in LANGUAGES:
        raise KeyError(language)
    if language == "en":
        return _ENGLISH
    with (Path(__file__).parent / "locale" / f"{language}.mo").open("rb") as file:
        return GNUTranslations(file)


def preferred(environment: Mapping[str, str]) -> str:
    """The one of LANGUAGES that the variables of the environment ask for; English if they ask for none."""
    own = _code(environment.get(VARIABLE, ""))
    if own in LANGUAGES:
        return own
    locale = next(filter(None, map(environment.get, _LOCALE_VARIABLES)), "")
    wishes = environment.get("LANGUAGE", "").split(":")
    if _code(locale) in ("c", "posix"):
        return "en"
    return next((code for code in map(_code, [*wishes, locale]) if code in LANGUAGES), "en")


def _code(locale: str) -> str:
    """`kk` of `kk_KZ.UTF-8`."""
    return locale.partition(".")[0].partition("@")[0].partition("_")[0].partition("-")[0].lower()


def _spoken() -> NullTranslations:
    return _SPOKEN.get() or _of_process
