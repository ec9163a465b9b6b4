"""A result as rows for programs: codes and no sentences, the same in every language."""

from collections.abc import Iterator, Sequence

from kzmitm.report.document import Data
from kzmitm.report.results.view import ReportedTarget, ResultView
from kzmitm.report.safe import harmless

COLUMNS = (
    "result", "week", "asn", "country", "target", "outcome", "confidence", "scope", "authority", "match",
    "matched_sha256", "certificate_failure", "failure", "rules", "ruled_out", "undecided", "seen_at",
    "address", "leaf_sha256",
)  # fmt: skip

MAX_CELL = 2_000
"""Characters of a cell: the longest of ours, all rules that fired, has some hundreds."""


def data_of(views: Sequence[ResultView]) -> Data:
    """A row for each target; of an altered result one row that says so."""
    return Data(COLUMNS, tuple(row for view in views for row in _rows(view)))


def _rows(view: ResultView) -> Iterator[tuple[str, ...]]:
    if view.check.is_altered:
        yield (view.reference, *[""] * 4, "ALTERED", *[""] * (len(COLUMNS) - 6))
        return
    for target in view.targets:
        yield tuple(
            harmless(each, MAX_CELL) for each in (*_of_result(view), *_of_verdict(target), *_of_place(target))
        )


def _of_result(view: ResultView) -> tuple[str, ...]:
    return view.reference, view.week, view.asn, view.country


def _of_verdict(target: ReportedTarget) -> tuple[str, ...]:
    judged = target.judged
    verdict = judged.verdict
    authority = verdict.authority
    return (
        judged.target,
        verdict.outcome,
        verdict.confidence or "",
        verdict.scope or "",
        authority.id if authority else "",
        authority.match if authority else "",
        authority.matched_sha256 if authority else "",
        verdict.certificate_failure or "",
        judged.failure or "",
        " ".join(verdict.rule_ids),
        " ".join(f"{each.cause}:{each.evidence}" for each in verdict.ruled_out),
        " ".join(verdict.undecided),
    )


def _of_place(target: ReportedTarget) -> tuple[str, ...]:
    when = target.seen_at.isoformat() if target.seen_at else ""
    leaf = target.presented[0].sha256 if target.presented else ""
    return when, target.address or "", leaf
