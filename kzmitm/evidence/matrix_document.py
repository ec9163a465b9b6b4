"""The document of a matrix (`kzmitm.matrix/1.0`): every cell with its answers, and the conclusions."""

from collections.abc import Sequence
from typing import Any

from kzmitm.evidence.trait_rows import match_rows, trait_row
from kzmitm.model.matrix import CellResult, Conclusion, Reading
from kzmitm.model.traits import AnswerTraits, TraitMatch
from kzmitm.model.verdict import Verdict

SCHEMA = "kzmitm.matrix/1.0"
Row = dict[str, Any]


def matrix_row(  # noqa: PLR0913 - the members of a row, each by name
    *,
    target: str,
    address: str | None,
    verdict: Verdict,
    has_forger: bool,
    ended: str,
    connections: int,
    results: Sequence[CellResult],
    conclusions: Sequence[Conclusion],
    traits: AnswerTraits | None,
    matches: Sequence[TraitMatch],
) -> Row:
    """What came of one target."""
    return {
        "target": target,
        "address": address,
        "outcome": verdict.outcome,
        "confidence": verdict.confidence,
        "rule_ids": list(verdict.rule_ids),
        "has_forger": has_forger,
        "ended": ended,
        "connections": connections,
        "cells": [_cell(result) for result in results],
        "conclusions": [_conclusion(conclusion) for conclusion in conclusions],
        "traits": trait_row(traits) if traits is not None else None,
        "consistent_with": match_rows(matches),
    }


def _cell(result: CellResult) -> Row:
    cell, question = result.cell, result.question
    return {
        "cell": str(cell),
        "name": cell.name,
        "destination": cell.destination,
        "hello": cell.hello,
        "carrier": cell.carrier,
        "sni": question.sni,
        "address": question.endpoint.ip,
        "port": question.endpoint.port,
        "state": result.state,
        "answers": [_answer(reading) for reading in result.readings],
    }


def _answer(reading: Reading) -> Row:
    return {
        "kind": reading.kind,
        "failure": reading.failure,
        "connected": reading.connected,
        "leaf_sha256": reading.leaf_sha256,
        "names": list(reading.names),
        "vouched": reading.vouched,
        "tls_version": reading.version,
        "alpn": reading.alpn,
    }


def _conclusion(conclusion: Conclusion) -> Row:
    return {
        "subject": conclusion.subject,
        "value": conclusion.value,
        "cells": [str(cell) for cell in conclusion.cells],
        "names": list(conclusion.names),
    }
