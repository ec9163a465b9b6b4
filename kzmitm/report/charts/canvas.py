"""Where a picture is drawn: boxes, lines and words in the looks of the style, and the SVG that comes of them.

The only module that knows the drawing library, drawsvg. The library escapes words and no attributes: so
attributes are numbers and words of ours, which is checked here, and whatever strangers wrote is text.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

import drawsvg

from kzmitm.report.charts.style import LOOKS, style_sheet
from kzmitm.report.safe import harmless

Anchor = Literal["start", "middle", "end"]

LETTER: Final = 6.7
"""Width of a letter of a label (12 high), measured over Latin and Cyrillic names in DejaVu Sans."""
FONT: Final = 12
MAX_DESCRIPTION: Final = 4000
"""Characters that are read out to who does not see a picture."""
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_HATCH: Final = 6
_HEADER: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A picture, what it is called, and what it says in words."""

    name: str
    """One word, which nothing else of a page has: the name of a file, and the beginning of ids."""
    title: str
    description: str
    svg: str
    """To stand in a page, as wide as its column; coloured by the page's style sheet, or by its attributes."""
    file: str
    """The same as a file of its own, with style and paper of its own."""


class _Description(drawsvg.Title):  # type: ignore[misc]
    TAG_NAME = "desc"


class Canvas:
    """A drawing of `width` times `height` units, a pixel each, from the upper left corner."""

    def __init__(self, name: str, width: float, height: float, *, title: str, description: str) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"no name of ours: {name!r}")
        self._name, self._title = name, harmless(title)
        self._description = harmless(description, MAX_DESCRIPTION)
        self._size = round(width, 1), round(height, 1)
        self._hatches: dict[str, Any] = {}
        self._elements: list[Any] = [
            drawsvg.Title(self._title, id=f"{name}-title"),
            _Description(self._description, id=f"{name}-description"),
        ]

    @property
    def width(self) -> float:
        return self._size[0]

    def box(self, x: float, y: float, width: float, height: float, *looks: str) -> None:
        self._add(drawsvg.Rectangle, (x, y, max(width, 0.5), height), looks)

    def hatched_box(self, x: float, y: float, width: float, height: float, *, of_seen: bool = False) -> None:
        """A box of oblique lines, told from others without colour; `of_seen`: coloured as what was seen."""
        look = "late" if of_seen else "hatched"
        if look not in self._hatches:
            self._hatches[look] = self._hatching(look)
        self._add(drawsvg.Rectangle, (x, y, max(width, 0.5), height), (look,), fill=self._hatches[look])

    def line(self, x1: float, y1: float, x2: float, y2: float, *looks: str) -> None:
        self._add(drawsvg.Line, (x1, y1, x2, y2), looks)

    def dot(self, x: float, y: float, radius: float, *looks: str) -> None:
        self._add(drawsvg.Circle, (x, y, radius), looks)

    def shape(self, points: tuple[tuple[float, float], ...], *looks: str) -> None:
        """What these points enclose."""
        numbers = tuple(number for point in points for number in point)
        self._add(drawsvg.Lines, numbers, looks, close=True)

    def diamond(self, x: float, y: float, radius: float, *looks: str) -> None:
        self.shape(((x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)), *looks)

    def text(self, x: float, y: float, words: str, *looks: str, anchor: Anchor = "start") -> None:
        """`words` on a base line; what cannot be seen in them is escaped."""
        where = harmless(words), FONT, round(x, 1), round(y, 1)
        self._elements.append(drawsvg.Text(*where, text_anchor=anchor, **_attributes(looks or ("ink",))))

    def picture(self) -> Drawn:
        return Drawn(
            name=self._name,
            title=self._title,
            description=self._description,
            svg=self._rendered(as_file=False),
            file=self._rendered(as_file=True),
        )

    def _rendered(self, *, as_file: bool) -> str:
        drawing = drawsvg.Drawing(
            *self._size,
            id_prefix=f"{self._name}-",
            class_="chart",
            role="img",
            aria_labelledby=f"{self._name}-title {self._name}-description",
        )
        if as_file:
            drawing.append_css(style_sheet())
            drawing.append(drawsvg.Rectangle(0, 0, *self._size, class_="paper", fill="#ffffff"))
        else:
            drawing.svg_args |= {"width": None, "height": None}
        drawing.extend(self._elements)
        return str(drawing.as_svg(header=_HEADER if as_file else "")) + "\n"

    def _add(self, kind: Any, numbers: tuple[float, ...], looks: tuple[str, ...], **more: Any) -> None:
        self._elements.append(
            kind(*(round(float(each), 1) for each in numbers), **(_attributes(looks) | more))
        )

    def _hatching(self, look: str) -> Any:
        pattern = drawsvg.Pattern(_HATCH, _HATCH, patternUnits="userSpaceOnUse", id=f"{self._name}-{look}")
        for shift in (-_HATCH, 0, _HATCH):
            ends = shift - 1, _HATCH + 1, shift + _HATCH + 1, -1
            pattern.append(drawsvg.Line(*ends, **_attributes((f"{look}-hatch",))))
        return pattern


def fitting(words: str, width: float) -> str:
    """As much of `words` as a label of this width holds, made harmless; a cut is shown."""
    return harmless(words, max_length=max(2, int(width / LETTER)))


def _attributes(looks: tuple[str, ...]) -> dict[str, Any]:
    """Of known looks alone: no word of a stranger becomes an attribute."""
    found: dict[str, Any] = {"class_": " ".join(looks)}
    for look in looks:
        found |= LOOKS[look]
    return found
