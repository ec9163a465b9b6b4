"""A profile: one thing that can stand between a client and a site, and what the scanner must say of it.

One profile is one file in `kzmitm/lab/profiles/` with a `PROFILE`; it is found by discovery. The table of the
expected verdicts is the laboratory's self-check and the integration test at once.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from kzmitm._registry import discover
from kzmitm.errors import UsageError
from kzmitm.lab import profiles
from kzmitm.lab.settings import Parameter, Settings, settle
from kzmitm.lab.sites import UNRELATED, UNWATCHED
from kzmitm.model.verdict import Confidence, Outcome, Scope

if TYPE_CHECKING:
    from kzmitm.lab.loopback.laboratory import Lab
    from kzmitm.lab.network.network import Network

LOOK_ALIKE = "lab-look-alike"
"""The look-alike's id in the registry overlay."""


class Place(enum.StrEnum):
    """Where a profile acts; also the name of that host of the network."""

    NOWHERE = "nowhere"
    CLIENT = "client"
    """On the user's own computer."""
    ACCESS = "access"
    """At the first router: a company, a hotel, a home."""
    OPERATOR = "operator"
    """At the operator's gateway, which every connection passes."""
    TRANSIT = "transit"
    """Beyond the operator: what is seen from here is clean."""
    SERVER = "server"
    """At the site itself: the same from every network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the scanner must say: one of `outcomes`, and what else is given."""

    outcomes: frozenset[Outcome]
    confidence: Confidence | None = None
    scope: Scope | None = None
    authority: str | None = None
    """Id of the authority that must be named; None: nobody may be, unless `is_anyone`."""
    is_anyone: bool = False
    """Whoever is named will do: by names alone, which are free, the scan may think of somebody."""
    forger: str | None = None
    """Id of a forger that must be among those it is consistent with (needs a control)."""

    def __str__(self) -> str:
        return " or ".join(sorted(self.outcomes))


def expect(
    *outcomes: Outcome,
    confidence: Confidence | None = None,
    scope: Scope | None = None,
    authority: str | None = None,
    forger: str | None = None,
) -> Expected:
    """An expectation of one of `outcomes`."""
    return Expected(
        outcomes=frozenset(outcomes), confidence=confidence, scope=scope, authority=authority, forger=forger
    )


CLEAN = expect(Outcome.CLEAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loopback:
    """How a profile is arranged on loopback: in front of `lab.sites_of(name)`."""

    on: Callable[["Lab"], None]
    off: Callable[["Lab"], None]
    sites: tuple[str, ...]
    """In front of which sites it stands in the demo on loopback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One arrangement, in the network, on loopback or in both.

    In the network there is no `off`: whatever `network` does there registers how it is undone.
    """

    name: str
    title: str
    """What it is, as a phrase for people."""
    lesson: str
    """What happens, and how it is told from what it resembles: a short paragraph for a class."""
    place: Place
    intercepts: bool = False
    """True if it forges certificates."""
    selective: bool = False
    """True if sites that it does not strike pass through untouched."""
    seen_by_control: bool = False
    """True if a clean place sees it as well, because the site itself is at fault."""
    expected: Callable[[Settings], Expected]
    """What the scanner must say of a site that it strikes."""
    parameters: tuple[Parameter, ...] = ()
    needs: tuple[str, ...] = ()
    """Packages that bring the product."""
    network: Callable[["Network", Settings], None] | None = None
    loopback: Loopback | None = None

    def settle(self, given: Mapping[str, str]) -> Settings:
        """The settings from what a user gave; raises UsageError."""
        return settle(self.parameters, given, profile=self.name)

    def struck(self, settings: Settings) -> tuple[str, ...]:
        """The sites that it is about."""
        return settings.names("watched") or settings.names("sites")

    def scanned(self, settings: Settings) -> tuple[str, ...]:
        """What a check scans: the sites that it is about and, if it chooses, one that it leaves alone."""
        struck = self.struck(settings)
        others = [name for name in (*UNWATCHED, *UNRELATED) if name not in struck]
        return (*struck, *others[:1]) if self.selective else struck

    def expected_for(self, hostname: str, settings: Settings) -> Expected:
        """What the scanner must say of a site that is reached through this profile."""
        if self.selective and hostname not in self.struck(settings):
            return CLEAN
        return self.expected(settings)


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


def on_loopback() -> Mapping[str, Profile]:
    """Those that can exist on loopback."""
    return {name: profile for name, profile in all_profiles().items() if profile.loopback is not None}


def profile_named(name: str) -> Profile:
    """The profile of a name; raises UsageError if there is none."""
    profile = all_profiles().get(name)
    if profile is None:
        raise UsageError(
            "no profile is called {name}",
            hint="there is: {all_profiles}",
            name=repr(name[:40]),
            all_profiles=", ".join(all_profiles()),
        )
    return profile
