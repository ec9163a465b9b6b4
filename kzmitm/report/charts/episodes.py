"""Known episodes along the years, and sightings beside them: which of them the sightings belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kzmitm.report.charts import legend
from kzmitm.report.charts.canvas import Canvas, Drawn, fitting
from kzmitm.report.charts.scale import Axis, around
from kzmitm.report.language import _, ngettext

WIDTH: Final = 760
_ROW: Final = 42
_TOP: Final = 30
_BAR: Final = 13
_LEGEND: Final = 34
_MARKS: Final = 11
_MARGIN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """Something that happened from `start` to `end`; `is_interception` if more than an announcement."""

    title: str
    note: str
    start: datetime
    end: datetime
    is_interception: bool
    is_continuous: bool = True
    """Shown to have gone on from start to end, rather than seen on some days between."""


def picture(name: str, episodes: Sequence[Episode], seen: Sequence[datetime] = ()) -> Drawn | None:
    """The episodes in their order, and a last row with what was seen; None if there is none."""
    if not episodes:
        return None
    rows = len(episodes) + bool(seen)
    bottom = _TOP + rows * _ROW
    canvas = Canvas(
        name, WIDTH, bottom + _LEGEND, title=_("Known episodes"), description=meaning(episodes, seen)
    )
    start, end = around([each for one in episodes for each in (one.start, one.end)] + list(seen))
    axis = Axis(start=start, end=end, left=_MARGIN, right=WIDTH - _MARGIN)
    for x, words in axis.marks(_MARKS):
        canvas.line(x, _TOP - 6, x, bottom, "grid")
        canvas.text(x, _TOP - 12, words, "quiet", anchor="middle")
    for number, episode in enumerate(episodes):
        _draw_episode(canvas, axis, episode, _TOP + number * _ROW)
    if seen:
        top = _TOP + len(episodes) * _ROW
        _label(canvas, axis, axis.at(min(seen)), top, _("These measurements"))
        for x in sorted({round(axis.at(each), 1) for each in seen}):
            canvas.dot(x, top + _ROW - 12, 3.6, "seen")
    _draw_legend(canvas, bottom + 24, episodes, has_seen=bool(seen))
    return canvas.picture()


def _draw_episode(canvas: Canvas, axis: Axis, episode: Episode, top: float) -> None:
    left, right = axis.at(episode.start), axis.at(episode.end)
    width, y = max(right - left, 5), top + _ROW - 19
    left = min(left, axis.right - width)
    if not episode.is_interception:
        canvas.box(left, y, width, _BAR, "planned")
    elif episode.is_continuous:
        canvas.box(left, y, width, _BAR, "seen")
    else:
        canvas.hatched_box(left, y, width, _BAR, of_seen=True)
    _label(canvas, axis, left, top, episode.title, episode.note)


def _label(canvas: Canvas, axis: Axis, x: float, top: float, title: str, note: str = "") -> None:
    """Above a bar, from its beginning where that leaves room to the right."""
    words = f"{title}  {note}" if note else title
    words = fitting(words, axis.right - axis.left)
    x = max(axis.left, min(x, axis.right - len(words) * 6.2))
    canvas.text(x, top + _ROW - 24, words)


def _draw_legend(canvas: Canvas, y: float, episodes: Sequence[Episode], *, has_seen: bool) -> None:
    entries: list[tuple[legend.Mark, str]] = []
    if any(each.is_interception and each.is_continuous for each in episodes):
        entries.append((legend.seen, _("interception")))
    if any(each.is_interception and not each.is_continuous for each in episodes):
        entries.append((legend.hatched_seen, _("interception, not shown to be continuous")))
    if any(not each.is_interception for each in episodes):
        entries.append((legend.planned, _("announced")))
    if has_seen:
        entries.append((legend.dot, _("a day with sightings")))
    legend.draw(canvas, _MARGIN, y, entries)


def meaning(episodes: Sequence[Episode], seen: Sequence[datetime]) -> str:
    """What the picture shows, in words."""
    told = [
        ngettext(
            "{n} known episode along the years.", "{n} known episodes along the years.", len(episodes)
        ).format(n=len(episodes))
    ]
    told += [f"{each.note}: {each.title}." for each in episodes]
    if seen:
        days = len({moment.date() for moment in seen})
        text = ngettext(
            "These measurements saw interception on {n} day from {first} to {last}.",
            "These measurements saw interception on {n} days from {first} to {last}.",
            days,
        )
        told.append(text.format(n=days, first=f"{min(seen):%Y-%m-%d}", last=f"{max(seen):%Y-%m-%d}"))
    return " ".join(told)
