"""Findings: targets of which the same is to be said, put together, so that it is said once."""

from collections.abc import Iterable
from dataclasses import dataclass

from kzmitm.model.verdict import Outcome
from kzmitm.report.findings import grounds
from kzmitm.report.results.view import ReportedTarget
from kzmitm.report.text import gravity

QUIET = frozenset({Outcome.CLEAN, Outcome.UNREACHABLE})
"""Outcomes with nothing to explain: their targets stand in one table."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Targets with one verdict, the first of them standing for all."""

    targets: tuple[ReportedTarget, ...]

    @property
    def first(self) -> ReportedTarget:
        return self.targets[0]

    @property
    def outcome(self) -> Outcome:
        return self.first.judged.verdict.outcome


def findings(targets: Iterable[ReportedTarget]) -> tuple[Finding, ...]:
    """What has to be explained, the gravest first; targets stay in the order of the scan."""
    groups: dict[object, list[ReportedTarget]] = {}
    for target in targets:
        if target.judged.verdict.outcome not in QUIET:
            groups.setdefault(_gist(target), []).append(target)
    found = [Finding(tuple(group)) for group in groups.values()]
    return tuple(sorted(found, key=lambda each: (gravity(each.first.judged.verdict), -len(each.targets))))


def quiet(targets: Iterable[ReportedTarget]) -> tuple[ReportedTarget, ...]:
    """The targets that need no explanation."""
    return tuple(target for target in targets if target.judged.verdict.outcome in QUIET)


def _gist(target: ReportedTarget) -> object:
    """All that is said of a target but its own name, addresses and certificates."""
    judged = target.judged
    verdict = judged.verdict
    return (
        verdict.outcome,
        verdict.confidence,
        verdict.scope,
        verdict.authority,
        tuple((forger.id, forger.relations) for forger in verdict.forgers),
        grounds(verdict.rule_ids),
        tuple((each.cause, each.evidence) for each in verdict.ruled_out),
        verdict.undecided,
        judged.failure,
        verdict.certificate_failure,
        judged.local_trust,
        target.is_proven,
    )
