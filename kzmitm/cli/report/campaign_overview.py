"""What the log of a campaign says together: it is read in seconds, where the lines themselves take minutes.

A result says which authority and which leaf, and not the leaf's dates; what was valid when is told of the
authority by its published certificates. `kzmitm ooni analyze` on the same folder reads those that were shown.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kzmitm.campaign.share_store import Result
from kzmitm.cli.campaign.opening import open_folder
from kzmitm.model.verdict import Outcome
from kzmitm.pki.kinds import CARRIERS
from kzmitm.pki.registry import Registry
from kzmitm.report.overviews.values import (
    Counts,
    Overview,
    SeenAuthority,
    SeenCertificate,
    SeenDomain,
    SeenNetwork,
    Span,
)

MOST_DOMAINS: Final = 2000


@dataclass(slots=True)
class Tally:
    """Results of something so far; `at` are the times of interceptions, in seconds since 1970."""

    ended: Counter[str] = field(default_factory=Counter)
    at: list[float] = field(default_factory=list)
    others: set[object] = field(default_factory=set)
    """What else was intercepted with it: networks of a domain, domains of a network."""
    by_network: int = 0

    @property
    def counts(self) -> Counts:
        return Counts(
            measurements=self.ended.total(),
            intercepted=self.ended[Outcome.INTERCEPTION],
            blocked=self.ended[Outcome.BLOCKED],
            clean=self.ended[Outcome.CLEAN],
        )

    @property
    def span(self) -> Span | None:
        return Span(first=_moment(min(self.at)), last=_moment(max(self.at))) if self.at else None


@dataclass(slots=True)
class _Tallies:
    registry: Registry
    outcomes: Counter[str] = field(default_factory=Counter)
    authorities: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    authority_networks: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    domains: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    networks: dict[int, Tally] = field(default_factory=lambda: defaultdict(Tally))
    cells: dict[tuple[int, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    first: float = float("inf")
    last: float = 0.0
    failed: int = 0

    def add(self, asn: int, domain: str, result: Result) -> None:
        if result.is_failed:
            self.failed += 1
            return
        self.outcomes[result.outcome] += 1
        self.first, self.last = min(self.first, result.at), max(self.last, result.at)
        self.domains[domain].ended[result.outcome] += 1
        self.networks[asn].ended[result.outcome] += 1
        self.cells[asn, domain][result.outcome] += 1
        if result.outcome == Outcome.INTERCEPTION:
            self._intercepted(asn, domain, result)

    def _intercepted(self, asn: int, domain: str, result: Result) -> None:
        authority = self.authorities[result.authority]
        authority.at.append(result.at)
        authority.others.add(domain)
        self.authority_networks[result.authority].add(asn)
        self.domains[domain].at.append(result.at)
        self.domains[domain].others.add(asn)
        network = self.networks[asn]
        network.at.append(result.at)
        network.others.add(domain)
        known = self.registry.authorities.get(result.authority)
        network.by_network += known is not None and known.kind in CARRIERS


def read_overview(folder: Path, registry: Registry, *, with_name: bool) -> Overview:
    """Raises UsageError for a folder that holds no campaign, or a damaged one."""
    _opened, campaign = open_folder(folder, registry)
    part = campaign.plan.campaign
    asns = {each.name: _number(each.asn) for each in part.vantages}
    tallies = _Tallies(registry)
    for number in range(1, part.rounds.count + 1):
        for seen in campaign.seen(number):
            tallies.add(asns[seen.vantage], seen.target.partition(":")[0], seen.result)
    countries = Counter(each.cc.upper() for each in part.vantages if each.cc)
    return Overview(
        is_campaign=True,
        outcomes=dict(tallies.outcomes.most_common()),
        first=_moment(tallies.first) if tallies.outcomes else None,
        last=_moment(tallies.last) if tallies.outcomes else None,
        countries=tuple(country for country, _number_of in countries.most_common()),
        domains_measured=len(tallies.domains),
        networks_measured=len(tallies.networks),
        domains_intercepted=sum(1 for each in tallies.domains.values() if each.at),
        authorities=tuple(_authorities(tallies)),
        certificates=tuple(_validities(tallies)),
        domains=_domains(tallies.domains),
        networks=tuple(_networks(tallies)),
        cells=_cells(tallies),
        days=_days(at for each in tallies.authorities.values() for at in each.at),
        registry_version=registry.version,
        failed=tallies.failed,
        name=part.name if with_name else "",
    )


def _authorities(tallies: _Tallies) -> Iterable[SeenAuthority]:
    ranked = sorted(tallies.authorities.items(), key=lambda item: (-len(item[1].at), item[0]))
    for name, tally in ranked:
        known = tallies.registry.authorities.get(name)
        yield SeenAuthority(
            id=name,
            name=known.name if known else name,
            kind=known.kind if known else "",
            match="",
            sightings=len(tally.at),
            domains=len(tally.others),
            networks=len(tallies.authority_networks[name]),
            span=Span(first=_moment(min(tally.at)), last=_moment(max(tally.at))),
        )


def _validities(tallies: _Tallies) -> Iterable[SeenCertificate]:
    """Each authority with the first and the last date of its published certificates."""
    for name, tally in sorted(tallies.authorities.items()):
        known = tallies.registry.authorities.get(name)
        starts = [each.not_before for each in known.certificates if each.not_before] if known else []
        ends = [each.not_after for each in known.certificates if each.not_after] if known else []
        days: dict[datetime, int] = {}
        per_day = Counter(_moment(at).date() for at in tally.at)
        for moment in _days(tally.at):
            days[moment] = per_day[moment.date()]
        start, end = min(starts, default=None), max(ends, default=None)
        outside = sum(n for moment, n in days.items() if start and end and not start <= moment <= end)
        yield SeenCertificate(
            name=name or "?",
            sha256="",
            subject="",
            authority=known.name if known else name,
            is_carrier=known is not None and known.kind in CARRIERS,
            not_before=start,
            not_after=end,
            days=tuple(days.items()),
            outside=outside,
        )


def _domains(tallies: Mapping[str, Tally]) -> tuple[SeenDomain, ...]:
    found = [
        SeenDomain(name=name, counts=tally.counts, networks=len(tally.others), span=tally.span)
        for name, tally in tallies.items()
        if tally.ended[Outcome.INTERCEPTION] or tally.ended[Outcome.BLOCKED]
    ]
    found.sort(key=lambda each: (-each.counts.intercepted, -each.counts.blocked, each.name))
    return tuple(found[:MOST_DOMAINS])


def _networks(tallies: _Tallies) -> Iterable[SeenNetwork]:
    for asn, tally in sorted(tallies.networks.items(), key=lambda item: (-len(item[1].at), item[0])):
        known = tallies.registry.networks.get(asn)
        yield SeenNetwork(
            asn=asn,
            name=known.name if known else "",
            share=known.share if known else None,
            counts=tally.counts,
            by_network=tally.by_network,
            domains=len(tally.others),
            span=tally.span,
        )


def _cells(tallies: _Tallies) -> dict[tuple[int, str], Counts]:
    return {
        place: Tally(ended=ended).counts
        for place, ended in sorted(tallies.cells.items())
        if tallies.domains[place[1]].at
    }


def _days(at: Iterable[float]) -> tuple[datetime, ...]:
    """The first moment of each day."""
    first: dict[object, datetime] = {}
    for each in sorted(at):
        moment = _moment(each)
        first.setdefault(moment.date(), moment)
    return tuple(first.values())


def _number(asn: str | None) -> int:
    digits = (asn or "").upper().removeprefix("AS")
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(min(max(seconds, 0.0), 253402300799.0), UTC)
