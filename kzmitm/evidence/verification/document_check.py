"""Whether the documents of a bag, though signed, say one thing to everybody, and the same thing.

A signature says who wrote a document, and nothing of what it does to its readers.
"""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from kzmitm.errors import BundleError
from kzmitm.evidence import layout
from kzmitm.evidence.container import Container
from kzmitm.evidence.damage import Code, DamagedError, Problem
from kzmitm.evidence.json_reader import MAX_COMMAS, UnreadableJSONError, parse_json
from kzmitm.evidence.measurement_reader import MAX_LINE, read_measurements
from kzmitm.evidence.redaction import public_frame, public_row
from kzmitm.evidence.scan_document import Row
from kzmitm.evidence.scan_reader import ScanReader
from kzmitm.evidence.verification.proof_check import ProofCheck, ProofCount
from kzmitm.evidence.verification.row_check import check_row
from kzmitm.model.measurement import Measurement
from kzmitm.wording import Wording

MAX_CERTIFICATE = 1 << 24
"""Octets of an entry of a chain: what its length field can say (RFC 8446, 4.4.2)."""
MAX_DOCUMENT = 1 << 20
"""Octets of a small document; the environment has some hundreds."""


def examine_documents(container: Container) -> tuple[list[Problem], ProofCheck]:
    """What is wrong with the documents of a bag whose hashes were checked, and what its proofs show."""
    count = ProofCount()
    problems: list[Problem] = []
    for check in (_certificates, _environment, _scans, lambda each: _measurements(each, count)):
        try:
            problems.extend(check(container))
        except DamagedError as exc:
            problems.append(exc.problem)
        except BundleError as exc:  # of a measurement, which names its line
            problems.append(Problem(Code.DOCUMENT_INVALID, layout.MEASUREMENTS.path, str(exc)))
    return problems, count.result()


def _certificates(container: Container) -> Iterator[Problem]:
    """Every certificate bears its own hash as name."""
    for name in container.names:
        if name.startswith(layout.CERTIFICATES.path):
            der = container.read(name, max_bytes=MAX_CERTIFICATE)
            if name != f"{layout.CERTIFICATES.path}{hashlib.sha256(der).hexdigest()}.der":
                yield Problem(Code.CERTIFICATE_MISNAMED, name)


def _environment(container: Container) -> Iterator[Problem]:
    """Small documents; those that a later version adds too."""
    for name in container.names:
        if not name.endswith(".json") or name in (layout.PUBLIC_SCAN.path, layout.PARTNER_SCAN.path):
            continue
        try:
            document = parse_json(container.read(name, max_bytes=MAX_DOCUMENT), floats=False, plain=True)
        except UnreadableJSONError as exc:
            yield Problem(exc.code, name, str(exc))
            continue
        if not isinstance(document, dict) or not str(document.get("schema")).startswith("kzmitm."):
            yield Problem(Code.SCHEMA_UNKNOWN, name)
        elif name == layout.ENVIRONMENT.path and not str(document["schema"]).startswith(
            "kzmitm.environment/1."
        ):
            yield Problem(Code.SCHEMA_UNKNOWN, name, Wording("of a newer kzmitm?"))
        elif layout.level_of(name) is not layout.Level.PUBLIC and not _is_salt(document.get("salt")):
            yield Problem(Code.DOCUMENT_INVALID, name, Wording("no salt"))


def _scans(container: Container) -> Iterator[Problem]:
    """Both documents of the scan can be read, and the public one is the other one reduced."""
    public = ScanReader(container, layout.PUBLIC_SCAN.path)
    if layout.PARTNER_SCAN.path not in container:
        for number, row in enumerate(public.rows(), 1):
            check_row(row, public.frame, f"{layout.PUBLIC_SCAN.path}:{number + 1}")
        return
    partner = ScanReader(container, layout.PARTNER_SCAN.path)
    if not _is_salt(partner.frame.get("salt")):
        yield Problem(Code.DOCUMENT_INVALID, layout.PARTNER_SCAN.path, Wording("no salt"))
    if not _covers(public.frame, public_frame(partner.frame)):
        yield _disagree(Wording("what surrounds the rows"))
    for number, (mine, row) in enumerate(zip_longest(public.rows(), partner.rows()), 1):
        if row is None or mine is None:
            yield _disagree(Wording("not as many rows"))
            return
        check_row(row, partner.frame, f"{layout.PARTNER_SCAN.path}:{number + 1}")
        if not _covers(mine, _reduced(row, partner.frame)):
            yield _disagree(f"row {number}")


def _disagree(what: str) -> Problem:
    return Problem(
        Code.DOCUMENTS_DISAGREE,
        layout.PUBLIC_SCAN.path,
        Wording("{what}: not what the partner level says", what=what),
    )


def _reduced(row: Row, frame: Row) -> Row:
    try:
        return public_row(row, frame)
    except (KeyError, TypeError, AttributeError, IndexError) as exc:
        raise DamagedError(Code.DOCUMENT_INVALID, layout.PARTNER_SCAN.path, f"a row: {exc!r}") from None


def _covers(found: Any, expected: Any) -> bool:
    """True if all that we know of is as expected; what a later version adds is its own affair."""
    if isinstance(expected, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and _covers(found[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(_covers, found, expected))
    # `true` and 1 are equal here, and nowhere else.
    return isinstance(found, bool) == isinstance(expected, bool) and bool(found == expected)


def _is_salt(value: object) -> bool:
    return isinstance(value, str) and len(value) >= 32


def _measurements(container: Container, count: ProofCount) -> Iterator[Problem]:
    """Every line can be read, is the measurement of its row, and its proofs verify again."""
    if layout.MEASUREMENTS.path not in container:
        return
    _check_lines(container)
    partner = layout.PARTNER_SCAN.path in container
    scan = ScanReader(container, layout.PARTNER_SCAN.path if partner else layout.PUBLIC_SCAN.path)
    with container.open(layout.MEASUREMENTS.path) as file:
        pairs = zip_longest(read_measurements(file, layout.MEASUREMENTS.path), scan.rows())
        for number, (measurement, row) in enumerate(pairs, 1):
            if measurement is None or (row is None and scan.frame["complete"]):
                yield Problem(
                    Code.DOCUMENTS_DISAGREE,
                    layout.MEASUREMENTS.path,
                    Wording("not as many lines as rows in scan.json"),
                )
                return
            if row is not None and not _is_of(measurement, row):
                yield Problem(
                    Code.DOCUMENTS_DISAGREE,
                    layout.MEASUREMENTS.path,
                    Wording("line {number} is of another target", number=number),
                )
            elif partner and row is not None and not _is_shown(measurement, row):
                yield Problem(
                    Code.DOCUMENTS_DISAGREE,
                    layout.MEASUREMENTS.path,
                    Wording("line {number} has another handshake", number=number),
                )
            broken = count.add(measurement, row)
            if broken:
                yield Problem(Code.PROOF_INVALID, layout.MEASUREMENTS.path, f"line {number}, {broken}")


def _check_lines(container: Container) -> None:
    """Every line has an end, and fits into memory; raises DamagedError before one is there."""
    number, length, commas = 1, 0, 0
    for block in container.chunks(layout.MEASUREMENTS.path):
        before, newline, rest = block.partition(b"\n")
        length += len(before)
        commas += before.count(b",")
        if length >= MAX_LINE or commas > MAX_COMMAS:
            where = f"{layout.MEASUREMENTS.path}:{number}"
            raise DamagedError(
                Code.FILE_TOO_LONG,
                where,
                Wording(
                    "{max_line} octets or {max_commas} values and more",
                    max_line=MAX_LINE,
                    max_commas=MAX_COMMAS,
                ),
            )
        if newline:
            number += 1 + rest.count(b"\n")
            last = rest.rpartition(b"\n")[2]
            length, commas = len(last), last.count(b",")
    if length:
        # We would pass over it, other readers would not.
        raise DamagedError(
            Code.JSON_SYNTAX, f"{layout.MEASUREMENTS.path}:{number}", Wording("its end is missing")
        )


def _is_of(measurement: Measurement, row: Row) -> bool:
    target = measurement.target
    return (target.hostname, target.port) == (row.get("hostname"), row.get("port"))


def _is_shown(measurement: Measurement, row: Row) -> bool:
    """Whether a row shows the chain that was measured: else a proof would be of a chain that nobody sees."""
    first = measurement.first
    handshake, chain = row.get("handshake"), row.get("chain")
    if not isinstance(chain, list):
        return False
    if first is None or not isinstance(handshake, Mapping):
        return first is None and handshake is None and not chain
    proven = first.proof.verified if first.proof else None
    presented = first.presented_chain[: len(chain)]
    named = [each.get("sha256") if isinstance(each, Mapping) else None for each in chain]
    return handshake.get("proof_verified") is proven and named == [
        hashlib.sha256(der).hexdigest() for der in presented
    ]
