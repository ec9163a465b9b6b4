"""What a scan asks for and gives: a judge, an observer, and judged measurements."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.measurement import Measurement
from kzmitm.model.target import Endpoint, Target
from kzmitm.model.verdict import Verdict
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.followup import FollowUp


@dataclass(frozen=True, slots=True)
class Judged:
    """A measurement, what is known of it and what that means."""

    measurement: Measurement
    facts: Facts
    verdict: Verdict
    asked: Target
    """The very target that was given; the measurement's may have an address by the user's word."""


class Pacer(Protocol):
    """Decides when a connection may be made, and knows when it has ended."""

    def turn(self, endpoint: Endpoint) -> AbstractAsyncContextManager[None]:
        """Enter when a connection to `endpoint` may be made; leave when it has ended."""
        ...


class ScanJudge(Protocol):
    """Who judges: `kzmitm.verdict.judge.Judge`."""

    def facts(self, measurement: Measurement, now: datetime) -> Facts:
        """What is known of a measurement."""
        ...

    def follow_ups(
        self, facts: Facts, *, benign_sni: Sequence[str], nonsense_sni: str
    ) -> tuple[FollowUp, ...]:
        """What else to try, () for a target that is beyond suspicion."""
        ...

    def verdict_of(self, facts: Facts) -> Verdict:
        """What the facts mean; the target counts as seen from here on."""
        ...


class LocalWitness(Protocol):
    """Knows the trust stores of this computer; asked in a thread, and never about a trusted chain."""

    def __call__(self, chain: Sequence[bytes], hostname: str, now: datetime) -> LocalTrust | None:
        """What they would have made of a chain for a name at a time; None if it cannot tell."""
        ...


class ScanObserver(Protocol):
    """Told of a scan's progress; must return quickly and never raise."""

    def on_start(self, target: Target) -> None:
        """A target is being measured."""
        ...

    def on_follow_up(self, target: Target, follow_up: FollowUp) -> None:
        """A suspicious target is being looked at once more."""
        ...

    def on_judged(self, judged: Judged) -> None:
        """A target is done."""
        ...

    def on_note(self, code: str) -> None:
        """Of the run itself, each at most once.

        `doh_given_up`, `ipv6_unusable`, `local_roots_unread`, `not_located`, `stopped_early`.
        """
        ...


class SilentObserver:
    """Takes note of nothing."""

    def on_start(self, target: Target) -> None: ...

    def on_follow_up(self, target: Target, follow_up: FollowUp) -> None: ...

    def on_judged(self, judged: Judged) -> None: ...

    def on_note(self, code: str) -> None: ...
