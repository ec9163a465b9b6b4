"""When each certificate was valid and when it was seen: the picture that shows expired ones in use."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kzmitm.report.charts import legend
from kzmitm.report.charts.canvas import Canvas, Drawn, fitting
from kzmitm.report.charts.scale import Axis, around
from kzmitm.report.language import _, ngettext

WIDTH: Final = 760
_LABELS: Final = 186
_COUNTS: Final = 144
_ROW: Final = 38
_GROUP: Final = 28
_TOP: Final = 34
_LEGEND: Final = 34
_MARKS: Final = 8
MOST_TOLD: Final = 5
"""Certificates of which the description says that they were seen while not valid."""
_BAR: Final = 18
_TIP: Final = 9
_DOT: Final = 3.6

LONG: Final = timedelta(days=3 * 365)
"""A certificate valid for longer is a root: its dates do not decide how much time the picture shows."""
NOTABLE_GAP: Final = timedelta(days=7)
"""A time without any valid certificate that is shorter is not drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Valid:
    """A certificate, whose it is, its dates, and when it was seen: each moment with how many sightings."""

    name: str
    group: str
    not_before: datetime
    not_after: datetime
    seen: tuple[tuple[datetime, int], ...]
    note: str | None = None
    """What is said of it at the right; by default how often it was seen."""

    @property
    def is_long(self) -> bool:
        return self.not_after - self.not_before > LONG

    def is_outside(self, moment: datetime) -> bool:
        return not self.not_before <= moment <= self.not_after

    @property
    def sightings(self) -> int:
        return sum(number for _moment, number in self.seen)

    @property
    def outside(self) -> tuple[tuple[datetime, int], ...]:
        """Sightings outside of the validity."""
        return tuple((moment, number) for moment, number in self.seen if self.is_outside(moment))


def picture(name: str, rows: Sequence[Valid]) -> Drawn | None:
    """The picture of these certificates, in their order within a group; None if nothing was seen of them."""
    if not any(row.seen for row in rows):
        return None
    groups = groups_of(rows)
    bottom = _TOP + len(groups) * _GROUP + len(rows) * _ROW
    title = _("Validity of certificates and when they were seen")
    canvas = Canvas(name, WIDTH, bottom + _LEGEND, title=title, description=meaning(rows))
    start, end = _range(rows)
    axis = Axis(start=start, end=end, left=_LABELS, right=WIDTH - _COUNTS)
    top = float(_TOP)
    for group, members in groups.items():
        height = _GROUP + len(members) * _ROW
        for since, until in gaps(members):
            canvas.box(axis.at(since), top, axis.at(until) - axis.at(since), height, "band")
        _draw_marks(canvas, axis, top, height, is_first=top == _TOP)
        canvas.text(2, top + 19, fitting(group, axis.right), "ink", "strong")
        for number, row in enumerate(members):
            _draw_row(canvas, axis, row, top + _GROUP + number * _ROW)
        top += height
    canvas.line(axis.left, bottom, axis.right, bottom, "axis")
    _draw_legend(canvas, bottom + 24, has_gap=any(any(gaps(members)) for members in groups.values()))
    return canvas.picture()


def groups_of(rows: Sequence[Valid]) -> dict[str, list[Valid]]:
    """The rows of each group, in the order in which the groups come."""
    groups: dict[str, list[Valid]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return groups


def _range(rows: Sequence[Valid]) -> tuple[datetime, datetime]:
    """All sightings, and the dates of certificates that live for months, if they are near."""
    seen = [moment for row in rows for moment, _number in row.seen]
    first, last = min(seen), max(seen)
    edges = [edge for row in rows if not row.is_long for edge in (row.not_before, row.not_after)]
    return around(seen + [edge for edge in edges if abs(edge - first) < LONG or abs(edge - last) < LONG])


def gaps(rows: Sequence[Valid]) -> Iterator[tuple[datetime, datetime]]:
    """The times between the first and the last date when no certificate that lives for months was valid."""
    spans = sorted((row.not_before, row.not_after) for row in rows if not row.is_long)
    until = spans[0][1] if spans else None
    for start, end in spans[1:]:
        if until is not None and start - until > NOTABLE_GAP:
            yield until, start
        until = end if until is None else max(until, end)


def _draw_marks(canvas: Canvas, axis: Axis, top: float, height: float, *, is_first: bool) -> None:
    for x, words in axis.marks(_MARKS):
        canvas.line(x, top - 6 if is_first else top, x, top + height, "grid")
        if is_first:
            canvas.text(x, top - 12, words, "quiet", anchor="middle")


def _draw_row(canvas: Canvas, axis: Axis, row: Valid, top: float) -> None:
    middle = top + _ROW / 2
    canvas.text(12, middle - 3, fitting(row.name, _LABELS - 22))
    canvas.text(12, middle + 12, f"{row.not_before:%Y-%m-%d} … {row.not_after:%Y-%m-%d}", "quiet")
    left, right = axis.at(row.not_before), axis.at(row.not_after)
    canvas.box(left, middle - _BAR / 2, right - left, _BAR, "valid")
    for is_cut, x, tip in (
        (row.not_before < axis.start, axis.left, axis.left - _TIP),
        (row.not_after > axis.end, axis.right, axis.right + _TIP),
    ):
        if is_cut and left < right:
            canvas.shape(((x, middle - _BAR / 2), (tip, middle), (x, middle + _BAR / 2)), "valid")
    if row.seen:
        moments = [moment for moment, _number in row.seen]
        canvas.line(axis.at(min(moments)), middle, axis.at(max(moments)), middle, "span")
    for x, outside in sorted({(round(axis.at(m), 1), row.is_outside(m)) for m, _number in row.seen}):
        if outside:
            canvas.diamond(x, middle, _DOT + 1.4, "late")
        else:
            canvas.dot(x, middle, _DOT, "seen")
    canvas.text(WIDTH, middle + (-3 if row.outside else 4), fitting(_told(row), _COUNTS - 8), anchor="end")
    if row.outside:
        late = _("{n} while not valid").format(n=sum(number for _moment, number in row.outside))
        canvas.text(WIDTH, middle + 12, fitting(late, _COUNTS - 8), "quiet", anchor="end")


def _told(row: Valid) -> str:
    if row.note is not None:
        return row.note
    if not row.seen:
        return _("not seen")
    return ngettext("seen {n} time", "seen {n} times", row.sightings).format(n=row.sightings)


def _draw_legend(canvas: Canvas, y: float, *, has_gap: bool) -> None:
    entries: list[tuple[legend.Mark, str]] = [
        (legend.valid, _("valid")),
        (legend.dot, _("seen")),
        (legend.late, _("seen while not valid")),
    ]
    if has_gap:
        entries.append((legend.band, _("none of them valid")))
    legend.draw(canvas, _LABELS, y, entries)


def meaning(rows: Sequence[Valid]) -> str:
    """What the picture shows, in words."""
    told = [
        ngettext(
            "{n} certificate, each with the time for which it was valid and the days on which it was seen.",
            "{n} certificates, each with the time for which it was valid and the days on which it was seen.",
            len(rows),
        ).format(n=len(rows))
    ]
    late = [row for row in rows if row.outside]
    told += [_late(row) for row in late[:MOST_TOLD]]
    if len(late) > MOST_TOLD:
        told.append(_("So were {n} more.").format(n=len(late) - MOST_TOLD))
    if not late:
        told.append(_("None was seen while it was not valid."))
    told += [
        _gaps(group, found) for group, members in groups_of(rows).items() if (found := list(gaps(members)))
    ]
    return " ".join(told)


def _late(row: Valid) -> str:
    number = sum(count for _moment, count in row.outside)
    text = ngettext(
        "{name} was seen {n} time while it was not valid, last on {day}.",
        "{name} was seen {n} times while it was not valid, last on {day}.",
        number,
    )
    last = max(moment for moment, _count in row.outside)
    return text.format(name=fitting(row.name, 240), n=number, day=f"{last:%Y-%m-%d}")


def _gaps(group: str, found: Sequence[tuple[datetime, datetime]]) -> str:
    spans = "; ".join(f"{start:%Y-%m-%d} … {end:%Y-%m-%d}" for start, end in found)
    return _("{group}: none of them was valid in {spans}.").format(group=fitting(group, 400), spans=spans)
