"""A line of output, and how its beginning is shown; who prints it decides on colour and width."""

from dataclasses import dataclass
from enum import StrEnum


class Style(StrEnum):
    """What a span is; the printer chooses the colour, and the words say the same without it."""

    PLAIN = "plain"
    ALARM = "alarm"
    WARNING = "warning"
    GOOD = "good"
    HEADING = "heading"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of output: `lead` in `style`, then `text`; `indent` is for continuation lines."""

    text: str = ""
    lead: str = ""
    style: Style = Style.PLAIN
    indent: int = 0

    def __str__(self) -> str:
        return self.lead + self.text
