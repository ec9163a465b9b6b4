"""Markdown (CommonMark with the tables of GitHub) for wikis, issues and chats.

Every text is escaped, so that no name in a certificate becomes a link, a picture, a heading or HTML. What
renderers link without any markup (addresses, @names) is put between backticks, where nothing is linked.
"""

import re
from collections.abc import Iterator
from typing import assert_never
from urllib.parse import quote

from kzmitm.report.document import (
    Blank,
    Block,
    Cell,
    Commands,
    Document,
    Fold,
    Grid,
    Heading,
    Notice,
    Picture,
    Points,
    Section,
    Table,
    Terms,
    Text,
    Way,
)
from kzmitm.report.page import visible
from kzmitm.report.pictures import pictures

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~&$^])")
"""What CommonMark (2.4), GitHub's tables and formulas, and pandoc give a meaning inside a line."""
_AT_START = re.compile(r"^([#+\-=:]|\d{1,9}[.)]$)")
"""What makes a heading, a list, a rule or a definition at the beginning of one."""
_LINKED = re.compile(r"://|www\.|@|(?:^|\W)#\d|mailto:|xmpp:", re.IGNORECASE)
"""What GitHub's extended autolinks and mentions take up (GFM 6.9)."""


def render(document: Document) -> bytes:
    """The document in UTF-8."""
    return ("\n\n".join(_document(document)) + "\n").encode()


def files(document: Document) -> dict[str, bytes]:
    """The pictures that the Markdown names, as files to lie beside it: name -> content."""
    return {f"{each.name}.svg": each.file.encode() for each in pictures(document) if each.name}


def _document(document: Document) -> Iterator[str]:
    answer = document.answer
    yield f"# {escape(document.title)}"
    yield f"**{escape(answer.word)}.** {escape(answer.sentence)}"
    for note in answer.notes:
        yield escape(note)
    if document.about:
        yield _terms(document.about)
    for section in document.sections:
        yield from _section(section)
    for line in document.foot:
        yield f"*{escape(line)}*"


def _section(section: Section) -> Iterator[str]:
    mark = f"{escape(section.mark)}: " if section.mark else ""
    yield f"## {mark}{escape(section.title)}"
    for block in section.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:  # noqa: C901, PLR0912 (a case for each kind of block)
    match block:
        case Text():
            yield escape(block.text)
        case Heading():
            yield f"### {escape(block.text)}"
        case Notice():
            yield f"> **{escape(block.word)}** {escape(block.text)}"
        case Points():
            marks = (f"{n}." if block.is_ordered else "-" for n in range(1, len(block.items) + 1))
            yield "\n".join(f"{mark} {escape(item)}" for mark, item in zip(marks, block.items, strict=True))
        case Terms():
            yield _terms(block.items)
        case Table():
            yield f"*{escape(block.caption)}*"
            yield _table(block)
        case Grid():
            yield f"*{escape(block.caption)}*"
            yield _grid(block)
        case Commands():
            yield fenced(block.lines)
        case Way():
            yield escape(block.meaning)
        case Picture():
            if block.name:
                yield f"![{escape(block.caption)}]({quote(block.name)}.svg)"
            yield f"*{escape(block.caption)}:* {escape(block.meaning)}"
        case Blank():
            hint = f" ({escape(block.hint)})" if block.hint else ""
            yield rf"**{escape(block.label)}**{hint}: \_\_\_\_\_\_\_\_\_\_\_\_"
        case Fold():
            yield f"**{escape(block.summary)}**"
            for inner in block.blocks:
                yield from _block(inner)
        case _:
            assert_never(block)


def _terms(items: tuple[tuple[str, str], ...]) -> str:
    return "\n".join(f"- **{escape(name)}**: {escape(said)}" for name, said in items)


def _table(table: Table) -> str:
    rows = (table.columns, *table.rows)
    lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(table.columns))
    return "\n".join(lines)


def _grid(grid: Grid) -> str:
    rows = tuple((name, *(shade.text for shade in shades)) for name, shades in grid.rows)
    return _table(Table(caption=grid.caption, columns=(grid.corner, *grid.columns), rows=rows))


def _cell(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return escape(cell)
    mark = f"**{escape(cell.mark)}** " if cell.mark else ""
    return mark + (code(cell.text) if cell.is_exact else escape(cell.text))


def escape(text: str) -> str:
    """A text on one line that means nothing but itself."""
    words = visible(text).split()
    return " ".join(_word(word, is_first=position == 0) for position, word in enumerate(words))


def _word(word: str, *, is_first: bool) -> str:
    if _LINKED.search(word):
        bare = word.rstrip(",;")
        return code(bare) + word[len(bare) :]
    escaped = _SPECIAL.sub(r"\\\1", word)
    if is_first and _AT_START.match(word):
        return f"{escaped[:-1]}\\{escaped[-1]}" if word[0].isdigit() else f"\\{escaped}"
    return escaped


def code(text: str) -> str:
    """A text between backticks, more of them than it has in a row (CommonMark 6.1); fit for a table."""
    plain = " ".join(visible(text).split()).replace("|", "¦")
    if not plain:
        return ""
    fence = "`" * (_longest_run(plain) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def fenced(lines: tuple[str, ...]) -> str:
    """Lines as they are, behind a fence that none of them can close."""
    shown = [" ".join(visible(line).split("\n")) for line in lines]
    fence = "`" * max(3, max(map(_longest_run, shown), default=0) + 1)
    return "\n".join([fence, *shown, fence])


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
