"""The document of a measurement from outside (`kzmitm.reflect/1.0`), which can also be gone on with."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kzmitm.errors import BundleError, UsageError
from kzmitm.evidence.files import replace_file
from kzmitm.model.codec import from_json, to_json
from kzmitm.model.reflection import NetworkSummary, ReflectorResult

SCHEMA = "kzmitm.reflect/1.0"
MAX_FILE = 256 << 20
"""Octets; ten thousand servers with every name forged take less."""
Row = dict[str, Any]


def reflect_members(results: Sequence[ReflectorResult], networks: Sequence[NetworkSummary]) -> Row:
    """The members that hold what was measured."""
    return {"reflectors": [to_json(result) for result in results], "networks": to_json(tuple(networks))}


def write_document(path: Path, document: Row) -> None:
    """Write the file whole or not at all; raises OSError."""
    replace_file(path, [json.dumps(document, ensure_ascii=True, indent=1).encode() + b"\n"])


def read_results(path: Path, *, names: Sequence[str], control: str) -> tuple[ReflectorResult, ...]:
    """What an earlier run left that asked the same; raises UsageError for any other file."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(MAX_FILE))
        is_ours = document["schema"] == SCHEMA
        same = document["names"] == list(names) and document["control"] == control
        results = tuple(from_json(ReflectorResult, row, "reflectors[]") for row in document["reflectors"])
    except (ValueError, KeyError, TypeError, RecursionError, BundleError) as exc:
        raise UsageError(
            "--out: {path} is no result of `kzmitm reflect`", hint="name another file", path=path
        ) from exc
    if not is_ours:
        raise UsageError("--out: {path} is of another kind or version", hint="name another file", path=path)
    if not same:
        raise UsageError(
            "--out: {path} is of other names or another control",
            hint="name another file, or give the same",
            path=path,
        )
    return results
