"""A table for spreadsheets and programs: a row for each thing found, codes in English whatever the language.

A cell that begins as a formula would be run by the program that opens the file (CWE-1236): such a cell gets
an apostrophe before it, which spreadsheets take as the mark of text.
"""

import csv
import io

from kzmitm.report.document import Document
from kzmitm.report.page import visible

BYTE_ORDER_MARK = "\ufeff"
"""Without it, spreadsheets on Windows read UTF-8 as a code page."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", *"\uff1d\uff0b\uff0d\uff20")
"""How formulas and commands begin, in full width too, as East Asian input methods write them."""


def render(document: Document) -> bytes:
    """The data of the document (RFC 4180), in UTF-8 with a mark of the byte order."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(document.data.columns)
    writer.writerows([_harmless(cell) for cell in row] for row in document.data.rows)
    return (BYTE_ORDER_MARK + out.getvalue()).encode()


def _harmless(cell: str) -> str:
    shown = visible(cell)
    return f"'{shown}" if shown.lstrip().startswith(FORMULA) else shown
