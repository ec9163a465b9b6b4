"""Dates and numbers as each language writes them."""

from datetime import UTC, date, datetime

import pytest

from kzmitm.report import locale_forms as here

DAY = date(2026, 1, 2)
NB, NNB = "\u00a0", "\u202f"


def spaces(text):
    """With ordinary spaces: CLDR changes between kinds of them from year to year."""
    for odd in ("\u00a0", "\u202f", "\u2009"):
        text = text.replace(odd, " ")
    return text


@pytest.mark.parametrize(
    ("tag", "day", "number", "share"),
    [
        ("en", "2 January 2026", "40,000", "7.3%"),
        ("ru", "2 января 2026", "40 000", "7,3 %"),
        ("kk", "2026 ж. 2 қаңтар", "40 000", "7,3%"),
    ],
)
def test_each_language_has_its_forms(tag, day, number, share):
    with here.written_in(tag):
        assert here.language() == tag
        assert spaces(here.date(DAY)) == day
        assert spaces(here.number(40_000)) == number
        assert spaces(here.percent(0.0731)) == share
        assert spaces(here.percent(0.4)).startswith("40")
    assert here.language() == "en"


def test_a_moment_has_its_zone():
    assert here.moment(datetime(2026, 1, 2, 15, 4, 59, tzinfo=UTC)) == "2 January 2026, 15:04 UTC"


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("2026-W48", "23–29 Nov 2026"),
        ("2026-W49", "30 Nov – 6 Dec 2026"),
        ("2026-W53", "28 Dec 2026 – 3 Jan 2027"),
    ],
)
def test_a_week_is_told_by_its_days(name, days):
    assert spaces(here.week(name)) == days


@pytest.mark.parametrize("name", ["", "2026-W54", "0000-W01", "2026-W1", "２０２６-W01", "x"])
def test_what_is_no_week_stays_as_it_is(name):
    assert here.week(name) == name
