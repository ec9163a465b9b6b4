"""What a campaign saw over its rounds: who, where, first and last; what changed between two. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from kzmitm.campaign.share_store import Result

INTERCEPTION = "interception"


@dataclass(frozen=True, slots=True)
class Seen:
    """A final result with what it is about."""

    round: int
    vantage: str
    target: str
    result: Result

    @property
    def is_intercepted(self) -> bool:
        return self.result.outcome == INTERCEPTION


@dataclass(slots=True)
class Span:
    """When something was seen; times in seconds since 1970, rounds from 1."""

    first_at: float
    last_at: float
    first_round: int
    last_round: int
    sightings: int = 0

    def add(self, seen: Seen) -> None:
        """One sighting more."""
        self.sightings += 1
        self.first_at, self.last_at = min(self.first_at, seen.result.at), max(self.last_at, seen.result.at)
        self.first_round = min(self.first_round, seen.round)
        self.last_round = max(self.last_round, seen.round)


@dataclass(frozen=True, slots=True)
class Change:
    """One target from one vantage, in an earlier round and in a later one; None where it has no result."""

    vantage: str
    target: str
    before: Result | None
    after: Result | None

    @property
    def begins_interception(self) -> bool:
        was = self.before is not None and self.before.outcome == INTERCEPTION
        return not was and self.after is not None and self.after.outcome == INTERCEPTION


def spans(results: Iterable[Seen], network_of: Callable[[Seen], str]) -> dict[str, dict[str, Span]]:
    """First and last sighting of each `authority`, `certificate`, `domain` and `network` of interception.

    `network_of` tells the AS number of the vantage then, "" if it is not known.
    """
    found: dict[str, dict[str, Span]] = {
        kind: {} for kind in ("authority", "certificate", "domain", "network")
    }
    for seen in results:
        if not seen.is_intercepted:
            continue
        names = {
            "authority": seen.result.authority or "unknown",
            "certificate": seen.result.certificate,
            "domain": seen.target,
            "network": network_of(seen),
        }
        for kind, name in names.items():
            if name:
                at, number = seen.result.at, seen.round
                found[kind].setdefault(name, Span(at, at, number, number)).add(seen)
    return found


def changes(before: Iterable[Seen], after: Iterable[Seen]) -> Iterator[Change]:
    """What is not as it was, by vantage and target; a failed job is no result."""
    earlier, later = _final(before), _final(after)
    for key in sorted(earlier.keys() | later.keys()):
        one, other = earlier.get(key), later.get(key)
        if _gist(one) != _gist(other):
            yield Change(*key, one, other)


def _final(results: Iterable[Seen]) -> dict[tuple[str, str], Result]:
    return {(each.vantage, each.target): each.result for each in results if not each.result.is_failed}


def _gist(result: Result | None) -> tuple[str, str] | None:
    return (result.outcome, result.authority) if result is not None else None
