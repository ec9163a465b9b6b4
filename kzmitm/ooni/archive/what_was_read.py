"""What an extract was made of, in short."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from kzmitm.ooni.archive.parts import parts_of, read_summary

MAX_PROBLEMS: Final = 100
"""Bad lines that the document names; the rest is counted there and lies in the parts."""


def what_was_read(extracts: Iterable[Path]) -> dict[str, Any]:
    """Files, documents and problems of all parts of the extracts."""
    told: dict[str, Any] = {"parts": 0, "files": 0, "octets": 0, "measurements": 0, "handshakes": 0, "bad": 0}
    problems: list[Mapping[str, Any]] = []
    for extract in extracts:
        for part in parts_of(extract):
            about = read_summary(part)
            told["parts"] += 1
            told["files"] += len(about.get("sources", ()))
            told["octets"] += about["octets"]
            told["bad"] += about["bad"]
            for table in ("measurements", "handshakes"):
                told[table] += about["counts"][table]
            problems += about["problems"][: MAX_PROBLEMS - len(problems)]
    return told | {"problems": problems}
