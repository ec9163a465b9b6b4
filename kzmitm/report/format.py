"""The formats in which a report can be written: one module of `kzmitm.report.formats` each.

A format is a module with `render(document) -> bytes`. Its name is that of the option and of the file's
suffix, and the first line of its docstring says what it is for. One that cannot hold pictures has
`files(document)` as well, which gives those that lie beside its file.
"""

from collections.abc import Mapping
from typing import Protocol, cast

from kzmitm._registry import load, names_in
from kzmitm.errors import UsageError
from kzmitm.report import formats
from kzmitm.report.document import Document
from kzmitm.report.language import _
from kzmitm.report.pictures import with_names


class Format(Protocol):
    """A way of writing a report down."""

    def render(self, document: Document) -> bytes:
        """The content of one file; raises UsageError if a library that it needs is not installed."""
        ...


def rendered(name: str, document: Document, *, stem: str | None) -> tuple[bytes, Mapping[str, bytes]]:
    """The content of the file, and of those beside it by their names, all of which begin with `stem`.

    Without a stem there is no place for other files, and pictures are told in words. Raises UsageError.
    """
    format_ = format_named(name)
    files = getattr(format_, "files", None)
    if files is None:
        return format_.render(document), {}
    placed = with_names(document, stem)
    return format_.render(placed), files(placed)


def format_names() -> tuple[str, ...]:
    """The formats that there are; none is loaded."""
    return names_in(formats)


def format_named(name: str) -> Format:
    """The format of a name; raises UsageError."""
    if name not in format_names():
        raise UsageError(
            _("no such format: {name}").format(name=name[:40]),
            hint=_("there is: {names}").format(names=", ".join(format_names())),
        )
    return cast("Format", load(formats, name))
