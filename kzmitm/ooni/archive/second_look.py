"""What only many measurements tell: one issuer over unrelated hosts, one page for all, faulty instruments.

Pure and independent of order: it takes every case of a certificate nobody vouches for, with where it was met.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import TypeVar

from kzmitm.model.verdict import Confidence, Outcome, Scope
from kzmitm.ooni.archive.cases import Case, HandshakeVerdict
from kzmitm.verdict.names import base_name, in_country, signed_together

K = TypeVar("K")

MIN_HOSTS = 3
"""Unrelated hosts that one issuer signs for before it is taken for an interceptor without a control."""
MIN_PORTAL_HOSTS = 2
"""Unrelated hosts that show one and the same page's certificate in one network."""
MIN_FAULTY_HOSTS = 4
"""Unrelated hosts whose certificates one version of a program refuses."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where a situation was met."""

    asn: int
    host: str
    software: str

    @property
    def version(self) -> str:
        """The version of the engine, which programs on computers and telephones share."""
        return self.software.rpartition(" ")[2]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the second look asks of a case (`Case` has it as well, and all else): it takes many at once."""

    issuer_key: str
    issuer_country: str
    is_for_host: bool
    chain: str


@dataclass(frozen=True, slots=True)
class Met:
    """A case that was judged, and everywhere it was met."""

    case: Case | Shown
    verdict: HandshakeVerdict
    sightings: frozenset[Sighting]

    @property
    def hosts(self) -> frozenset[str]:
        """The operators concerned."""
        return frozenset(base_name(each.host) for each in self.sightings)

    @property
    def owners(self) -> frozenset[str]:
        """The same, those as one that may have a private authority in common."""
        return frozenset(signed_together(each.host) for each in self.sightings)

    @property
    def asns(self) -> frozenset[int]:
        return frozenset(each.asn for each in self.sightings if each.asn)


_UNDECIDED = frozenset({"archive.unknown_and_no_control", "archive.product_by_name"})
_FOR_OTHERS = frozenset({"archive.public_for_another_host", "archive.unknown_for_another_host"})
_REFUSED = frozenset(
    {"archive.public_and_refused", "archive.named_after_a_public_ca", "archive.no_certificate_kept"}
)
_CONTRAST = "archive.control_is_content"


def look_again(met: Mapping[K, Met], clean: AbstractSet[tuple[int, str]]) -> dict[K, HandshakeVerdict]:
    """The verdicts that change, by the key of the situation.

    `clean` holds (network, operator of the host) where a chain was verified.
    """
    changed = dict(_faults(met, clean))
    left = {key: each for key, each in met.items() if key not in changed}
    changed |= _issuers(left)
    changed |= _portals(left)
    return changed


def _by_issuer(met: Mapping[K, Met], rules: AbstractSet[str]) -> dict[str, dict[K, Met]]:
    found: dict[str, dict[K, Met]] = defaultdict(dict)
    for key, each in met.items():
        if each.case.issuer_key and each.verdict.rule in rules:
            found[each.case.issuer_key][key] = each
    return found


def _issuers(met: Mapping[K, Met]) -> dict[K, HandshakeVerdict]:
    """One key over unrelated hosts: in two networks it confirms, and decides where there is no control."""
    changed: dict[K, HandshakeVerdict] = {}
    for issuer, group in _by_issuer(met, {_CONTRAST, *_UNDECIDED}).items():
        contrast = [each for each in group.values() if each.verdict.rule == _CONTRAST]
        hosts = _union(each.owners for each in group.values())
        asns = _union(each.asns for each in contrast)
        seen_apart = len(hosts) > 1 and len(asns) > 1 and issuer.startswith("key:")
        for key, each in group.items():
            verdict = each.verdict
            if verdict.rule == _CONTRAST:
                if seen_apart:
                    changed[key] = replace(
                        verdict, rule="archive.issuer_in_two_networks", confidence=Confidence.CONFIRMED
                    )
            elif each.case.is_for_host and contrast:
                changed[key] = _intercepted(verdict, "archive.issuer_met_beside_a_control", Confidence.LIKELY)
            elif each.case.is_for_host and len(hosts) >= MIN_HOSTS and not _is_at_home(group.values()):
                changed[key] = _intercepted(
                    verdict, "archive.issuer_of_unrelated_hosts", Confidence.SUSPECTED
                )
    return changed


def _is_at_home(group: Collection[Met]) -> bool:
    """The issuer is of a country, and all its hosts are in the domain of that country.

    Courts, banks and universities of one country have authorities in common that are public nowhere.
    """
    countries = {each.case.issuer_country for each in group}
    return all(
        in_country(sighting.host, country)
        for country in countries
        for each in group
        for sighting in each.sightings
    )


def _intercepted(verdict: HandshakeVerdict, rule: str, confidence: Confidence) -> HandshakeVerdict:
    return replace(
        verdict,
        outcome=Outcome.INTERCEPTION,
        rule=rule,
        confidence=confidence,
        scope=verdict.scope or Scope.UNKNOWN,
        label=verdict.label if verdict.label.startswith("tls.mitm") else "tls.mitm",
    )


def _portals(met: Mapping[K, Met]) -> dict[K, HandshakeVerdict]:
    """One certificate that names none of several unrelated hosts, in one network."""
    hosts: dict[tuple[str, int], set[str]] = defaultdict(set)
    for each in met.values():
        if each.verdict.rule in _FOR_OTHERS:
            for sighting in each.sightings:
                hosts[each.case.chain, sighting.asn].add(base_name(sighting.host))
    changed = {}
    for key, each in met.items():
        if each.verdict.rule in _FOR_OTHERS and any(
            len(hosts[each.case.chain, asn]) >= MIN_PORTAL_HOSTS for asn in each.asns
        ):
            changed[key] = replace(
                each.verdict,
                outcome=Outcome.CAPTIVE_PORTAL,
                rule="archive.one_certificate_for_all_hosts",
                confidence=Confidence.SUSPECTED,
                label="",
            )
    return changed


def _faults(met: Mapping[K, Met], clean: AbstractSet[tuple[int, str]]) -> dict[K, HandshakeVerdict]:
    """What one version of a program refuses, on many hosts, where others accept the same.

    An interceptor does not ask which program it is; an old list of roots or a broken verifier does not ask
    which network (probe-engine#769). Genuine certificates, or none kept, need no more than that; an issuer
    that nobody vouches for must also be met in two networks: one computer's antivirus is met by one program.
    """
    changed: dict[K, HandshakeVerdict] = {}
    for (issuer, _), group in _by_instrument(met).items():
        hosts = _union(each.hosts for each in group.values())
        asns = _union(each.asns for each in group.values())
        fine = {
            base_name(sighting.host)
            for each in group.values()
            for sighting in each.sightings
            if (sighting.asn, base_name(sighting.host)) in clean
        }
        if len(hosts) < MIN_FAULTY_HOSTS or 2 * len(fine) < len(hosts) or (issuer and len(asns) < 2):
            continue
        for key, each in group.items():
            changed[key] = replace(
                each.verdict,
                outcome=Outcome.INCONCLUSIVE,
                rule="archive.fault_of_an_instrument",
                confidence=None,
                scope=None,
                label="",
            )
    return changed


def _by_instrument(met: Mapping[K, Met]) -> dict[tuple[str, str], dict[K, Met]]:
    """Cases by issuer and version, of issuers that one version met; "" is whatever was refused wrongly."""
    versions: dict[str, set[str]] = defaultdict(set)
    for each in met.values():
        versions[each.case.issuer_key] |= {sighting.version for sighting in each.sightings}
    groups: dict[tuple[str, str], dict[K, Met]] = defaultdict(dict)
    for key, each in met.items():
        met_by = {sighting.version for sighting in each.sightings}
        if len(met_by) != 1 or each.verdict.match:
            continue
        issuer = each.case.issuer_key
        if each.verdict.rule in _REFUSED:
            groups["", met_by.pop()][key] = each
        elif issuer and each.verdict.rule in {_CONTRAST, *_UNDECIDED} and len(versions[issuer]) == 1:
            groups[issuer, met_by.pop()][key] = each
    return groups


def _union(sets: Iterable[frozenset]) -> frozenset:  # type: ignore[type-arg]
    return frozenset().union(*sets)
