"""The second pass: every situation in an extract judged once, chain by chain.

It reads the index only (`kzmitm.ooni.archive.indexing`), so that a new registry or rule costs moments and not
hours. What depends on a chain, a name and the validity of certificates is worked out once for all of them.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from kzmitm.model.certificate import Certificate
from kzmitm.ooni.archive import certificates
from kzmitm.ooni.archive.cases import (
    Case,
    HandshakeVerdict,
    Situation,
    Vouchers,
    facts_by_name,
    is_vouched_for,
)
from kzmitm.ooni.archive.failures import Kind
from kzmitm.ooni.archive.grounds import Grounds
from kzmitm.ooni.archive.records import (
    PLACES,
    SHOWN,
    SIGNATURES,
    SITUATIONS,
    VOUCHERS,
    ChainOfSituations,
    CleanName,
    Intermediate,
    PlacesOfSituation,
    RecordWriter,
    SituationRow,
    read_records,
)
from kzmitm.ooni.archive.rules import judge
from kzmitm.ooni.archive.second_look import Met, Shown, Sighting, look_again
from kzmitm.ooni.archive.signatures import ArchiveCache, Signatures
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.missing import relevant
from kzmitm.verdict.handshake import HandshakeFacts, Judging
from kzmitm.verdict.names import base_name

MAX_SIGHTINGS: Final = 200_000
"""Places where undecided situations were met that the second look takes; those beyond it stay as they are."""
MAX_NAMES: Final = 64
"""Names that what a chain shows is remembered for."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ALWAYS: Final = 1 << 62
"""A time that is before, or behind, all others."""


class VerdictRow(NamedTuple):
    """A verdict as rows have it; texts that are absent are empty."""

    outcome: str = ""
    confidence: str = ""
    scope: str = ""
    authority: str = ""
    match: str = ""
    rule: str = ""
    label: str = ""
    asks: str = ""


CLEAN: Final = VerdictRow(outcome="clean", rule="archive.verified_by_the_probe")
"""Of every handshake that the probe verified, unless a certificate of the registry is in its chain."""


@dataclass(slots=True)
class Judgement:
    """The verdicts of all situations, and the telling certificates of all chains, by their numbers."""

    rows: list[VerdictRow] = field(default_factory=lambda: [CLEAN])
    """Each verdict once."""
    places: dict[VerdictRow, int] = field(default_factory=lambda: {CLEAN: 0})
    by_situation: "array[int]" = field(default_factory=lambda: array("I", [0]))
    telling: bytearray = field(default_factory=bytearray)
    """SHA-256 of the certificate of each chain that tells most of who made it."""
    not_before: "array[int]" = field(default_factory=lambda: array("q"))
    not_after: "array[int]" = field(default_factory=lambda: array("q"))
    """Of that certificate, in microseconds since 1970."""

    def of(self, situation: int) -> VerdictRow:
        return self.rows[self.by_situation[situation]]

    def settle(self, situation: int, verdict: VerdictRow) -> None:
        place = self.places.setdefault(verdict, len(self.rows))
        if place == len(self.rows):
            self.rows.append(verdict)
        while len(self.by_situation) <= situation:
            self.by_situation.append(0)
        self.by_situation[situation] = place

    def digest(self) -> str:
        """A hash of all of it."""
        whole = sha256(repr(self.rows).encode())
        for content in (self.by_situation, self.telling, self.not_before, self.not_after):
            whole.update(sha256(content).digest())
        return whole.hexdigest()

    def certificate(self, chain: int) -> str:
        return self.telling[32 * chain : 32 * chain + 32].hex()

    def is_outside(self, chain: int, time: int) -> bool:
        """The telling certificate was not valid then."""
        return time < self.not_before[chain] or time > self.not_after[chain]

    def tell(self, certificate: Certificate) -> None:
        """The telling certificate of the next chain."""
        self.telling += bytes.fromhex(certificate.sha256)
        begin, end = certificates.validity_of(certificate)
        self.not_before.append(-ALWAYS if begin is None else certificates.microseconds(begin))
        self.not_after.append(ALWAYS if end is None else certificates.microseconds(end))


def judge_index(index: Path, grounds: Grounds, place: Path) -> Judgement:
    """The judgement; writes the facts of telling certificates into `place`/SHOWN, a record each."""
    judgement = Judgement()
    undecided: dict[int, tuple[Shown, HandshakeVerdict]] = {}
    cache = ArchiveCache()
    bench = _Bench(grounds, cache, _vouchers(index, cache))
    published = certificates.published_in(grounds.registry)
    with (
        (place / SHOWN).open("wb") as shown,
        Signatures(index, cache, place / SIGNATURES) as signatures,
    ):
        tell = RecordWriter(shown).write
        for record in read_records(index / SITUATIONS, ChainOfSituations):
            signatures.begin(record.number)
            first: Case | None = None
            for row, case in zip(record.situations, bench.cases(record), strict=True):
                first = first or case
                verdict = judge(case)
                judgement.settle(row.number, row_of(verdict))
                if _is_open(case, verdict):
                    undecided[row.number] = _shown(case), verdict
            if record.number >= 0 and first is not None:
                telling, facts = certificates.facts_of(first, grounds.registry, published)
                judgement.tell(telling)
                tell(certificates.ShownIn(record.number, facts))
            signatures.end(record.number)
    for number, verdict in _second_look(index, undecided).items():
        judgement.settle(number, row_of(verdict))
    return judgement


class _Bench:
    """Makes the cases of one chain after the other."""

    def __init__(self, grounds: Grounds, cache: CertificateCache, vouchers: Vouchers) -> None:
        self._grounds = grounds
        self._cache = cache
        self._vouchers = vouchers

    def cases(self, record: ChainOfSituations) -> Iterator[Case]:
        """A case for each situation of the chain, in order."""
        if not record.ders:
            yield from (Case(_situation(record.chain, row), None) for row in record.situations)
            return
        chain = tuple(map(self._cache.parse, record.ders))
        store = self._grounds.store
        near = relevant(self._vouchers.intermediates, chain)
        above = [anchor for each in (*chain, *near) for anchor in store.with_subject(each.issuer)]
        turns = _Turns((*chain, *near, *above))
        vouched = self._is_vouched_for(chain, shown=record.shown_elsewhere)
        known: dict[tuple[int, int], Callable[[str], HandshakeFacts]] = {}
        for row in record.situations:
            situation = _situation(record.chain, row)
            at = situation.time or _EPOCH
            moment = turns.behind(at)
            if moment not in known:
                judging = Judging(self._grounds.registry, store, self._cache, at, tuple(near))
                known[moment] = lru_cache(MAX_NAMES)(facts_by_name(tuple(record.ders), judging))
            facts = known[moment](situation.name or situation.host)
            yield Case(situation, facts, vouched)

    def _is_vouched_for(self, chain: tuple[Certificate, ...], *, shown: bool) -> bool:
        return shown or is_vouched_for(chain, self._vouchers, self._grounds.store, self._cache)


class _Turns:
    """The moments at which one of some certificates becomes valid, or is no more: nothing changes between."""

    def __init__(self, certificates: Iterable[Certificate]) -> None:
        known = tuple(certificates)
        self._begins = sorted(each.not_before for each in known if each.not_before is not None)
        self._ends = sorted(each.not_after for each in known if each.not_after is not None)

    def behind(self, at: datetime) -> tuple[int, int]:
        """How many have begun, and how many have ended: both ends of a validity belong to it."""
        at = at.replace(microsecond=0)
        return bisect_right(self._begins, at), bisect_left(self._ends, at)


def _shown(case: Case) -> Shown:
    return Shown(case.issuer_key, case.issuer_country, case.is_for_host, case.chain)


def _situation(chain: str, row: SituationRow) -> Situation:
    return Situation(
        row.failure,
        row.verified,
        chain,
        row.control,
        row.in_control,
        row.private,
        row.name,
        row.host,
        row.role,
        row.met_at,
    )


def _vouchers(index: Path, cache: CertificateCache) -> Vouchers:
    """What probes verified elsewhere in the archive, by their own list of public roots."""
    found = [(cache.parse(each.der), each.vouches) for each in read_records(index / VOUCHERS, Intermediate)]
    return Vouchers(
        intermediates=tuple(each for each, _ in found if each.is_ca),
        issuers=tuple(each for each, vouches in found if each.is_ca and vouches),
    )


def _second_look(
    index: Path, undecided: Mapping[int, tuple[Shown, HandshakeVerdict]]
) -> dict[int, HandshakeVerdict]:
    if not undecided:
        return {}
    places: dict[tuple[int, str, str], Sighting] = {}
    met: dict[int, Met] = {
        number: Met(case, verdict, frozenset()) for number, (case, verdict) in undecided.items()
    }
    left = MAX_SIGHTINGS
    for each in read_records(index / PLACES, PlacesOfSituation):
        if each.situation in undecided and left:
            taken = [places.setdefault(place, Sighting(*place)) for place in each.places[:left]]
            left -= len(taken)
            met[each.situation] = Met(*undecided[each.situation], frozenset(taken))
    hosts = {host for _, host, _ in places}
    named = read_records(index / f"{PLACES}.clean", CleanName)
    clean = {(asn, base_name(each.name)) for each in named if each.name in hosts for asn in each.asns}
    return look_again(met, clean)


def _is_open(case: Case, verdict: HandshakeVerdict) -> bool:
    """A certificate was refused, and neither a key nor a family told whose it is."""
    return case.kind is Kind.CERTIFICATE and verdict.match in ("", "name")


def row_of(verdict: HandshakeVerdict) -> VerdictRow:
    return VerdictRow(
        outcome=verdict.outcome or "",
        confidence=verdict.confidence or "",
        scope=verdict.scope or "",
        authority=verdict.authority,
        match=verdict.match,
        rule=verdict.rule,
        label=verdict.label,
        asks=" ".join(verdict.asks),
    )
