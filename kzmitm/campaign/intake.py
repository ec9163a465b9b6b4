"""Results of workers, which may lie: each is held against the plan, its key and its job, and judged by us.

A worker's own verdict is never asked for. What is refused is counted by reason and key; a worker can spoil
the results of its own vantage and no others, as it can write on its own subject only.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kzmitm.campaign.plan import Job, JobKind, Plan, Share
from kzmitm.campaign.work import WorkError, WorkResult, parse_result
from kzmitm.errors import KzmitmError
from kzmitm.evidence.json_reader import MAX_COMMAS
from kzmitm.evidence.measurement_reader import parse_object
from kzmitm.evidence.signing.sshsig import PublicKey
from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Outcome
from kzmitm.ooni.decode import decode
from kzmitm.scan import Judged, ScanJudge
from kzmitm.wording import Wording

DAY: Final = timedelta(days=1)
MAX_KEYS: Final = 64
"""Keys that refusals are counted by; a worker may make a new one for every message."""
JUDGE_OCTETS: Final = 32 << 20
"""Of suspicious lines after which a judge is replaced: it remembers them, and a liar makes them large."""

logger = logging.getLogger(__name__)


class Reason(StrEnum):
    """Why a result is refused."""

    UNREADABLE = "unreadable"
    OTHER_PLAN = "other_plan"
    OTHER_SHARE = "other_share"
    """Of another vantage or round."""
    UNKNOWN_JOB = "unknown_job"
    OTHER_KEY = "other_key"
    SIGNATURE = "signature"
    NO_MEASUREMENT = "no_measurement"
    OTHER_JOB = "other_job"
    """The line tells of another job, or of another key."""
    OTHER_TARGET = "other_target"
    FAULT = "fault"
    """Our judge failed at it."""


class RefusedError(KzmitmError):
    """A result that is not taken; `key` is the fingerprint that it names, "" if none can be read."""

    def __init__(self, reason: Reason, detail: str = "", key: str = "") -> None:
        super().__init__("{reason}: {detail}" if detail else "{reason}", reason=reason, detail=detail)
        self.reason = reason
        self.key = key


@dataclass(frozen=True, slots=True)
class Accepted:
    """A result as it was judged here, with the octets that were signed."""

    job: Job
    judged: Judged
    result: WorkResult


class Intake:
    """Takes the results of one share; `pinned` is the one key it takes them from."""

    def __init__(
        self, plan: Plan, share: Share, make_judge: Callable[[], ScanJudge], pinned: PublicKey | None
    ) -> None:
        self._plan = plan
        self._share = share
        self._judge = BoundedJudge(make_judge)
        self.pinned = pinned

    def take(
        self, octets: bytes, *, is_final: Callable[[int], bool], began: datetime, now: datetime
    ) -> Accepted | None:
        """The judged result, None for a job that has one already; raises RefusedError."""
        result = self._read(octets)
        name = result.key.fingerprint
        try:
            job = self._job(result)
            self._check_signature(result)
            if is_final(job.number):
                return None
            measurement = measurement_of(job, result.line, key=name)
            at = min(max(measurement.started_at, began - DAY), now)
            accepted = Accepted(job, self._judge.judged(job, measurement, at, len(result.line)), result)
        except RefusedError as exc:
            exc.key = name
            raise
        self.pinned = result.key
        return accepted

    @staticmethod
    def _read(octets: bytes) -> WorkResult:
        try:
            return parse_result(octets)
        except WorkError as exc:
            raise RefusedError(Reason.UNREADABLE, str(exc)) from None

    def _check_signature(self, result: WorkResult) -> None:
        if self.pinned is not None and result.key != self.pinned:
            raise RefusedError(
                Reason.OTHER_KEY,
                Wording("this vantage's is {fingerprint}", fingerprint=self.pinned.fingerprint),
            )
        try:
            result.check()
        except WorkError as exc:
            raise RefusedError(Reason.SIGNATURE, str(exc)) from None

    def _job(self, result: WorkResult) -> Job:
        plan = self._plan
        if result.plan != plan.digest:
            raise RefusedError(Reason.OTHER_PLAN)
        if (result.round, result.vantage) != (self._share.round, self._share.vantage):
            raise RefusedError(Reason.OTHER_SHARE, f"{result.vantage}, round {result.round}")
        if result.number >= plan.jobs_per_share:
            raise RefusedError(Reason.UNKNOWN_JOB, f"number {result.number}")
        job = plan.job(self._share, result.number)
        if job.id != result.job:
            raise RefusedError(
                Reason.UNKNOWN_JOB,
                Wording("{job} is not number {number}", job=result.job, number=result.number),
            )
        return job


class BoundedJudge:
    """Judges one share's measurements, in memory that hostile ones cannot make grow."""

    def __init__(self, make_judge: Callable[[], ScanJudge]) -> None:
        self._make = make_judge
        self._judge = make_judge()
        self._octets = 0

    def judged(self, job: Job, measurement: Measurement, at: datetime, octets: int) -> Judged:
        """The measurement judged as of a time; raises RefusedError."""
        try:
            facts = self._judge.facts(measurement, at)
            verdict = self._judge.verdict_of(facts)
        except Exception as exc:
            logger.debug("a measurement of %s could not be judged", job.target, exc_info=True)
            raise RefusedError(Reason.FAULT, type(exc).__name__) from None
        if verdict.outcome is not Outcome.CLEAN:
            self._octets += octets
        if self._octets > JUDGE_OCTETS:
            self._judge, self._octets = self._make(), 0
        return Judged(measurement, facts, verdict, job.target)


def measurement_of(job: Job, line: bytes, *, key: str = "") -> Measurement:
    """What a line says, if it is of this job (and tells of the key that signed it); raises RefusedError."""
    if line.count(b",") > MAX_COMMAS:
        raise RefusedError(Reason.NO_MEASUREMENT, Wording("too many values"))
    try:
        document = parse_object(line, Wording("the line"))
        measurement = decode(document)
    except KzmitmError as exc:
        raise RefusedError(Reason.NO_MEASUREMENT, str(exc)[:200]) from None
    annotations = document.get("annotations")
    told = annotations if isinstance(annotations, dict) else {}
    for name, expected in annotations_of(job, key).items():
        if told.get(name) != expected:
            raise RefusedError(Reason.OTHER_JOB, name)
    found, asked = measurement.target, job.target
    if (found.hostname, found.port, found.sni) != (asked.hostname, asked.port, asked.sni):
        raise RefusedError(Reason.OTHER_TARGET, str(found)[:80])
    return measurement


def annotations_of(job: Job, key: str = "") -> dict[str, str]:
    """What a line about this job bears."""
    told = {
        "campaign_job": job.id,
        "campaign_round": str(job.share.round),
        "campaign_vantage": job.share.vantage,
    }
    if job.kind is JobKind.CONTROL:
        told["campaign_control"] = "true"
    return told | ({"campaign_key": key} if key else {})


@dataclass(slots=True)
class Refusals:
    """What was refused, by reason and key."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _keys: set[str] = field(default_factory=set)

    def add(self, refused: RefusedError) -> bool:
        """Count one; True if it is the first of its kind."""
        key = refused.key
        if key and key not in self._keys:
            if len(self._keys) >= MAX_KEYS:
                key = "others"
            else:
                self._keys.add(key)
        self.counts[refused.reason, key] += 1
        return self.counts[refused.reason, key] == 1

    def rows(self) -> list[list[str | int]]:
        """`[reason, key, count]` of each."""
        return [[reason, key, count] for (reason, key), count in sorted(self.counts.items())]
