"""Our own measurements in an archive: judged by the rules of a scan, since they hold all that these need."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Verdict
from kzmitm.ooni.archive.judging import Grounds
from kzmitm.ooni.archive.parts import OWN
from kzmitm.ooni.archive.reading import MAX_DOCUMENT
from kzmitm.ooni.decode import DecodeError, decode
from kzmitm.verdict.judge import Judge

OWN_COLUMNS: Final = {
    "part": "VARCHAR", "doc": "UINTEGER", "n": "INTEGER", "outcome": "VARCHAR", "confidence": "VARCHAR",
    "scope": "VARCHAR", "authority": "VARCHAR", "match": "VARCHAR", "rule": "VARCHAR", "label": "VARCHAR",
    "asks": "VARCHAR",
}  # fmt: skip
"""`n` is the handshake that the verdict is about, -1 if there was none."""


def own_verdicts(parts: Sequence[Path], grounds: Grounds) -> Iterator[dict[str, Any]]:
    """A row for each measurement of ours; a part is one run, in which hosts bear each other out."""
    for part in parts:
        path = part / OWN
        if path.is_file():
            yield from _of_part(path, grounds)


def _of_part(path: Path, grounds: Grounds) -> Iterator[dict[str, Any]]:
    judge = Judge(registry=grounds.registry, store=grounds.store)
    rows: dict[int, dict[str, Any]] = {}
    docs: dict[int, int] = {}
    with path.open("rb") as file:
        while line := file.readline(MAX_DOCUMENT + 32):
            number, _, text = line.partition(b" ")
            try:
                measurement = decode(msgspec.json.decode(text))
            except (DecodeError, msgspec.DecodeError):
                continue  # counted among the measurements, and left without a verdict of its own
            doc = int(number)
            docs[id(measurement)] = doc
            rows[doc] = _row(
                path.parent.name, doc, measurement, judge.verdict(measurement, measurement.started_at)
            )
    for settled in judge.settle():
        doc = docs[id(settled.facts.measurement)]
        rows[doc] = _row(path.parent.name, doc, settled.facts.measurement, settled.verdict)
    yield from rows.values()


def _row(part: str, doc: int, measurement: Measurement, verdict: Verdict) -> dict[str, Any]:
    first = measurement.first
    authority = verdict.authority
    return {
        "part": part,
        "doc": doc,
        "n": next((n for n, each in enumerate(measurement.tls) if each is first), -1),
        "outcome": verdict.outcome,
        "confidence": verdict.confidence or "",
        "scope": verdict.scope or "",
        "authority": authority.id if authority is not None else "",
        "match": authority.match if authority is not None else "",
        "rule": verdict.rule_ids[0] if verdict.rule_ids else "",
        "label": verdict.labels[0] if verdict.labels else "",
        "asks": " ".join(verdict.undecided),
    }
