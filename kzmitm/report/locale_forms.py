"""Dates and numbers as the language of the report writes them, by the tables of CLDR in `babel`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date as Date  # noqa: N812 (the functions here have the short names)
from datetime import datetime, timedelta

_OF_YEAR = re.compile("\\sг[.]$")  # noqa: RUF001 (Cyrillic)
"""Russian dates end with a short word for "year", whose full stop would be doubled at a sentence's end."""
_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})", re.ASCII)
_ENGLISH = "en"
_LANGUAGE: ContextVar[str] = ContextVar("language", default=_ENGLISH)


@contextmanager
def written_in(language: str) -> Iterator[None]:
    """Write dates and numbers for readers of this language (a tag such as `kk`) in this context."""
    before = _LANGUAGE.set(language)
    try:
        yield
    finally:
        _LANGUAGE.reset(before)


def language() -> str:
    """The tag of the language that is written here."""
    return _LANGUAGE.get()


def date(day: Date | datetime) -> str:
    """A day, `2 January 2026`; of a time its day in UTC."""
    from babel.dates import format_date  # noqa: PLC0415 (a tenth of a second, and not every verb needs it)

    return _OF_YEAR.sub("", format_date(day, format="long", locale=_locale()))


def moment(when: datetime) -> str:
    """A time to the minute with its zone, which is that of `when`: `2 January 2026, 15:04 UTC`."""
    return f"{date(when)}, {when:%H:%M} {when.tzname() or ''}".rstrip()


def week(name: str) -> str:
    """The days of a week of ISO 8601, `23 Nov …` for `2026-W48`; the name itself if it is none."""
    from babel.dates import format_interval  # noqa: PLC0415

    match = _WEEK.fullmatch(name)
    try:
        monday = Date.fromisocalendar(int(match[1]), int(match[2]), 1) if match else None
    except ValueError:
        monday = None
    if monday is None:
        return name
    return str(format_interval(monday, monday + timedelta(days=6), "yMMMMd", locale=_locale()))


def number(value: float) -> str:
    """A number with its thousands apart: `40,000`."""
    from babel.numbers import format_decimal  # noqa: PLC0415

    return str(format_decimal(value, locale=_locale()))


def percent(share: float) -> str:
    """A share of one in hundredths, with one digit below ten: `7.3%`, `40%`."""
    from babel.numbers import format_percent  # noqa: PLC0415

    shown = round(share, 3 if abs(share) < 0.1 else 2)
    return str(format_percent(shown, locale=_locale(), decimal_quantization=False))


def _locale() -> str:
    # British order for days: `2 January` cannot be taken for February the 1st when it is shortened.
    tag = _LANGUAGE.get()
    return "en_GB" if tag == _ENGLISH else tag
