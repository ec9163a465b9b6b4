"""A profile: one thing that can stand between a client and a site, and what the scanner must say of it.

One profile is one file in `kzmitm/lab/profiles/` with a `PROFILE`; it is found by discovery. The table of the
expected verdicts is the demo's self-check and the integration test at once.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from kzmitm._registry import discover
from kzmitm.lab import profiles
from kzmitm.lab.sites import Site
from kzmitm.model.verdict import Confidence, Outcome

if TYPE_CHECKING:
    from kzmitm.lab.laboratory import Lab

LOOK_ALIKE = "lab-look-alike"
"""The look-alike's id in the registry overlay."""


class Place(enum.Enum):
    """Where a profile acts."""

    ORIGIN = "origin"
    """At the site itself: the same from every network."""
    PATH = "path"
    """On the way of this client: a clean network does not see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the scanner must say: one of `outcomes`, and what else is given."""

    outcomes: frozenset[Outcome]
    confidence: Confidence | None = None
    authority: str | None = None
    forger: str | None = None
    """Id of a forger that must be among those it is consistent with (needs a control)."""

    def __str__(self) -> str:
        return " or ".join(sorted(self.outcomes))


def expect(
    *outcomes: Outcome,
    confidence: Confidence | None = None,
    authority: str | None = None,
    forger: str | None = None,
) -> Expected:
    """An expectation of one of `outcomes`."""
    return Expected(outcomes=frozenset(outcomes), confidence=confidence, authority=authority, forger=forger)


def forged(forger: str) -> Expected:
    """Interception by the look-alike, confirmed by its key, consistent with a forger."""
    return expect(Outcome.INTERCEPTION, confidence=Confidence.CONFIRMED, authority=LOOK_ALIKE, forger=forger)


CLEAN = expect(Outcome.CLEAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One arrangement: `on` puts it in front of `lab.sites_of(name)`, `off` takes all of it away.

    `selective` says that sites that are not watched pass through untouched. `needs` are the packages
    that bring the product.
    """

    name: str
    title: str
    """What it is, as a phrase for people."""
    place: Place
    sites: tuple[str, ...]
    """In front of which sites it stands unless the laboratory is told otherwise."""
    expected: Expected
    on: Callable[["Lab"], None]
    off: Callable[["Lab"], None]
    selective: bool = False
    needs: tuple[str, ...] = ()

    def expected_for(self, site: Site) -> Expected:
        """What the scanner must say of a site that is reached through this profile."""
        return CLEAN if self.selective and not site.watched else self.expected


@cache
def all_profiles() -> Mapping[str, Profile]:
    """Every profile by its name; raises ValueError if two have the same."""
    found: dict[str, Profile] = {}
    for module in discover(profiles):
        profile: Profile = module.PROFILE
        if profile.name in found:
            raise ValueError(f"two profiles are called {profile.name}")
        found[profile.name] = profile
    return found
