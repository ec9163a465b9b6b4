"""The legend of a picture: each mark with what it means, on one line."""

from collections.abc import Callable, Sequence

from kzmitm.report.charts.canvas import LETTER, Canvas

Mark = Callable[[Canvas, float, float], None]
"""Draws a mark in a place of 22 by 12 units, whose left upper corner is given."""

_PLACE = 22
_AFTER = 16


def draw(canvas: Canvas, x: float, y: float, entries: Sequence[tuple[Mark, str]]) -> None:
    """Marks and words from `x` on, or further left where the words are too long; `y` is the base line."""
    needed = sum(_PLACE + 6 + len(words) * LETTER + _AFTER for _mark, words in entries) - _AFTER
    x = max(min(x, canvas.width - needed), 2)
    for mark, words in entries:
        mark(canvas, x, y - 10)
        canvas.text(x + _PLACE + 6, y, words)
        x += _PLACE + 6 + len(words) * LETTER + _AFTER


def valid(canvas: Canvas, x: float, y: float) -> None:
    canvas.box(x, y, _PLACE, 12, "valid")


def seen(canvas: Canvas, x: float, y: float) -> None:
    canvas.box(x, y, _PLACE, 12, "seen")


def dot(canvas: Canvas, x: float, y: float) -> None:
    canvas.dot(x + 14, y + 6, 3.6, "seen")


def late(canvas: Canvas, x: float, y: float) -> None:
    canvas.diamond(x + 14, y + 6, 5, "late")


def band(canvas: Canvas, x: float, y: float) -> None:
    canvas.box(x, y, _PLACE, 12, "band")


def hatched(canvas: Canvas, x: float, y: float) -> None:
    canvas.hatched_box(x, y, _PLACE, 12)


def hatched_seen(canvas: Canvas, x: float, y: float) -> None:
    canvas.hatched_box(x, y, _PLACE, 12, of_seen=True)


def outlined(canvas: Canvas, x: float, y: float) -> None:
    canvas.box(x, y, _PLACE, 12, "outlined")


def planned(canvas: Canvas, x: float, y: float) -> None:
    canvas.box(x, y, _PLACE, 12, "planned")
