"""Our own measurements in an archive: judged by the rules of a scan, since they hold all that these need."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Verdict
from kzmitm.ooni.archive.grounds import Grounds
from kzmitm.ooni.archive.parts import OWN
from kzmitm.ooni.archive.reading import MAX_DOCUMENT
from kzmitm.ooni.archive.tolerant import NoMeasurementError, object_in
from kzmitm.ooni.decode import DecodeError, decode
from kzmitm.verdict.judge import Judge

MAX_DIGITS: Final = 10
"""Of the number of a document."""


def own_verdicts(
    parts: Sequence[Path], grounds: Grounds, runs: Mapping[tuple[str, int], str]
) -> Iterator[dict[str, Any]]:
    """A row for each measurement of ours that can be read; hosts of one run bear each other out.

    `runs` has the file that each (part, number) of a measurement of ours came from: a file is one run.
    """
    for part in parts:
        path = part / OWN
        if path.is_file():
            known = groupby(_measurements(path, runs), key=lambda each: runs[str(part), each[0]])
            for _, run in known:
                yield from _of_run(str(part), run, grounds)


def _measurements(path: Path, runs: Mapping[tuple[str, int], str]) -> Iterator[tuple[int, Measurement]]:
    """Numbers and measurements, each number once; what cannot be read is left out."""
    seen: set[int] = set()
    with path.open("rb") as file:
        while line := file.readline(MAX_DOCUMENT + 32):
            number, _, text = line.partition(b" ")
            doc = int(number) if number.isdigit() and len(number) <= MAX_DIGITS else -1
            if (str(path.parent), doc) not in runs or doc in seen:
                continue
            try:
                measurement = decode(object_in(text))
            except (DecodeError, NoMeasurementError):
                continue
            seen.add(doc)
            yield doc, measurement


def _of_run(part: str, run: Iterable[tuple[int, Measurement]], grounds: Grounds) -> Iterator[dict[str, Any]]:
    judge = Judge(registry=grounds.registry, store=grounds.store)
    rows: dict[int, dict[str, Any]] = {}
    docs: dict[int, int] = {}  # by identity: the judge keeps those alive that it may settle
    for doc, measurement in run:
        docs[id(measurement)] = doc
        rows[doc] = _row(part, doc, measurement, judge.verdict(measurement, measurement.started_at))
    for settled in judge.settle():
        measurement = settled.facts.measurement
        doc = docs[id(measurement)]
        rows[doc] = _row(part, doc, measurement, settled.verdict)
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
