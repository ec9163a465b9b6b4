"""From the answers of a cell to what it shows: who vouches for the certificate, and whose forgery it is."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from kzmitm.model.certificate import Certificate
from kzmitm.model.failure import Failure
from kzmitm.model.matrix import BASE, AnswerKind, AskedName, Cell, CellResult, CellState, Destination, Reading
from kzmitm.model.observation import TCPObservation, TLSObservation
from kzmitm.verdict.handshake import Judging, State, assess

MAX_NAMES = 16
"""Names of a certificate that are kept; a forged one has a handful."""
MAX_NAME = 253

_KINDS = {
    Failure.CONNECTION_RESET: AnswerKind.RESET,
    Failure.CONNECTION_ABORTED: AnswerKind.RESET,
    Failure.EOF: AnswerKind.CLOSED,
    Failure.GENERIC_TIMEOUT: AnswerKind.SILENCE,
    Failure.TIMED_OUT: AnswerKind.SILENCE,
    Failure.PROXY_FAILED: AnswerKind.FAULT,
}

_UNRELATED = (AskedName.WATCHED, AskedName.OTHER_WATCHED, AskedName.BENIGN, AskedName.NONSENSE)
"""Names of different owners."""


def read_answer(
    tcp: TCPObservation | None, tls: TLSObservation | None, judging: Judging, *, hostname: str
) -> Reading:
    """One answer; `hostname` is what the certificate is judged for where no name was sent."""
    if tls is None:
        failure = tcp.failure if tcp is not None else None
        kind = AnswerKind.FAULT if failure in (None, Failure.PROXY_FAILED) else AnswerKind.NO_CONNECTION
        return Reading(kind=kind, failure=failure, connected=False)
    seen = assess(tls, judging, hostname=tls.sni if tls.sni is not None else hostname)
    if not seen.chain:
        return Reading(kind=_kind(tls), failure=tls.failure, version=tls.version)
    leaf = seen.chain[0]
    is_trusted = seen.state is not State.UNTRUSTED or seen.has_public_issuer
    return Reading(
        kind=AnswerKind.CERTIFICATE,
        failure=tls.failure,
        leaf_sha256=leaf.sha256,
        issuer=leaf.issuer.der.hex(),
        names=_names(leaf),
        vouched=is_trusted and seen.state is not State.UNPROVEN,
        self_signed=seen.is_self_signed,
        covers=seen.covers_host if tls.sni is not None else None,
        version=tls.version,
        alpn=tls.alpn,
    )


def _kind(tls: TLSObservation) -> AnswerKind:
    if any(not alert.sent for alert in tls.alerts):
        return AnswerKind.ALERT
    if tls.first_bytes:
        return AnswerKind.NOT_TLS
    for failure, kind in _KINDS.items():
        if tls.failure == failure:
            return kind
    return AnswerKind.FAULT if tls.failure and tls.failure.startswith("unknown") else AnswerKind.NOT_TLS


def _names(leaf: Certificate) -> tuple[str, ...]:
    names = leaf.san_dns or (() if leaf.subject.common_name is None else (leaf.subject.common_name,))
    return tuple(name[:MAX_NAME].lower() for name in names[:MAX_NAMES])


SELF_SIGNED = "self-signed"
"""Stands among issuers for whoever makes leaves that sign themselves, each under a name of its own."""


def culprits(results: Iterable[CellResult], *, is_interception: bool) -> frozenset[str]:
    """Issuers that forge here: whom a verdict of interception is about, or who gives himself away.

    He does by signing for the watched name and for unrelated ones, or for the watched name at a server that
    shows a publicly valid certificate to its own.
    """
    results = tuple(results)
    found: set[str] = set()
    if is_interception:
        found |= _issuers(results, BASE)
    own = _result(results, Cell(AskedName.REFLECTOR, Destination.REFLECTOR))
    if own is not None and own.readings and all(reading.vouched for reading in own.readings):
        found |= _issuers(results, Cell(destination=Destination.REFLECTOR))
    leaves: dict[str, set[tuple[AskedName, str]]] = defaultdict(set)
    for result in results:
        if result.cell.name in _UNRELATED:
            for reading in result.readings:
                if (issuer := _issuer(reading)) is not None:
                    leaves[issuer].add((result.cell.name, reading.leaf_sha256 or ""))
    for issuer, signed in leaves.items():
        names = {name for name, _ in signed}
        if AskedName.WATCHED in names and len(names) > 1 and len({leaf for _, leaf in signed}) > 1:
            found.add(issuer)
    return frozenset(found)


def _issuer(reading: Reading) -> str | None:
    """Who made a leaf that no public authority vouches for; None for what may be a server's own."""
    if reading.vouched is not False:
        return None
    if reading.self_signed:
        return SELF_SIGNED if reading.covers else None
    return reading.issuer


def _issuers(results: Sequence[CellResult], cell: Cell) -> set[str]:
    found = _result(results, cell)
    return {issuer for r in (found.readings if found else ()) if (issuer := _issuer(r)) is not None}


def _result(results: Sequence[CellResult], cell: Cell) -> CellResult | None:
    return next((result for result in results if result.cell == cell), None)


def with_states(results: Iterable[CellResult], forgers: frozenset[str]) -> tuple[CellResult, ...]:
    """The same with the state of each cell; most of its answers decide, and a tie is MIXED."""
    return tuple(replace(result, state=_state(result.readings, forgers)) for result in results)


def _state(readings: Sequence[Reading], forgers: frozenset[str]) -> CellState:
    states = [_state_of(reading, forgers) for reading in readings if reading.kind is not AnswerKind.FAULT]
    if not states:
        return CellState.NOT_TOLD
    return states[0] if len(set(states)) == 1 else CellState.MIXED


def _state_of(reading: Reading, forgers: frozenset[str]) -> CellState:
    if reading.kind is not AnswerKind.CERTIFICATE:
        return CellState.FAILED
    if reading.vouched:
        return CellState.PASSED
    return CellState.FORGED if _issuer(reading) in forgers else CellState.OTHER
