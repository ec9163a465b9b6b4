"""From stores to findings: every distinct root once, with all the places that keep it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kzmitm.model.certificate import Certificate
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.root_class import RootClass, RootFinding
from kzmitm.roots.values import Store, StoredRoot, StoreReading, Trust

MAX_KNOWN = 8192
"""Roots and signatures that are remembered: a desktop has some hundreds, each in several stores."""

Classify = Callable[[Certificate], RootFinding]


@dataclass(frozen=True, slots=True)
class Placed:
    """A root in one store."""

    store: Store
    root: StoredRoot


@dataclass(frozen=True, slots=True)
class ExaminedRoot:
    """A distinct root: what it is, and where it is kept."""

    certificate: Certificate
    finding: RootFinding
    places: tuple[Placed, ...]

    @property
    def trust(self) -> Trust:
        """The strongest that any store says: trusted in one is trusted."""
        said = {place.root.trust for place in self.places}
        return next(each for each in (Trust.TRUSTED, Trust.DISTRUSTED, Trust.PRESENT) if each in said)

    @property
    def is_alarm(self) -> bool:
        """An interceptor's root, or one whose key anybody has, that some program here trusts for servers."""
        return self.finding.is_alarm and self.trust is Trust.TRUSTED


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that was read, and what it is."""

    readings: tuple[StoreReading, ...]
    roots: tuple[ExaminedRoot, ...]

    @property
    def alarms(self) -> tuple[ExaminedRoot, ...]:
        return tuple(root for root in self.roots if root.is_alarm)

    @property
    def problems(self) -> tuple[StoreReading, ...]:
        """Stores that were not read, or not to their end."""
        return tuple(reading for reading in self.readings if reading.problem)

    def counts(self) -> Mapping[RootClass, int]:
        """How many distinct roots there are of each class."""
        counted: dict[RootClass, int] = {}
        for root in self.roots:
            counted[root.finding.root_class] = counted.get(root.finding.root_class, 0) + 1
        return counted


def examine(readings: Iterable[StoreReading], *, classify: Classify, cache: CertificateCache) -> Examination:
    """What the roots in some stores are; never raises, whatever they hold."""
    kept = tuple(readings)
    places: dict[bytes, list[Placed]] = {}
    for reading in kept:
        for root in reading.roots:
            places.setdefault(root.der, []).append(Placed(reading.store, root))
    examined = []
    for der, found in places.items():
        certificate = cache.parse(der)
        examined.append(ExaminedRoot(certificate, classify(certificate), tuple(found)))
    return Examination(kept, tuple(sorted(examined, key=_gravity)))


_ORDER = {each: number for number, each in enumerate(RootClass)}


def _gravity(root: ExaminedRoot) -> tuple[bool, int, str]:
    """Alarms first, then by class in its order of gravity, then by name."""
    return (not root.is_alarm, _ORDER[root.finding.root_class], str(root.certificate.subject))
