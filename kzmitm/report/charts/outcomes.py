"""What became of the measurements of each domain: intercepted beside blocked, as shares of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kzmitm.report.charts import legend
from kzmitm.report.charts.canvas import Canvas, Drawn, fitting
from kzmitm.report.language import _, ngettext

WIDTH: Final = 760
_LABELS: Final = 186
_COUNTS: Final = 120
_ROW: Final = 24
_BAR: Final = 14
_TOP: Final = 30
_LEGEND: Final = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the measurements of something ended; `measurements` are all of them."""

    name: str
    intercepted: int
    blocked: int
    clean: int
    measurements: int

    @property
    def others(self) -> int:
        """What is none of the three: undecided, unreachable, the site's own fault and the like."""
        return max(0, self.measurements - self.intercepted - self.blocked - self.clean)


def picture(name: str, rows: Sequence[Ended]) -> Drawn | None:
    """The picture of these rows, in their order; None if nothing was measured."""
    rows = [row for row in rows if row.measurements]
    if not rows:
        return None
    height = _TOP + len(rows) * _ROW + _LEGEND
    canvas = Canvas(name, WIDTH, height, title=_("Intercepted and blocked"), description=meaning(rows))
    left, right, bottom = _LABELS, WIDTH - _COUNTS, _TOP + len(rows) * _ROW
    for quarter in range(5):
        x = left + (right - left) * quarter / 4
        canvas.line(x, _TOP - 6, x, bottom, "grid")
        canvas.text(x, _TOP - 12, f"{quarter * 25} %", "quiet", anchor="middle")
    for number, row in enumerate(rows):
        _draw_row(canvas, row, _TOP + number * _ROW, (left, right))
    legend.draw(
        canvas,
        left,
        bottom + 26,
        (
            (legend.seen, _("intercepted")),
            (legend.hatched, _("blocked")),
            (legend.valid, _("clean")),
            (legend.outlined, _("undecided or other")),
        ),
    )
    return canvas.picture()


def _draw_row(canvas: Canvas, row: Ended, top: float, ends: tuple[float, float]) -> None:
    left, right = ends
    middle, y = top + _ROW / 2, top + (_ROW - _BAR) / 2
    canvas.text(left - 8, middle + 4, fitting(row.name, _LABELS - 10), anchor="end")
    x = left
    for number, look in (
        (row.intercepted, "seen"),
        (row.blocked, "hatched"),
        (row.clean, "valid"),
        (row.others, "outlined"),
    ):
        if number:
            width = (right - left) * number / max(row.measurements, 1)
            if look == "hatched":
                canvas.hatched_box(x, y, width, _BAR)
            else:
                canvas.box(x, y, width, _BAR, look)
            x += width
    told = _("{intercepted} / {blocked} of {all}").format(
        intercepted=row.intercepted, blocked=row.blocked, all=row.measurements
    )
    canvas.text(WIDTH, middle + 4, told, "quiet", anchor="end")


def meaning(rows: Sequence[Ended]) -> str:
    """What the picture shows, in words."""
    head = ngettext(
        "For {n} domain the share of its measurements that was intercepted, blocked, clean or something "
        "else.",
        "For {n} domains the share of their measurements that was intercepted, blocked, clean or something "
        "else.",
        len(rows),
    ).format(n=len(rows))
    told = [
        _("{name}: {intercepted} intercepted and {blocked} blocked of {all}.").format(
            name=fitting(row.name, 400),
            intercepted=row.intercepted,
            blocked=row.blocked,
            all=row.measurements,
        )
        for row in rows[:3]
    ]
    return " ".join([head, *told])
