"""The evidence of a share: signed bundles of its findings, or of all that was measured.

A bundle is made of the share's stored lines once it is complete, so whatever ends the process and when, the
next start makes what is missing. Its name tells after which of the share's results it ends, so nothing is put
into two bundles, and one that others may have stamped is never written again.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from kzmitm.campaign.intake import RefusedError, annotations_of, measurement_of
from kzmitm.campaign.plan import Plan, Share
from kzmitm.campaign.sections import EvidenceTargets
from kzmitm.campaign.share_store import Result, results_of
from kzmitm.campaign.stored_lines import stored_lines
from kzmitm.errors import UsageError
from kzmitm.evidence import layout
from kzmitm.evidence.archive.zip_writer import archive_chunks
from kzmitm.evidence.assembly import assemble
from kzmitm.evidence.files import remove_parts, replace_file
from kzmitm.evidence.journal import BEGIN, PREFIX, JournalWriter, Signing, read_journal
from kzmitm.evidence.journal import Plan as JournalPlan
from kzmitm.evidence.medium import Folder
from kzmitm.evidence.scan_document import ScanHeader
from kzmitm.evidence.signing.keys import SigningKey
from kzmitm.model.certificate import Certificate
from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Outcome, Verdict
from kzmitm.verdict.engine import RULES_VERSION
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import HandshakeFacts
from kzmitm.verdict.judge import Judge

FINDINGS: Final = frozenset(
    {Outcome.INTERCEPTION, Outcome.TRUSTED_UNEXPECTED, Outcome.CAPTIVE_PORTAL, Outcome.DNS_HIJACK}
)
"""Outcomes that say that something else than the site answered."""
MAX_ROWS: Final = 20_000
"""Results of one bundle: as many as a list that a bundle's limits were made for."""
_NAME: Final = re.compile(r"evidence-(\d{8})\.zip", re.ASCII)

Explain = Callable[[Measurement, Verdict, HandshakeFacts | None], tuple[Sequence[Certificate], str]]
"""The parsed chain of the handshake that a verdict is about, and the verdict in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What bundles are made with, besides what was measured."""

    judge: Callable[[], Judge]
    key: Callable[[], SigningKey]
    """Asked for when there is something to sign."""
    signs_as: str
    explain: Explain
    annotations: Mapping[str, str] = field(default_factory=dict)
    environment: Callable[[Share], Mapping[str, Any]] = lambda _share: NO_ENVIRONMENT
    """Of the computer that measured, as far as that is known here."""


NO_ENVIRONMENT: Final[Mapping[str, Any]] = {
    "system": "", "release": "", "machine": "", "python": "", "libraries": {}, "resolvers": [],
}  # fmt: skip


class BrokenOffError(Exception):
    """All is to stop; what was begun is removed, and made anew by the next start."""


def bundles_of(place: Path) -> list[Path]:
    """The bundles of a share, in order."""
    return sorted(path for path in place.glob("evidence-*.zip") if _NAME.fullmatch(path.name))


def covered(place: Path) -> int:
    """How many of a share's results are behind the end of its last bundle."""
    names = [_NAME.fullmatch(path.name) for path in bundles_of(place)]
    return max((int(name[1]) for name in names if name), default=0)


def needs_bundle(place: Path, targets: EvidenceTargets) -> bool:
    """True if results that belong into a bundle are in none."""
    if targets is EvidenceTargets.NONE:
        return False
    measured = (result for result in results_of(place) if not result.is_failed)
    return any(
        targets is EvidenceTargets.ALL or result.outcome in FINDINGS
        for result in islice(measured, covered(place), None)
    )


def make_bundles(
    share: Share, place: Path, plan: Plan, means: Means, *, complete: bool, is_stopping: Callable[[], bool]
) -> list[Path]:
    """Write the bundles that a share lacks; those written. Raises OSError, UsageError, BrokenOffError."""
    remove_left(place)
    if not needs_bundle(place, plan.campaign.evidence.targets):
        return []
    return list(_Maker(share, place, plan, means, is_stopping).made(complete=complete))


def remove_left(place: Path) -> None:
    """Delete what a killed process left of a bundle that it was making."""
    for path in place.glob(f"{PREFIX}*"):
        if path.is_dir() and not path.is_symlink():
            Folder(path).remove(BEGIN)
    remove_parts(place)


class _Maker:
    def __init__(
        self, share: Share, place: Path, plan: Plan, means: Means, is_stopping: Callable[[], bool]
    ) -> None:
        self._share = share
        self._place = place
        self._plan = plan
        self._means = means
        self._is_stopping = is_stopping
        self._wants_all = plan.campaign.evidence.targets is EvidenceTargets.ALL
        self._judge = means.judge()
        self._doubtful: dict[int, JournalWriter] = {}
        """Which bundle holds a measurement, by identity, that the judge keeps until it has settled it."""

    def made(self, *, complete: bool) -> Iterator[Path]:
        rows = self._rows(covered(self._place))
        while (path := self._bundle(rows, complete=complete)) is not None:
            yield path

    def _rows(self, first: int) -> Iterator[tuple[int, Result, bytes | None]]:
        return (
            (number, result, line)
            for number, (result, line) in enumerate(stored_lines(self._place), 1)
            if number > first
        )

    def _bundle(self, rows: Iterator[tuple[int, Result, bytes | None]], *, complete: bool) -> Path | None:
        """The bundle of the next rows; None if there is nothing to be put into one."""
        journal: JournalWriter | None = None
        count, last = 0, datetime.min.replace(tzinfo=UTC)
        try:
            for end, result, line in rows:  # noqa: B007 (where it ends names the bundle)
                if self._is_stopping():
                    raise BrokenOffError
                found = self._judged(result, line)
                if found is None:
                    continue
                facts, at, verdict = found
                measurement = facts.measurement
                last, count = max(last, at), count + 1
                if journal is None:
                    journal = JournalWriter.begin(self._place, self._journal_plan(measurement, at))
                self._add(journal, result, facts, verdict)
                if count >= MAX_ROWS:
                    break
            if journal is None:
                return None
            self._settle(journal)
            journal.finish(finished_at=last, complete=complete)
            journal.close()
            return self._write(journal, end)
        finally:
            if journal is not None:
                journal.release()
                assert isinstance(journal.medium, Folder)  # noqa: S101 - it was begun in a folder
                journal.medium.remove(BEGIN)

    def _judged(self, result: Result, line: bytes | None) -> tuple[Facts, datetime, Verdict] | None:
        """What belongs into the bundle. The others are only counted, as a verdict rests on the whole run."""
        if line is None:
            return None
        if result.outcome == Outcome.CLEAN and not self._wants_all:
            self._judge.context.add_plain()
            return None
        try:
            measurement = measurement_of(self._plan.job(self._share, result.number), line)
        except RefusedError as exc:
            raise UsageError(
                "{place}: the line of job {number} is not as it was written: {why}",
                hint="restore the share from a copy",
                place=self._place,
                number=result.number,
                why=exc,
            ) from None
        at = datetime.fromtimestamp(result.at, UTC)
        facts = self._judge.facts(measurement, at)
        verdict = self._judge.verdict_of(facts)
        belongs = self._wants_all or not FINDINGS.isdisjoint((result.outcome, verdict.outcome))
        return (facts, at, verdict) if belongs else None

    def _add(self, journal: JournalWriter, result: Result, facts: Facts, verdict: Verdict) -> None:
        measurement = facts.measurement
        chain, words = self._means.explain(measurement, verdict, self._judge.deciding(facts))
        job = self._plan.job(self._share, result.number)
        journal.add(
            measurement,
            verdict,
            failures=facts.failures,
            certificates=chain,
            explanation=words,
            annotations=annotations_of(job),
        )
        if verdict.outcome is not Outcome.CLEAN:
            self._doubtful[id(measurement)] = journal

    def _settle(self, journal: JournalWriter) -> None:
        """Judge again what the whole share explains."""
        for settled in self._judge.settle():
            measurement = settled.facts.measurement
            if self._doubtful.get(id(measurement)) is journal:
                about = self._judge.deciding(settled.facts)
                chain, words = self._means.explain(measurement, settled.verdict, about)
                journal.amend(measurement, settled.verdict, certificates=chain, explanation=words)

    def _journal_plan(self, first: Measurement, at: datetime) -> JournalPlan:
        header = ScanHeader(
            started_at=at,
            rules_version=RULES_VERSION,
            registry_version=self._judge.registry.version,
            store=self._judge.store,
            vantage=replace(first.vantage, id=self._share.vantage),
            options=self._options(),
        )
        return JournalPlan(
            header=header,
            signing=Signing(campaign=self._means.signs_as),
            annotations=self._means.annotations,
            environment=self._means.environment(self._share),
        )

    def _options(self) -> dict[str, Any]:
        """What shaped it. No path and no URI: both tell who the user is."""
        campaign = self._plan.campaign
        limits, collect = campaign.limits, campaign.collect
        return {
            "campaign": campaign.name,
            "plan": self._plan.digest,
            "round": self._share.round,
            "lists": list(campaign.targets.lists),
            "targets": self._plan.jobs_per_share,
            "evidence": str(campaign.evidence.targets),
            "profile": collect.profile,
            "families": sorted(collect.families),
            "follow_ups": collect.follow_ups,
            "doh": collect.doh,
            "concurrency": limits.vantage_concurrency,
            "rate_per_s": limits.rate,
            "timeout_s": limits.timeout,
            "stop_after": campaign.stop.findings,
        }

    def _write(self, journal: JournalWriter, end: int) -> Path:
        assembled = assemble(read_journal(journal.medium), self._means.key())
        circles = layout.LEVELS[: layout.LEVELS.index(self._plan.campaign.evidence.level) + 1]
        kept = [each for each in assembled.sources if layout.level_of(each.path) in (None, *circles)]
        path = self._place / f"evidence-{end:08d}.zip"
        replace_file(path, archive_chunks(assembled.root, kept))
        return path
