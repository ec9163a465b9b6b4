"""What a matrix says of the interceptor: each conclusion with the cells that prove it, or "not told"."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from kzmitm.model.matrix import (
    BASE,
    NOT_TOLD,
    AskedName,
    Carrier,
    Cell,
    CellResult,
    CellState,
    Conclusion,
    Destination,
    HelloManner,
)

Cells = Mapping[Cell, CellResult]

BENIGN = Cell(AskedName.BENIGN)
NONSENSE = Cell(AskedName.NONSENSE)
NO_NAME = Cell(AskedName.NONE)
AT_REFLECTOR = Cell(destination=Destination.REFLECTOR)
REFLECTOR_ITSELF = Cell(AskedName.REFLECTOR, Destination.REFLECTOR)
AT_OTHER = Cell(destination=Destination.OTHER_WATCHED)
AT_NOBODY = Cell(destination=Destination.NOBODY)
BENIGN_AT_NOBODY = Cell(AskedName.BENIGN, Destination.NOBODY)

_EFFECTS = {
    CellState.FORGED: "intercepted",
    CellState.PASSED: "passes",
    CellState.MIXED: "sometimes",
    CellState.OTHER: NOT_TOLD,
    CellState.NOT_TOLD: NOT_TOLD,
}


def conclude(results: Iterable[CellResult]) -> tuple[Conclusion, ...]:
    """Every conclusion, in the order in which it is told; without any forged answer all are "not told".

    Of an interceptor that acts at times only, what passed a few times proves nothing.
    """
    cells = {result.cell: result for result in results}
    if not any(result.state in (CellState.FORGED, CellState.MIXED) for result in cells.values()):
        cells = {}
    elif any(map(_is_fickle, cells.values())):
        cells = {cell: _without_passing(result) for cell, result in cells.items()}
    return (*(rule(cells) for rule in _RULES), *_variations(cells))


def _is_fickle(result: CellResult) -> bool:
    """The same question was answered with a forged certificate, and with one that is vouched for."""
    kinds = {reading.vouched for reading in result.readings}
    return result.state is CellState.MIXED and {True, False} <= kinds


def _without_passing(result: CellResult) -> CellResult:
    return replace(result, state=CellState.NOT_TOLD) if result.state is CellState.PASSED else result


def _state(cells: Cells, cell: Cell) -> CellState:
    return cells[cell].state if cell in cells else CellState.NOT_TOLD


def _is(cells: Cells, cell: Cell, *states: CellState) -> bool:
    return _state(cells, cell) in states


def _trigger(cells: Cells) -> Conclusion:
    """Whether names on a list set it off, every name, or the address whatever the name."""
    subject = "trigger"
    base = next((c for c in (BASE, AT_REFLECTOR) if _is(cells, c, CellState.FORGED, CellState.MIXED)), None)
    if base is None:
        return Conclusion(subject=subject, value=NOT_TOLD)
    others = [c for c in (BENIGN, NONSENSE, REFLECTOR_ITSELF) if _is(cells, c, CellState.FORGED)]
    if any(map(_is_fickle, cells.values())):
        others += [c for c in (BENIGN, NONSENSE, REFLECTOR_ITSELF) if _is(cells, c, CellState.MIXED)]
        value = "several_names" if others else NOT_TOLD
        return Conclusion(subject=subject, value=value, cells=(base, *others))
    spared = [c for c in (BENIGN, NONSENSE, REFLECTOR_ITSELF) if _state(cells, c) is CellState.PASSED]
    at_home = [c for c in (BENIGN, NONSENSE) if c in others]
    if base == BASE and at_home and _is(cells, AT_REFLECTOR, CellState.PASSED) and BENIGN not in spared:
        return Conclusion(subject=subject, value="address", cells=(BASE, *at_home, AT_REFLECTOR))
    if spared and not others:
        return Conclusion(subject=subject, value="listed_names", cells=(base, *spared))
    if others and not spared:
        return Conclusion(subject=subject, value="every_name", cells=(base, *others))
    if others:
        return Conclusion(subject=subject, value="many_names", cells=(base, *others, *spared))
    if _is(cells, NO_NAME, CellState.PASSED):
        return Conclusion(subject=subject, value="a_name", cells=(base, NO_NAME))
    return Conclusion(subject=subject, value=NOT_TOLD, cells=(base,))


def _destination(cells: Cells) -> Conclusion:
    """Whether it matters whose address it is."""
    elsewhere = (AT_OTHER, AT_REFLECTOR)
    forged = tuple(c for c in elsewhere if _is(cells, c, CellState.FORGED, CellState.MIXED))
    spared = tuple(c for c in elsewhere if _is(cells, c, CellState.PASSED))
    if AT_REFLECTOR in forged:
        return Conclusion(subject="destination", value="any_address", cells=forged)
    if AT_REFLECTOR in spared and _is(cells, BASE, CellState.FORGED):
        value = "watched_addresses" if forged else "own_addresses"
        return Conclusion(subject="destination", value=value, cells=(BASE, *forged, *spared))
    if forged:
        return Conclusion(subject="destination", value="several_addresses", cells=forged)
    return Conclusion(subject="destination", value=NOT_TOLD)


def _termination(cells: Cells) -> Conclusion:
    """Whether the interceptor ends every connection from the first packet on, for whatever name.

    That nobody answers where nobody is says something only of one that acts at addresses of others.
    """
    asked = cells.get(BENIGN_AT_NOBODY)
    if asked is None or not asked.readings:
        return Conclusion(subject="termination", value=NOT_TOLD)
    if any(reading.connected for reading in asked.readings):
        value = "from_the_first_packet"
        return Conclusion(subject="termination", value=value, cells=(BENIGN_AT_NOBODY,))
    if _is(cells, AT_REFLECTOR, CellState.FORGED):
        value = "not_before_the_hello"
        return Conclusion(subject="termination", value=value, cells=(AT_REFLECTOR, BENIGN_AT_NOBODY))
    return Conclusion(subject="termination", value=NOT_TOLD)


def _needs_server(cells: Cells) -> Conclusion:
    """Whether it forges only where a server is: told of one that acts at addresses of others."""
    if _is(cells, AT_NOBODY, CellState.FORGED):
        return Conclusion(subject="needs_server", value="no", cells=(AT_NOBODY,))
    if _is(cells, AT_NOBODY, CellState.FAILED) and _is(cells, AT_REFLECTOR, CellState.FORGED):
        return Conclusion(subject="needs_server", value="yes", cells=(AT_REFLECTOR, AT_NOBODY))
    return Conclusion(subject="needs_server", value=NOT_TOLD)


def _copying(cells: Cells) -> Conclusion:
    """Whose names the forged leaf carries: told where name and address are of different owners."""
    itself = cells.get(REFLECTOR_ITSELF)
    if not _is(cells, AT_REFLECTOR, CellState.FORGED) or itself is None:
        return Conclusion(subject="copying", value=NOT_TOLD)
    forged = cells[AT_REFLECTOR].readings[0].names
    origin = itself.readings[0].names if itself.state is CellState.PASSED else ()
    at_home = cells[BASE].readings[0].names if _is(cells, BASE, CellState.FORGED) else ()
    value = _copied(
        has_origin=bool(set(origin) & set(forged)) or _covers(forged, itself.question.sni),
        has_asked=_covers(forged, cells[AT_REFLECTOR].question.sni),
        is_as_at_home=len(at_home) > 1 and set(at_home) == set(forged),
    )
    proof: tuple[Cell, ...] = (AT_REFLECTOR, REFLECTOR_ITSELF)
    if value == "site_of_the_name":
        proof = (*proof, BASE)
    return Conclusion(subject="copying", value=value, cells=proof, names=forged)


def _copied(*, has_origin: bool, has_asked: bool, is_as_at_home: bool) -> str:
    if has_origin:
        return "origin_and_name" if has_asked else "origin_at_address"
    if not has_asked:
        return "neither"
    return "site_of_the_name" if is_as_at_home else "name_asked_for"


def _covers(names: Iterable[str], name: str | None) -> bool:
    """The name itself or a wildcard over its first label."""
    asked = (name or "").lower()
    return asked in names or f"*.{asked.partition('.')[2]}" in names


def _direction(cells: Cells) -> Conclusion:
    """Connections that leave from here; the other way is measured from outside (`kzmitm reflect`)."""
    proof = tuple(c for c in (BASE, AT_REFLECTOR) if _is(cells, c, CellState.FORGED, CellState.MIXED))
    return Conclusion(subject="direction", value="from_here" if proof else NOT_TOLD, cells=proof)


def _constancy(cells: Cells) -> Conclusion:
    """Whether the base case comes out the same each time."""
    values = {CellState.FORGED: "always", CellState.MIXED: "sometimes"}
    value = values.get(_state(cells, BASE), NOT_TOLD)
    return Conclusion(subject="constancy", value=value, cells=() if value == NOT_TOLD else (BASE,))


def _protocol(cells: Cells) -> Conclusion:
    """Whether HTTP/2 is lost."""
    if not _is(cells, BASE, CellState.FORGED) or not _is(cells, BENIGN, CellState.PASSED):
        return Conclusion(subject="protocol", value=NOT_TOLD)
    there, here = cells[BENIGN].readings[0].alpn, cells[BASE].readings[0].alpn
    if not there:
        return Conclusion(subject="protocol", value=NOT_TOLD)
    return Conclusion(subject="protocol", value="kept" if here == there else "lost", cells=(BASE, BENIGN))


_RULES: tuple[Callable[[Cells], Conclusion], ...] = (
    _trigger,
    _destination,
    _direction,
    _copying,
    _termination,
    _needs_server,
    _constancy,
    _protocol,
)

_VARIED: tuple[tuple[str, Cell], ...] = (
    ("no_name", NO_NAME),
    ("other_watched_name", Cell(AskedName.OTHER_WATCHED)),
    ("upper_case", Cell(AskedName.UPPER_CASE)),
    ("dot", Cell(AskedName.DOT)),
    ("browser", Cell(hello=HelloManner.BROWSER)),
    ("segments", Cell(hello=HelloManner.SEGMENTS)),
    ("records", Cell(hello=HelloManner.RECORDS)),
    ("tls12", Cell(hello=HelloManner.TLS12)),
    ("ech", Cell(hello=HelloManner.ECH)),
    ("other_port", Cell(carrier=Carrier.OTHER_PORT)),
    ("quic", Cell(carrier=Carrier.QUIC)),
    ("ipv6", Cell(carrier=Carrier.IPV6)),
)


def _variations(cells: Cells) -> Iterator[Conclusion]:
    """What each variation of the base case changes."""
    for subject, cell in _VARIED:
        state = _state(cells, cell)
        if state is not CellState.FAILED:
            value = _EFFECTS[state]
            yield Conclusion(subject=subject, value=value, cells=() if value == NOT_TOLD else (cell,))
            continue
        control = Cell(AskedName.BENIGN, hello=cell.hello, carrier=cell.carrier)
        if control == BENIGN or not _is(cells, control, CellState.PASSED, CellState.FAILED):
            yield Conclusion(subject=subject, value="fails", cells=(cell,))
        else:
            broken = _is(cells, control, CellState.PASSED)
            value = "broken_for_the_name" if broken else "fails_for_every_name"
            yield Conclusion(subject=subject, value=value, cells=(cell, control))
