"""Text of strangers made fit for a terminal: what cannot be seen, or moves what can, becomes an escape.

A forged certificate chooses its own names. Control characters could repaint the screen (ECMA-48),
bidirectional overrides reverse a name, invisible characters make two names look the same, line
separators fake a line of ours (Unicode Technical Report 36, https://www.unicode.org/reports/tr36/).
"""

import unicodedata

from kzmitm.report.language import _
from kzmitm.wording import Wording

MAX_LENGTH = 200
"""Characters shown of one string: above any honest name (RFC 5280 bounds a common name at 64)."""

ELLIPSIS = "…"

MAX_MARKS = 2
"""Combining marks in a row that are drawn (Vietnamese and Hebrew need two); more overprint other lines."""

UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
"""Controls, formats (bidi, zero width, tags), surrogates, private, unassigned, separators."""

MARK_CATEGORIES = frozenset({"Mn", "Me"})

UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    chr(point)
    for first, last in ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
    for point in range(first, last + 1)
)
"""Default_Ignorable_Code_Point outside those categories, variation selectors, and the blank Braille cell."""


def harmless(text: str, max_length: int = MAX_LENGTH) -> str:
    r"""`text` in at most `max_length` characters, all visible; `\x1b`, `\u202e` and so on for the rest.

    Never raises, whatever the string holds. A cut is shown by an ellipsis and never halves an escape. A
    `Wording` is said in the language spoken.
    """
    if isinstance(text, Wording):
        text = _(text)
    if text.isascii() and text.isprintable():
        return text if len(text) <= max_length else _cut(text, max_length)
    # An escape is never shorter than what it stands for, so no more input than this can be shown.
    pieces = _pieces(text[: max_length + 1])
    if len(text) <= max_length and sum(map(len, pieces)) <= max_length:
        return "".join(pieces)
    return _fill(pieces, max_length)


def harmless_lines(text: str, max_length: int = MAX_LENGTH) -> tuple[str, ...]:
    """The lines of a text of strangers, each made harmless on its own."""
    return tuple(harmless(line, max_length) for line in text.split("\n"))


def _cut(text: str, max_length: int) -> str:
    return text[: max(0, max_length - 1)] + ELLIPSIS[:max_length]


def _fill(pieces: list[str], max_length: int) -> str:
    shown: list[str] = []
    room = max_length - 1
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            break
        shown.append(piece)
    return "".join(shown) + ELLIPSIS[:max_length]


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in MARK_CATEGORIES else 0
        # A mark with nothing before it would sit on a character of ours.
        stray_mark = marks > 0 and (marks > MAX_MARKS or not pieces)
        pieces.append(_escape(character) if stray_mark or _is_unseen(character, category) else character)
    return pieces


def _is_unseen(character: str, category: str) -> bool:
    return character != " " and (category in UNSEEN_CATEGORIES or character in UNSEEN)


def _escape(character: str) -> str:
    point = ord(character)
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
