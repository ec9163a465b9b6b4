"""Reading a bundle, ours or a stranger's: whatever is there, and whether it is all.

Every file is checked for kind and size before it is read; nothing in a bundle can name a file outside.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kzmitm.errors import BundleError
from kzmitm.evidence import layout
from kzmitm.evidence.files import open_regular, read_regular
from kzmitm.evidence.json_reader import UnreadableJSONError, parse_json
from kzmitm.evidence.scan_document import Row, row_verdict
from kzmitm.evidence.spool import SpoolReader
from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Verdict
from kzmitm.ooni.decode import DecodeError, decode

MAX_SCAN_DOCUMENT = 1 << 29
"""Octets of scan.json: 200,000 targets at 2.5 KB."""
MAX_LINE = 1 << 26
"""Octets of one measurement: fifty handshakes with chains of our largest size, in base64."""
MAX_CERTIFICATE = 1 << 24
"""Octets of an entry of a chain: what its length field can say (RFC 8446, 4.4.2)."""

_SCHEMA_FAMILY = "kzmitm.scan/1."


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle as found: `document` is scan.json; `complete` is False for a scan that did not end."""

    path: Path
    document: Row
    complete: bool
    running: bool
    """No end was written: the rows are in the spool (killed, or still running)."""

    def rows(self) -> Iterator[Row]:
        """The rows of the targets in their order; raises BundleError where one cannot be read."""
        if not self.running:
            yield from self.document["targets"]
            return
        try:
            spool = SpoolReader(self.path / layout.VERDICTS.name)
        except FileNotFoundError:
            return
        with spool:
            for number, row in enumerate(spool.rows(), 1):
                yield _object(_parsed(row, f"{layout.VERDICTS.name}:{number}"), f"row {number}")

    def verdicts(self) -> Iterator[tuple[Row, Verdict]]:
        """Each row with the verdict that it tells; raises BundleError."""
        for row in self.rows():
            yield row, row_verdict(row, self.document)

    def measurements(self) -> Iterator[Measurement]:
        """What was measured, line by line in flat memory; raises BundleError that names the line.

        A last line without its end, as a kill leaves it, is passed over.
        """
        try:
            descriptor = open_regular(self.path / layout.MEASUREMENTS.name)
        except FileNotFoundError:
            return
        with open(descriptor, "rb") as file:  # noqa: PTH123 (a descriptor that was checked)
            number = 0
            while (line := file.readline(MAX_LINE + 1)).endswith(b"\n"):
                number += 1
                yield _measurement(line, f"{layout.MEASUREMENTS.name}:{number}")
            if len(line) > MAX_LINE:
                raise BundleError(f"{layout.MEASUREMENTS.name}:{number + 1}: longer than {MAX_LINE} octets")

    def certificate(self, sha256: str) -> bytes | None:
        """The DER with that SHA-256; None if it is not there or its content does not hash to it."""
        try:
            path = self.path / layout.certificate_name(sha256)
            der = read_regular(path, max_bytes=MAX_CERTIFICATE)
        except (FileNotFoundError, ValueError):
            return None
        return der if hashlib.sha256(der).hexdigest() == sha256 else None


def read_bundle(path: Path) -> Bundle:
    """The bundle in a directory; raises BundleError if it is none, damaged or of an unknown schema."""
    try:
        data = read_regular(path / layout.SCAN.name, max_bytes=MAX_SCAN_DOCUMENT)
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(
            f"{path}: not a bundle", hint=f"a bundle is a directory that holds {layout.SCAN.name}"
        ) from None
    document = _object(_parsed(data, layout.SCAN.name), layout.SCAN.name)
    _check_frame(document)
    return Bundle(
        path=path,
        document=document,
        complete=document["complete"],
        running=document["finished_at"] is None,
    )


def _check_frame(document: Row) -> None:
    schema = document.get("schema")
    if not isinstance(schema, str) or not schema.startswith(_SCHEMA_FAMILY):
        raise BundleError(
            f"{layout.SCAN.name}: unknown schema {str(schema)[:40]!r}",
            hint="a newer kzmitm may have written it",
        )
    for key, kind in _FRAME.items():
        if not isinstance(document.get(key), kind):
            raise BundleError(f"{layout.SCAN.name}: {key}: missing or of a wrong type")
    for i, row in enumerate(document["targets"]):
        _object(row, f"{layout.SCAN.name}: targets[{i}]")


_FRAME: dict[str, Any] = {
    "complete": bool,
    "finished_at": str | None,
    "rules_version": str,
    "registry": dict,
    "started_at": str,
    "store": dict,
    "targets": list,
}


def _measurement(line: bytes, where: str) -> Measurement:
    try:
        return decode(_object(_parsed(line, where), where))
    except DecodeError as exc:
        raise DecodeError(f"{where}: {exc}") from None


def _parsed(data: bytes, where: str) -> Any:
    try:
        return parse_json(data, max_bytes=MAX_SCAN_DOCUMENT)
    except UnreadableJSONError as exc:
        raise BundleError(f"{where}: {exc}") from None


def _object(value: Any, where: str) -> Row:
    if not isinstance(value, dict):
        raise BundleError(f"{where}: not an object")
    return value
