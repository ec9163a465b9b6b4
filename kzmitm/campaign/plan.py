"""What a campaign asks, in which order: the same file, lists and seed give the same plan everywhere.

A job is one target (or control) from one vantage in one round. Its id is made of what it asks and not of when
it is asked, so that a result can arrive twice and count once.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from random import Random

from kzmitm.campaign.sections import CampaignFile
from kzmitm.campaign.target_table import TargetTable
from kzmitm.model.target import Target


class JobKind(StrEnum):
    TARGET = "target"
    CONTROL = "control"
    """A name nobody would touch, between the others."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one vantage does in one round (from 1)."""

    round: int
    vantage: str


@dataclass(frozen=True, slots=True)
class Job:
    """`number` is of the job in its share: targets by their number, then the controls in their order."""

    id: str
    share: Share
    number: int
    kind: JobKind
    target: Target


class Plan:
    """The jobs of a campaign; nothing is kept for each."""

    def __init__(self, campaign: CampaignFile, targets: TargetTable, controls: TargetTable) -> None:
        self.campaign = campaign
        self.targets = targets
        self.controls = controls
        decisive = f"{campaign.name}\n{campaign.digest}\n{targets.digest}\n{controls.digest}"
        self.digest = sha256(decisive.encode()).hexdigest()
        """Of all that decides what is asked."""

    @property
    def controls_per_share(self) -> int:
        every = self.campaign.controls.every
        if not every or not len(self.controls):
            return 0
        return max(1, len(self.targets) // every)

    @property
    def jobs_per_share(self) -> int:
        return len(self.targets) + self.controls_per_share

    def shares(self, round_number: int) -> tuple[Share, ...]:
        """The shares of a round, in the order of the file."""
        return tuple(Share(round_number, each.name) for each in self.campaign.vantages)

    def job(self, share: Share, number: int) -> Job:
        """One job of a share by its number."""
        if number < len(self.targets):
            kind, target = JobKind.TARGET, self.targets[number]
        else:
            kind = JobKind.CONTROL
            target = self.controls[(number - len(self.targets)) % len(self.controls)]
        return Job(self._id(share, number), share, number, kind, target)

    def order(self, share: Share) -> Iterator[int]:
        """The numbers of a share's jobs: targets shuffled by the seed, a control first, and now and then."""
        numbers = array("I", range(len(self.targets)))
        rng = Random(f"order {self.campaign.seed} {share.round} {share.vantage}")  # noqa: S311 (not a secret)
        rng.shuffle(numbers)
        control, last = len(self.targets), self.jobs_per_share
        every = self.campaign.controls.every
        for place, number in enumerate(numbers):
            if control < last and (not every or place % every == 0):
                yield control
                control += 1
            yield number
        yield from range(control, last)

    def _id(self, share: Share, number: int) -> str:
        text = f"{self.digest}\n{share.round}\n{share.vantage}\n{number}"
        return sha256(text.encode()).hexdigest()[:32]
