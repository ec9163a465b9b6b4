"""Holds what the scanner said against what stands in front of each site."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kzmitm.lab.profile import Expected

Row = Mapping[str, Any]
"""An entry of `targets` in a scan document (kzmitm.scan/1.0)."""


def misjudged(rows: Sequence[Row], expectations: Mapping[str, Expected]) -> Iterator[str]:
    """One line for each site that was judged otherwise than expected, or not judged at all."""
    by_name = {row["hostname"]: row for row in rows}
    for hostname, expected in expectations.items():
        row = by_name.get(hostname)
        if row is None:
            yield f"{hostname}: not measured"
            continue
        for what, wanted, got in _differences(row, expected):
            yield f"{hostname}: {what} should be {wanted}, and is {got}"


def _differences(row: Row, expected: Expected) -> Iterator[tuple[str, object, object]]:
    if row["outcome"] not in expected.outcomes:
        yield "outcome", expected, row["outcome"]
    if expected.confidence is not None and row["confidence"] != expected.confidence:
        yield "confidence", expected.confidence, row["confidence"]
    authority = (row["authority"] or {}).get("id")
    if authority != expected.authority:
        yield "authority", expected.authority or "none", authority or "none"
    forgers = [forger["id"] for forger in row["forgers"]]
    if expected.forger is not None and expected.forger not in forgers:
        yield "forger", expected.forger, ", ".join(forgers) or "none"
