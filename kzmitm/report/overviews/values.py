"""What many measurements show together, as reports tell it: of an archive's tables or a campaign's log.

Names of domains, certificates and networks are as they came, so strangers' texts: whoever shows them makes
them harmless. Times are aware UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kzmitm.pki.kinds import CARRIERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Measurements of something, and how they ended."""

    measurements: int
    intercepted: int
    blocked: int
    clean: int

    @property
    def others(self) -> int:
        """Undecided, unreachable, the site's own fault and the like."""
        return max(0, self.measurements - self.intercepted - self.blocked - self.clean)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """When something was first and last seen intercepting."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAuthority:
    """Who intercepted. `id` is empty for an unknown issuer; `match` is how it was recognised, if known."""

    id: str
    name: str
    kind: str
    match: str
    sightings: int
    domains: int
    networks: int
    span: Span

    @property
    def is_carrier(self) -> bool:
        return self.kind in CARRIERS


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCertificate:
    """A certificate, or an authority by its published ones: dates (None: not known), and when it was seen."""

    name: str
    """What it is called in a picture: the beginning of its SHA-256, or the authority's name."""
    sha256: str
    subject: str
    authority: str
    is_carrier: bool
    not_before: datetime | None
    not_after: datetime | None
    days: tuple[tuple[datetime, int], ...]
    """The first moment of each day with sightings, and how many there were."""
    outside: int
    """Sightings while it was not valid."""

    @property
    def sightings(self) -> int:
        return sum(number for _moment, number in self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDomain:
    name: str
    counts: Counts
    networks: int
    """Networks that intercept it."""
    span: Span | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNetwork:
    """An autonomous system (0: not known); `share` is percent of the country's users, None if not known."""

    asn: int
    name: str
    share: float | None
    counts: Counts
    by_network: int
    """Interceptions by a state's or a provider's authority."""
    domains: int
    """Domains that it intercepts."""
    span: Span | None

    @property
    def label(self) -> str:
        number = f"AS{self.asn}" if self.asn else "AS?"
        return f"{number} {self.name}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All of it. `outcomes` counts measurements by outcome; `cells` by network and domain."""

    is_campaign: bool
    outcomes: Mapping[str, int]
    first: datetime | None
    last: datetime | None
    countries: tuple[str, ...]
    domains_measured: int
    networks_measured: int
    domains_intercepted: int
    """All of them, where `domains` holds those with most of it."""
    authorities: tuple[SeenAuthority, ...]
    certificates: tuple[SeenCertificate, ...]
    domains: tuple[SeenDomain, ...]
    """Most intercepted first; the last ones, and those never intercepted or blocked, may be left out."""
    networks: tuple[SeenNetwork, ...]
    cells: Mapping[tuple[int, str], Counts]
    """Of the domains that somebody intercepts."""
    days: tuple[datetime, ...]
    """Days with sightings."""
    registry_version: str
    failed: int = 0
    """Jobs of a campaign whose vantage failed: no measurement."""
    name: str = ""
    """Of a campaign, where the reader may know it."""

    @property
    def measurements(self) -> int:
        return sum(self.outcomes.values())

    @property
    def intercepted(self) -> int:
        return self.outcomes.get("interception", 0)

    @property
    def blocked(self) -> int:
        return self.outcomes.get("blocked", 0)

    @property
    def outside(self) -> int:
        return sum(each.outside for each in self.certificates)

    @property
    def intercepted_domains(self) -> tuple[SeenDomain, ...]:
        return tuple(each for each in self.domains if each.counts.intercepted)

    @property
    def intercepting_networks(self) -> tuple[SeenNetwork, ...]:
        return tuple(each for each in self.networks if each.counts.intercepted)

    @property
    def by_network(self) -> int:
        """Measurements that a state's or a provider's authority intercepted."""
        return sum(each.by_network for each in self.networks)

    @property
    def share_of_users(self) -> float:
        """Percent of the users whom the networks serve in which a carrier intercepts: an upper bound."""
        return sum(each.share or 0.0 for each in self.networks if each.by_network)
