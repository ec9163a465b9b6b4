"""The language of what people read: English is written in the code, and a catalogue may replace it.

`_` stands in the body of a function and gives the words of the language spoken there and then. `N_`
marks a text of a table, which is made once, before any language is chosen; who takes it from the table
says `_` of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from gettext import NullTranslations

_ENGLISH = NullTranslations()
_SPOKEN: ContextVar[NullTranslations | None] = ContextVar("spoken", default=None)


def _(text: str) -> str:
    """The words of the language spoken here for the English `text`; the text itself where there are none."""
    return (_SPOKEN.get() or _ENGLISH).gettext(text) if text else text


def N_(text: str) -> str:  # noqa: N802 (the name that gettext's tools know)
    """The text itself, marked for translators."""
    return text


def ngettext(one: str, many: str, count: int) -> str:
    """The form of the language spoken here that goes with `count`, from the two forms of English."""
    return (_SPOKEN.get() or _ENGLISH).ngettext(one, many, count)


@contextmanager
def speaking(catalogue: NullTranslations) -> Iterator[None]:
    """Speak by this catalogue in this context, and in the tasks and threads that inherit it."""
    before = _SPOKEN.set(catalogue)
    try:
        yield
    finally:
        _SPOKEN.reset(before)
