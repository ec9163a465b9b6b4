"""Joining the results of many places: nothing of theirs is believed but the lines, which are judged again.

In whatever order the places come, the same octets are written: of several lines of one job the one with the
smallest hash is taken, and every share is judged and written in the order of the plan.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from kzmitm.campaign.intake import BoundedJudge, Reason, RefusedError, measurement_of
from kzmitm.campaign.packing import Pack
from kzmitm.campaign.plan import Plan, Share
from kzmitm.campaign.remote_setup import part_of
from kzmitm.campaign.share_claims import FAILED, Chosen, claims_of, lines_of
from kzmitm.campaign.share_run import result_of
from kzmitm.campaign.share_store import Result, ShareStore
from kzmitm.campaign.state import CampaignFolder
from kzmitm.errors import KzmitmError
from kzmitm.scan import ScanJudge

BATCH: Final = 64


@dataclass(slots=True)
class Merged:
    """What became of a merge."""

    taken: int = 0
    failed: int = 0
    doubles: int = 0
    """Lines of jobs that had one already."""
    conflicts: int = 0
    """Jobs of which two lines say different things."""
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By where it came from and why."""


class Merge:
    """Joins packs into a campaign's folder; `make_judge` gives a judge for each share."""

    def __init__(self, plan: Plan, make_judge: Callable[[], ScanJudge], now: datetime) -> None:
        self._plan = plan
        self._make_judge = make_judge
        self._now = now
        self.told = Merged()

    def into(self, folder: CampaignFolder, packs: Iterable[Pack]) -> Merged:
        """Write every share that any pack has; raises UsageError, OSError."""
        good = list(packs)
        for pack in good:
            self._look_for_others(pack)
        for number in range(1, self._plan.campaign.rounds.count + 1):
            for share in self._plan.shares(number):
                having = [each for each in good if (share.round, share.vantage) in each.places]
                if having:
                    self._share(share, having, folder)
        return self.told

    def _look_for_others(self, pack: Pack) -> None:
        """Count shares that the plan does not have."""
        known = {each.name for each in self._plan.campaign.vantages}
        for number, vantage in pack.places:
            if vantage not in known or not 1 <= number <= self._plan.campaign.rounds.count:
                self._refuse(pack, Reason.OTHER_SHARE)

    def _refuse(self, pack: Pack, reason: str) -> None:
        self.told.refused[pack.path.name, reason] += 1

    def _share(self, share: Share, packs: list[Pack], folder: CampaignFolder) -> None:
        with tempfile.TemporaryFile() as spool:
            chosen = Chosen(spool, self._plan.jobs_per_share)
            for pack in packs:
                if self._may_speak_for(pack, share):
                    self._gather(pack, share, chosen)
            self.told.doubles += chosen.doubles
            self.told.conflicts += chosen.conflicts
            self._write(share, chosen, folder)

    def _may_speak_for(self, pack: Pack, share: Share) -> bool:
        """A vantage whose key the campaign names is spoken for by that key alone."""
        key = part_of(self._plan, share.vantage).key
        if key is None or key == pack.signer:
            return True
        self._refuse(pack, Reason.OTHER_KEY)
        return False

    def _gather(self, pack: Pack, share: Share, chosen: Chosen) -> None:
        try:
            claims = claims_of(pack, share, self._plan)
            lines = lines_of(pack, pack.places[share.round, share.vantage])
            for number, state in claims:
                if state == FAILED:
                    chosen.fail(number)
                    continue
                line = next(lines, None)
                if line is None:
                    self._refuse(pack, "lines_missing")
                    return
                self._consider(pack, share, number, line, chosen)
        except RefusedError as exc:
            self._refuse(pack, exc.reason)
        except (KzmitmError, ValueError, RecursionError):
            self._refuse(pack, "damaged")

    def _consider(self, pack: Pack, share: Share, number: int, line: bytes, chosen: Chosen) -> None:
        if number < 0:
            self._refuse(pack, Reason.UNKNOWN_JOB)
            return
        try:
            measurement_of(self._plan.job(share, number), line)
        except RefusedError as exc:
            self._refuse(pack, exc.reason)
            return
        chosen.add(number, line)

    def _write(self, share: Share, chosen: Chosen, folder: CampaignFolder) -> None:
        """Judge what was chosen, in the plan's order, and store it."""
        store = folder.store(share)
        judge = BoundedJudge(self._make_judge)
        try:
            for number in self._plan.order(share):
                self._keep(share, number, chosen, judge, store)
                if store.waiting >= BATCH:
                    store.flush()
            store.flush()
            store.write_manifest({"round": share.round, "vantage": share.vantage})
        finally:
            store.close()

    def _keep(
        self, share: Share, number: int, chosen: Chosen, judge: BoundedJudge, store: ShareStore
    ) -> None:
        line = chosen.line(number)
        if line is None:
            if chosen.is_failed(number) and store.add(Result(number, "failed"), b""):
                self.told.failed += 1
            return
        job = self._plan.job(share, number)
        try:
            measurement = measurement_of(job, line)
            judged = judge.judged(job, measurement, min(measurement.started_at, self._now), len(line))
        except RefusedError as exc:
            self.told.refused["", exc.reason] += 1
            return
        if store.add(replace(result_of(job, judged), at=judged.facts.now.timestamp()), line):
            self.told.taken += 1
