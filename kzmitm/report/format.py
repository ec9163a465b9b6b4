"""The formats in which a report can be written: one module of `kzmitm.report.formats` each.

A format is a module with `render(document) -> bytes`. Its name is that of the option and of the file's
suffix, and the first line of its docstring says what it is for.
"""

from typing import Protocol, cast

from kzmitm._registry import load, names_in
from kzmitm.errors import UsageError
from kzmitm.report import formats
from kzmitm.report.document import Document


class Format(Protocol):
    """A way of writing a report down."""

    def render(self, document: Document) -> bytes:
        """The content of one file; raises UsageError if a library that it needs is not installed."""
        ...


def format_names() -> tuple[str, ...]:
    """The formats that there are; none is loaded."""
    return names_in(formats)


def format_named(name: str) -> Format:
    """The format of a name; raises UsageError."""
    if name not in format_names():
        raise UsageError(f"no format {name[:40]!r}", hint=f"there is: {', '.join(format_names())}")
    return cast("Format", load(formats, name))
