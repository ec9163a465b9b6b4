"""The report of one scan's result, or of several."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.report.kind import Made, Request
from kzmitm.cli.report.views import Reader
from kzmitm.errors import UsageError
from kzmitm.report.language import _
from kzmitm.report.results.appeal import appeal_document
from kzmitm.report.results.report import results_document
from kzmitm.report.results.view import ResultView


def recognises(path: Path) -> bool:
    """True for whatever there is: what is wrong with it is said when it is read."""
    return path.exists()


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--appeal", action="store_true",
        help="what an appeal to an authority must contain, filled in from one RESULT")  # fmt: skip
    add("--control", metavar="FILE", type=filled_path,
        help="what a clean place saw (see scan --record-control), to lay beside what was shown")  # fmt: skip
    add("--store", metavar="FILE", type=filled,
        help="the roots that the scan was given by --store, to know genuine certificates by")  # fmt: skip


def make(request: Request) -> Made:
    """The report; raises BundleError, UsageError."""
    if request.options.impact:
        raise UsageError(
            _("--impact is about many measurements"), hint=_("name the folder of an archive or a campaign")
        )
    reader = Reader(request)
    views = [reader.view(path) for path in request.paths]
    if request.options.appeal:
        return _appeal(views, reader)
    name = views[0].reference if len(views) == 1 else ""
    return Made(
        document=results_document(views),
        stem=f"{name or 'report'}-{request.level}",
        exit_code=_exit_code(views, reader),
    )


def _appeal(views: Sequence[ResultView], reader: Reader) -> Made:
    """An appeal is for one result that anybody can check."""
    if len(views) > 1:
        raise UsageError(_("an appeal is about one result"), hint=_("name one RESULT with --appeal"))
    view = views[0]
    if view.check.is_altered is None:
        raise UsageError(
            _("the scan did not end, so nobody signed its result"), hint=_("scan again, and let it end")
        )
    if view.check.is_altered:
        raise UsageError(
            _("the result was changed after it was signed: {problem}").format(problem=view.check.problems[0]),
            hint=_("take the result that the scan wrote"),
        )
    return Made(
        document=appeal_document(view),
        stem=f"{view.reference}-appeal",
        exit_code=_exit_code(views, reader),
    )


def _exit_code(views: Sequence[ResultView], reader: Reader) -> Exit:
    if any(view.check.is_altered for view in views):
        return Exit.FOUND
    return reader.tally.exit_code(complete=all(view.is_complete for view in views))
