"""From what many measurements show together to a report of it, and its exit code."""

from kzmitm.cli.exits import Exit
from kzmitm.cli.report.kind import Made, Request
from kzmitm.errors import UsageError
from kzmitm.pki.registry import Registry
from kzmitm.report.language import _
from kzmitm.report.overviews import country, impact
from kzmitm.report.overviews.values import Overview


def made(overview: Overview, registry: Registry, request: Request, *, stem: str) -> Made:
    """The report that was asked for; raises UsageError for what only one scan's result has."""
    if request.options.appeal:
        raise UsageError(
            _("an appeal is about one result"), hint=_("name one RESULT of a scan with --appeal")
        )
    tell = impact.document if request.options.impact else country.document
    document = tell(overview, registry, now=request.now)
    stem = f"{stem}-impact" if request.options.impact else stem
    return Made(document=document, stem=stem, exit_code=exit_of(overview))


def exit_of(overview: Overview) -> Exit:
    """Undecided where nothing at all could be decided."""
    if overview.intercepted:
        return Exit.FOUND
    return Exit.OK if overview.measurements > overview.outcomes.get("inconclusive", 0) else Exit.UNDECIDED
