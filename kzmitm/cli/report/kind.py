"""What a report can be made of: one module of `kzmitm.cli.report.kinds` for each kind of thing, found here.

Such a module has

- `recognises(path) -> bool`: whether this is a thing of its kind, told without reading it;
- `make(request) -> Made`: the report of the paths, which are all of its kind;
- `configure(parser)`: adds the options that only this kind has.

All are loaded for every report, so what is heavy is imported in their functions. They are asked in the order
of their names; what none recognises is taken for the result of a scan (`kinds.bundles`), which says what is
wrong with it.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, cast

from kzmitm._registry import load, names_in
from kzmitm.cli.exits import Exit
from kzmitm.cli.report import kinds as modules
from kzmitm.errors import UsageError
from kzmitm.evidence.layout import Level
from kzmitm.report.document import Document
from kzmitm.report.language import _

RESULTS = "bundles"
"""The kind that everything else is taken for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be reported, and for whom. `options` are all words of the command line."""

    paths: tuple[Path, ...]
    level: Level
    """The widest circle that the report is for; nothing of a narrower one may be in it."""
    language: str
    now: datetime
    options: argparse.Namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A report that was made: `stem` names its file if the user does not, without folder and suffix."""

    document: Document
    stem: str
    exit_code: Exit = Exit.OK


class Kind(Protocol):
    """A module of `kzmitm.cli.report.kinds`."""

    def recognises(self, path: Path) -> bool: ...
    def make(self, request: Request) -> Made: ...
    def configure(self, parser: argparse.ArgumentParser) -> None: ...


def kinds() -> Iterator[Kind]:
    """All kinds, in the order of their names."""
    for name in names_in(modules):
        yield cast("Kind", load(modules, name))


def kind_of(paths: Sequence[Path]) -> Kind:
    """The kind that all paths are of; raises UsageError if they are of several."""
    found = {_name_of(path) for path in paths}
    if len(found) > 1:
        raise UsageError(
            _("these are things of different kinds: {kinds}").format(kinds=", ".join(sorted(found))),
            hint=_("make a report of each kind"),
        )
    return cast("Kind", load(modules, found.pop()))


def _name_of(path: Path) -> str:
    names = (name for name in names_in(modules) if name != RESULTS)
    return next((name for name in names if cast("Kind", load(modules, name)).recognises(path)), RESULTS)
