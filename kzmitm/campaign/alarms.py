"""Alarms on change, with hysteresis: what flickers is told once it stays. Pure.

A target from a vantage is intercepted, or free, or undecided (inconclusive, blocked, unreachable: these
change nothing). A change is told when so many decided rounds in a row agree on it, and once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kzmitm.campaign.history import INTERCEPTION, Seen

FREE_OUTCOMES = frozenset({"clean", "origin_misconfigured"})
"""The site's own server answered."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A change that stayed: `state` is `intercepted` or `free`; `round` is the last of those that agree."""

    vantage: str
    target: str
    state: str
    round: int
    authority: str
    certificate: str

    @property
    def id(self) -> str:
        """The same change has the same name, whenever it is worked out."""
        return f"{self.vantage} {self.target} {self.state} {self.round}"


def alarms(results: Iterable[Seen], *, after: int) -> list[Alarm]:
    """Every change in the rounds so far, in order; what is free from the beginning is no change."""
    rounds: dict[tuple[str, str], list[Seen]] = {}
    for seen in sorted(results, key=lambda each: each.round):
        if state_of(seen):
            rounds.setdefault((seen.vantage, seen.target), []).append(seen)
    found = [alarm for key in sorted(rounds) for alarm in _of_one(rounds[key], after)]
    return sorted(found, key=lambda alarm: (alarm.round, alarm.vantage, alarm.target))


def _of_one(seen: list[Seen], after: int) -> Iterable[Alarm]:
    told, agreed, count = "free", "free", 0
    for each in seen:
        state = state_of(each)
        agreed, count = (state, count + 1) if state == agreed else (state, 1)
        if count >= after and agreed != told:
            told = agreed
            result = each.result
            yield Alarm(each.vantage, each.target, told, each.round, result.authority, result.certificate)


def state_of(seen: Seen) -> str:
    """`intercepted`, `free`, or "" for what decides nothing."""
    if seen.result.is_failed:
        return ""
    if seen.result.outcome == INTERCEPTION:
        return "intercepted"
    return "free" if seen.result.outcome in FREE_OUTCOMES else ""


def as_document(alarm: Alarm, campaign: str) -> Mapping[str, object]:
    """What a hook is given."""
    return {
        "schema": "kzmitm.alarm/1.0",
        "version": 1,
        "campaign": campaign,
        "id": alarm.id,
        "vantage": alarm.vantage,
        "target": alarm.target,
        "state": alarm.state,
        "round": alarm.round,
        "authority": alarm.authority or None,
        "certificate_sha256": alarm.certificate or None,
    }
