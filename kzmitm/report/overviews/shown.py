"""Small things that the sections of overviews share: pictures as blocks, spans and days as words."""

from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from kzmitm.report.charts.canvas import Drawn
from kzmitm.report.document import Cell, Picture
from kzmitm.report.language import _, ngettext
from kzmitm.report.locale_forms import number
from kzmitm.report.overviews.values import Span
from kzmitm.report.safe import harmless

MOST_ROWS: Final = 40
"""Rows of a table that people read; all are in the CSV."""


def as_block(drawn: Drawn, caption: str) -> Picture:
    """A drawn picture in a document. Its markup is ours; every word in it was escaped when it was drawn."""
    return Picture(
        svg=Markup(drawn.svg),  # noqa: S704
        caption=caption,
        meaning=drawn.description,
        name=drawn.name,
        file=drawn.file,
    )


def named(text: str) -> str:
    """A stranger's name as it is shown; a word where there is none."""
    return harmless(text) if text else _("no name")


def authority_name(name: str) -> str:
    """An authority of the registry, or nobody known."""
    return harmless(name) if name else _("an unknown issuer")


def domains(count: int) -> str:
    return ngettext("{n} domain", "{n} domains", count).format(n=number(count))


def networks(count: int) -> str:
    return ngettext("{n} network", "{n} networks", count).format(n=number(count))


def short(value: str | int) -> Cell:
    """A number or a date in a table."""
    return Cell(text=str(value), is_short=True)


def day(moment: datetime | None) -> str:
    """`2024-02-11`; a word where it is not known."""
    return f"{moment:%Y-%m-%d}" if moment is not None else _("not known")


def first(it: Span | None) -> str:
    """The day on which something was first seen; a dash if it never was."""
    return day(it.first) if it is not None else "-"


def last(it: Span | None) -> str:
    """The day on which something was last seen; a dash if it never was."""
    return day(it.last) if it is not None else "-"


def span(it: Span | None) -> str:
    """The first and the last day, once if they are the same."""
    if it is None:
        return _("never")
    first, last = day(it.first), day(it.last)
    return first if first == last else f"{first} … {last}"


def moment_of(partial: str, *, is_end: bool = False) -> datetime:
    """A date of the registry (`2021`, `2021-06`, `2021-06-18`) as its first day; its last if `is_end`."""
    year, month, date = (int(each) for each in (partial + "-0-0").split("-")[:3])
    if date:
        return datetime(year, month, date, tzinfo=UTC)
    if not is_end:
        return datetime(year, month or 1, 1, tzinfo=UTC)
    return datetime(year, month or 12, 28, tzinfo=UTC)
