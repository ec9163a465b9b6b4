"""The measurements of a saved scan, or of a file of lines, as they may leave this computer."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kzmitm.errors import BundleError, UsageError
from kzmitm.evidence.bundle_reader import read_bundle
from kzmitm.evidence.json_writer import canonical
from kzmitm.evidence.measurement_reader import parse_object
from kzmitm.ooni.publication import MAX_LINE, complaint, publishable
from kzmitm.report.language import _
from kzmitm.report.safe import harmless

MAX_READ = 1 << 26
"""Octets of a line that is read at all."""
_ZIP = b"PK"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A measurement as it is published; `octets` have no newline."""

    number: int
    document: Mapping[str, Any]
    octets: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.octets).hexdigest()

    @property
    def is_too_long(self) -> bool:
        return len(self.octets) + 1 > MAX_LINE

    @property
    def target(self) -> str:
        """What was measured, by a stranger's word."""
        return str(self.document.get("input", "")).removeprefix("tlshandshake://")


def outgoing(path: Path, *, anonymous_network: bool = False) -> Iterator[Outgoing]:
    """Each measurement at `path`; raises BundleError or UsageError that says which is wrong, and why."""
    documents = _of_bundle(path) if is_bundle(path) else _of_lines(path)
    for number, document in enumerate(documents, 1):
        told = publishable(document, anonymous_network=anonymous_network)
        why = complaint(told)
        if why:
            raise UsageError(
                "{path}:{number}: {why}",
                hint=_("only what kzmitm measured and wrote can be given on; nothing was"),
                path=path,
                number=number,
                why=why,
            )
        yield Outgoing(number, told, canonical(told, floats=True))


def is_bundle(path: Path) -> bool:
    """True for a folder or an archive; raises OSError."""
    if path.is_dir():
        return True
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def _of_bundle(path: Path) -> Iterator[Mapping[str, Any]]:
    with read_bundle(path) as bundle:
        yield from bundle.documents()


def _of_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_READ + 1):
            number += 1
            if len(line) > MAX_READ:
                raise UsageError(
                    "{path}:{number}: longer than {max_read} octets",
                    hint=_("is it the right file?"),
                    path=path,
                    number=number,
                    max_read=MAX_READ,
                )
            try:
                yield parse_object(line, f"{path}:{number}")
            except BundleError as exc:
                raise UsageError(
                    "{why}",
                    hint=_("give the file that `kzmitm ooni emit` wrote, or the result of a scan"),
                    why=exc,
                ) from None


def too_long(each: Outgoing) -> str:
    """What is said of a measurement that OONI's tools would not take."""
    return _("left out: measurement {number} ({target}) has {size} octets, and {most} are taken").format(
        number=each.number, target=harmless(each.target), size=len(each.octets) + 1, most=MAX_LINE
    )
