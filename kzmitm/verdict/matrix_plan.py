"""Which cells of the matrix to ask, and when to stop. Pure; `scan` asks.

Not the full product, which would be a flood of hundreds of connections: one dimension at a time around a
base case, plus the pairs that matter. Benign names come first, so that blocking that lingers after a trigger
cannot pass for a dead server.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kzmitm.model.matrix import (
    BASE,
    AnswerKind,
    AskedName,
    Carrier,
    Cell,
    CellResult,
    CellState,
    Destination,
    HelloManner,
    Question,
    Reading,
)
from kzmitm.model.observation import Split
from kzmitm.model.target import Endpoint

MAX_CONNECTIONS = 120
"""Of one target: twice what the whole plan takes with two repeats where every variation fails."""
MAX_SILENCES = 6
"""Questions in a row at the target's own address that nobody answers: it is down, or we are shut out."""
NOBODY = "192.0.2.1"
"""TEST-NET-1 (RFC 5737)."""

_MANNERS: Mapping[HelloManner, tuple[str, Split]] = {
    HelloManner.SMALL: ("small", Split.NONE),
    HelloManner.BROWSER: ("browser", Split.NONE),
    HelloManner.SEGMENTS: ("small", Split.TCP),
    HelloManner.RECORDS: ("small", Split.RECORDS),
    HelloManner.TLS12: ("tls12", Split.NONE),
    HelloManner.ECH: ("ech", Split.NONE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A host name and where it is."""

    hostname: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the matrix is about, as far as it is known; what is None is left out."""

    watched: Site
    nonsense: str
    benign: str | None = None
    ipv6: Endpoint | None = None
    other_watched: Site | None = None
    reflector: Site | None = None
    other_port: int | None = None
    has_quic: bool = False


def opening(subject: Subject) -> tuple[Question, ...]:
    """What tells whether there is anything to look into."""
    cells = [
        Cell(AskedName.BENIGN),
        Cell(AskedName.REFLECTOR, Destination.REFLECTOR),
        BASE,
        Cell(destination=Destination.REFLECTOR),
        Cell(hello=HelloManner.BROWSER),
    ]
    return _questions(cells, subject)


def rest(subject: Subject) -> tuple[Question, ...]:
    """Every other variation, and the pairs that matter."""
    names = (
        AskedName.NONSENSE,
        AskedName.NONE,
        AskedName.OTHER_WATCHED,
        AskedName.UPPER_CASE,
        AskedName.DOT,
    )
    manners = (HelloManner.SEGMENTS, HelloManner.RECORDS, HelloManner.TLS12, HelloManner.ECH)
    carriers = (Carrier.OTHER_PORT, Carrier.QUIC, Carrier.IPV6)
    cells = [
        # Somebody who ends every connection answers even where nobody is, and for a benign name.
        Cell(AskedName.BENIGN, Destination.NOBODY),
        Cell(destination=Destination.NOBODY),
        *(Cell(name) for name in names),
        Cell(destination=Destination.OTHER_WATCHED),
        *(Cell(hello=manner) for manner in manners),
        *(Cell(carrier=carrier) for carrier in carriers),
    ]
    return _questions(cells, subject)


def controls(results: Iterable[CellResult], subject: Subject) -> tuple[Question, ...]:
    """For each variation of hello or carrier that failed: the same with a benign name.

    What fails with it too is the server's doing, or a box that breaks all.
    """
    cells = [
        Cell(AskedName.BENIGN, hello=result.cell.hello, carrier=result.cell.carrier)
        for result in results
        if result.state is CellState.FAILED
        and result.cell.name is AskedName.WATCHED
        and result.cell.destination is Destination.OWN
        and result.cell != BASE
    ]
    return _questions(cells, subject)


def is_worthwhile(results: Iterable[CellResult]) -> bool:
    """Some answer of the opening was none that a public authority vouches for, or none at all."""
    return any(_is_odd(result.cell, reading) for result in results for reading in result.readings)


def _is_odd(cell: Cell, reading: Reading) -> bool:
    if reading.kind is AnswerKind.CERTIFICATE:
        return reading.vouched is False
    return cell.name is AskedName.WATCHED


def is_hopeless(readings: Sequence[tuple[Cell, Reading]]) -> bool:
    """The last `MAX_SILENCES` questions at the target's own address, in order, were not answered at all."""
    own = [r for cell, r in readings if cell.destination is Destination.OWN and cell.carrier is Carrier.TCP]
    unheard = (AnswerKind.SILENCE, AnswerKind.NO_CONNECTION, AnswerKind.FAULT)
    return len(own) >= MAX_SILENCES and all(r.kind in unheard for r in own[-MAX_SILENCES:])


def needs_third(readings: Sequence[Reading]) -> bool:
    """Two answers that differ in kind or in who vouches: one more decides what is usual."""
    return len(readings) == 2 and _gist(readings[0]) != _gist(readings[1])


def _gist(reading: Reading) -> tuple[AnswerKind, bool | None]:
    return reading.kind, reading.vouched


def _questions(cells: Iterable[Cell], subject: Subject) -> tuple[Question, ...]:
    return tuple(question for cell in cells for question in _question(cell, subject))


def _question(cell: Cell, subject: Subject) -> Iterator[Question]:
    """The question of a cell; none if what it needs is not known."""
    endpoint = _endpoint(cell, subject)
    known, sni = _sni(cell.name, subject)
    if endpoint is None or not known:
        return
    profile, split = _MANNERS[cell.hello]
    yield Question(cell=cell, sni=sni, endpoint=endpoint, profile=profile, split=split)


def _endpoint(cell: Cell, subject: Subject) -> Endpoint | None:
    own = subject.watched.endpoint
    if cell.destination is Destination.NOBODY:
        return Endpoint(NOBODY, own.port)
    if cell.destination is Destination.REFLECTOR:
        return subject.reflector.endpoint if subject.reflector else None
    if cell.destination is Destination.OTHER_WATCHED:
        site = subject.other_watched
        return site.endpoint if site and site.endpoint.ip != own.ip else None
    carried: Mapping[Carrier, Endpoint | None] = {
        Carrier.TCP: own,
        Carrier.QUIC: own if subject.has_quic else None,
        Carrier.IPV6: subject.ipv6,
        Carrier.OTHER_PORT: Endpoint(own.ip, subject.other_port) if subject.other_port else None,
    }
    return carried[cell.carrier]


def _sni(name: AskedName, subject: Subject) -> tuple[bool, str | None]:
    """Whether the name is known, and what it is."""
    watched = subject.watched.hostname
    names: Mapping[AskedName, str | None] = {
        AskedName.WATCHED: watched,
        AskedName.UPPER_CASE: watched.upper(),
        AskedName.DOT: f"{watched}.",
        AskedName.NONSENSE: subject.nonsense,
        AskedName.BENIGN: subject.benign,
        AskedName.OTHER_WATCHED: subject.other_watched.hostname if subject.other_watched else None,
        AskedName.REFLECTOR: subject.reflector.hostname if subject.reflector else None,
    }
    if name is AskedName.NONE:
        return True, None
    return names[name] is not None, names[name]
