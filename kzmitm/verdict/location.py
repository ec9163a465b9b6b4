"""The locations of a measurement, and whose the addresses on the way are."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from kzmitm.model.location import Finding, Hop, HopAddress, Location, Segment, System
from kzmitm.model.measurement import Measurement
from kzmitm.verdict.locate import locate

SystemOf = Callable[[str], System | None]
"""Whose an address is; None if that is not known."""


def locations_of(measurement: Measurement, system_of: SystemOf | None = None) -> tuple[Location, ...]:
    """What each trace of a measurement proves."""
    found = map(locate, measurement.trace)
    return tuple(found if system_of is None else (_owned(each, system_of) for each in found))


def with_operators(system_of: SystemOf, operators: Mapping[int, str]) -> SystemOf:
    """The same with the operators that the registry names, in the place of those of a database."""

    def named(ip: str) -> System | None:
        system = system_of(ip)
        if system is None:
            return None
        return replace(system, operator=operators.get(system.asn, system.operator))

    return named


def _owned(location: Location, system_of: SystemOf) -> Location:
    return replace(
        location,
        finding=_of_finding(location.finding, system_of),
        others=tuple(_of_finding(each, system_of) for each in location.others),
    )


def _of_finding(finding: Finding, system_of: SystemOf) -> Finding:
    if finding.segment is None:
        return finding
    return replace(finding, segment=_of_segment(finding.segment, system_of))


def _of_segment(segment: Segment, system_of: SystemOf) -> Segment:
    def owned(hop: Hop) -> Hop:
        return Hop(hop.ttl, tuple(HopAddress(each.ip, system_of(each.ip)) for each in hop.addresses))

    return replace(
        segment,
        before=owned(segment.before),
        at=None if segment.at is None else owned(segment.at),
        after=None if segment.after is None else owned(segment.after),
    )
