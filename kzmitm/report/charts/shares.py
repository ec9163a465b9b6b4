"""Networks by their share of a country's users: those where something was seen against the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kzmitm.report.charts import legend
from kzmitm.report.charts.canvas import Canvas, Drawn, fitting
from kzmitm.report.language import _, ngettext

WIDTH: Final = 760
_LABELS: Final = 300
_COUNTS: Final = 64
_ROW: Final = 24
_BAR: Final = 14
_TOP: Final = 4
_LEGEND: Final = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A network with its percent of the users; `was_measured` is None where nothing says."""

    name: str
    percent: float
    was_seen: bool
    was_measured: bool | None = None


def picture(name: str, rows: Sequence[Share]) -> Drawn | None:
    """The picture of these networks, in their order; None if there is none."""
    if not rows:
        return None
    bottom = _TOP + len(rows) * _ROW
    canvas = Canvas(
        name,
        WIDTH,
        bottom + _LEGEND,
        title=_("Networks and their share of the users"),
        description=meaning(rows),
    )
    largest = max(row.percent for row in rows) or 1.0
    for number, row in enumerate(rows):
        _draw_row(canvas, row, _TOP + number * _ROW, largest)
    entries: list[tuple[legend.Mark, str]] = [(legend.seen, _("interception seen"))]
    if any(not row.was_seen and row.was_measured is not False for row in rows):
        entries.append((legend.valid, _("not seen")))
    if any(row.was_measured is False for row in rows):
        entries.append((legend.planned, _("not measured")))
    legend.draw(canvas, _LABELS, bottom + 24, entries)
    return canvas.picture()


def _draw_row(canvas: Canvas, row: Share, top: float, largest: float) -> None:
    middle = top + _ROW / 2
    canvas.text(_LABELS - 8, middle + 4, fitting(row.name, _LABELS - 12), anchor="end")
    width = (WIDTH - _LABELS - _COUNTS) * row.percent / largest
    look = "seen" if row.was_seen else "planned" if row.was_measured is False else "valid"
    canvas.box(_LABELS, middle - _BAR / 2, width, _BAR, look)
    canvas.text(_LABELS + width + 8, middle + 4, f"{row.percent:g} %")


def meaning(rows: Sequence[Share]) -> str:
    """What the picture shows, in words."""
    seen = [row for row in rows if row.was_seen]
    told = ngettext(
        "{n} network with a known share of the users; interception was seen on {seen} of them, which "
        "serve {share} percent.",
        "{n} networks with a known share of the users; interception was seen on {seen} of them, which "
        "serve {share} percent.",
        len(rows),
    )
    return told.format(n=len(rows), seen=len(seen), share=f"{sum(row.percent for row in seen):.1f}")
