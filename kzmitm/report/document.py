"""A report before it has a format: the frame that every report is built of.

A report is a `Document`: a title, the `Answer` (what is read first), and `Section`s of `Block`s. Whoever
makes a report builds one and leaves the writing to `kzmitm.report.format`: the same document becomes a page,
Markdown, a PDF or a CSV table. To add a section, add a `Section` to the tuple; to add a kind of content, add
a block here, its macro in `templates/blocks.html` and its case in `formats/md.py` (a test asks for both).

What a block holds is plain text, said through `_`. It may hold what strangers wrote: each format escapes
every text for itself, and shows what cannot be seen as an escape. Who builds a document shortens strangers'
texts (`kzmitm.report.safe.harmless`), as only it knows which those are.

`Picture` alone takes markup: an `<svg>` that we drew, as `markupsafe.Markup`, every text in it escaped
(`markupsafe.escape(harmless(text))`). The page has no scripts, and its content security policy refuses
`style` attributes: a picture is coloured by presentation attributes (`fill="#4e79a7"`), which the PDF uses
too, and by classes of a file `templates/*.css`, all of which are put into the page. Colours for light and
dark are variables there (`--ink`, `--muted`, `--line`, `--ground`, `--card`, `--accent`, `--alarm`,
`--warning`, `--good`; `--series-1` to `--series-8` for charts). A `<style>` without attributes inside the
picture is let in as well, for those that are files of their own too. A picture scales with its column: give
it a `viewBox`. Its `meaning` is said to those who do not see it, so it must say what the picture shows.

Dates and numbers come from `kzmitm.report.locale_forms`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from markupsafe import Markup


class Tone(StrEnum):
    """How something is meant; the words say the same without the colour."""

    PLAIN = "plain"
    ALARM = "alarm"
    WARNING = "warning"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    is_lead: bool = False
    """The sentence of a section that is read if nothing else is."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A paragraph that must not be missed: a word and what it is about."""

    word: str
    text: str
    tone: Tone = Tone.WARNING


@dataclass(frozen=True, slots=True)
class Points:
    """A list; `is_ordered` for steps, one after the other."""

    items: tuple[str, ...]
    is_ordered: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """Names and what is said of them: short facts."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell of a table that is more than its text."""

    text: str
    tone: Tone = Tone.PLAIN
    is_exact: bool = False
    """To be compared or copied character by character: hashes, names in certificates."""
    mark: str = ""
    """A word before the text that says what the tone says, such as `differs`."""
    is_short: bool = False
    """A number or a date, which is not broken across lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under columns. The first names the row. On a narrow screen each row is a block of its own."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Shade:
    """A cell of a grid: its words, which say all, and how dark it is: 0 to 5, or None if nothing is known."""

    text: str
    level: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Two kinds of things against each other, a heat map of words. On a narrow screen it scrolls by itself.

    Each row is its name and a cell for each column; `corner` says what the rows are.
    """

    caption: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Shade, ...]], ...]


@dataclass(frozen=True, slots=True)
class Commands:
    """Lines to be typed at a command line, exactly."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """A place on a way: who is there, and what is said of it."""

    name: str
    note: str = ""
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Way:
    """The places that a connection passed, from the reader's side to the site, in words and lines."""

    meaning: str
    stops: tuple[Stop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that we drew; see the head of this file for what may be in it."""

    svg: Markup
    caption: str
    meaning: str
    """What it shows, for those who do not see it and for formats without pictures."""
    name: str = ""
    """One word, under which formats of several files keep the picture."""
    file: str = ""
    """The same picture as a file of its own, with its colours in it."""


@dataclass(frozen=True, slots=True)
class Blank:
    """Something that the reader fills in; `hint` says with what."""

    label: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Fold:
    """Details that are closed on a screen until they are asked for, and open on paper."""

    summary: str
    blocks: tuple["Block", ...]


Block = Text | Heading | Notice | Points | Terms | Table | Grid | Commands | Way | Picture | Blank | Fold
"""What a section is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a report: `id` is its address in the page, of letters a-z, digits and hyphens."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    tone: Tone = Tone.PLAIN
    mark: str = ""
    """A word before the title, in the tone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the report found: a word, a sentence, and lines that qualify it."""

    word: str
    sentence: str
    tone: Tone
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Data:
    """A table for programs: names of columns, and rows of the same length."""

    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A report. `language` is a BCP 47 tag; `about` are short facts under the title: what, when, where.

    `data` is what the CSV format writes: codes and not words, one row per thing found.
    """

    title: str
    language: str
    answer: Answer
    sections: tuple[Section, ...]
    about: tuple[tuple[str, str], ...] = ()
    foot: tuple[str, ...] = ()
    """Last lines: what made the report, and what was left out of it."""
    data: Data = field(default_factory=Data)
