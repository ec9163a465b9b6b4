"""How the marks of a picture look on white paper, and the style sheet that fits them to a screen.

Colours are of Okabe and Ito's set for colour-blind readers (https://jfly.uni-koeln.de/color/), darker or
lighter until words and lines have a contrast of 4.5 and more to the ground. Whatever a colour says, a form
says too: what was seen is a dot or a full box, what was seen outside its time a hollow diamond, blocking is
hatched.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

SHEET: Final = "charts.css"

INK, QUIET, FAINT = "#1b1b1f", "#5b5f68", "#d3d6dc"
VALID, EDGE, SEEN, BLOCKED = "#9cc7e6", "#3d7fae", "#b23c00", "#00598c"

LOOKS: Final[Mapping[str, Mapping[str, str | float]]] = {
    "ink": {"fill": INK},
    "quiet": {"fill": QUIET},
    "strong": {"font_weight": 600},
    "axis": {"stroke": QUIET},
    "grid": {"stroke": FAINT},
    "band": {"fill": FAINT, "fill_opacity": 0.45},
    "valid": {"fill": VALID, "stroke": EDGE},
    "seen": {"fill": SEEN},
    "span": {"stroke": SEEN, "stroke_width": 2},
    "late": {"stroke": SEEN, "stroke_width": 2.2, "fill": "none"},
    "planned": {"stroke": BLOCKED, "stroke_width": 1.6, "stroke_dasharray": "4 3", "fill": "none"},
    "outlined": {"stroke": QUIET, "fill": "none"},
    "hatched": {"stroke": BLOCKED},
    "hatched-hatch": {"stroke": BLOCKED, "stroke_width": 2.4},
    "late-hatch": {"stroke": SEEN, "stroke_width": 2.4},
}
"""What each class is drawn with where no style sheet is read; the sheet has the same colours as variables."""


@cache
def style_sheet() -> str:
    """The sheet of the pictures, for a picture that is a file of its own."""
    return resources.files("kzmitm.report").joinpath("templates", SHEET).read_text(encoding="utf-8")
