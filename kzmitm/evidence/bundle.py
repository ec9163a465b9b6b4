"""Writing a bundle while the scan runs, so that a kill at any moment leaves all that was measured.

Per target: new certificates (each renamed into place), one line of measurements.jsonl, one line of the
spool of verdicts. The end builds scan.json from the spool by streaming: memory does not grow with the
number of targets. Until then scan.json says `complete: false` and has no rows.

A line is handed to the operating system at once, which is all that a kill of the process needs. Against
a loss of power both logs are flushed to the disk at most once a second: a flush costs 5 to 20 ms on
common disks, one per target would halve a campaign's rate, and a gentle scan has one per target anyway.
Certificates are not flushed one by one: measurements.jsonl holds every chain, and a reader trusts a
certificate only if its content hashes to its name.
"""

import hashlib
import os
import platform
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from kzmitm.errors import BundleError, UsageError
from kzmitm.evidence import layout
from kzmitm.evidence.bundle_reader import MAX_CERTIFICATE, Bundle, read_bundle
from kzmitm.evidence.environment import annotations
from kzmitm.evidence.files import (
    DIRECTORY_MODE,
    LineLog,
    read_regular,
    remove_parts,
    replace_file,
    sync_directory,
)
from kzmitm.evidence.json_writer import canonical
from kzmitm.evidence.scan_document import ScanHeader, document_chunks, summary_of, target_row
from kzmitm.evidence.spool import SpoolReader, SpoolWriter
from kzmitm.model.certificate import Certificate
from kzmitm.model.codec import parse_time
from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Verdict
from kzmitm.ooni.emit import emit

__all__ = ["Bundle", "BundleWriter", "read_bundle"]

SYNC_INTERVAL_S = 1.0
"""Seconds of work that a loss of power may cost."""
MAX_KNOWN_CERTIFICATES = 4096
"""Hashes remembered; beyond, the file itself says whether it is there. Intermediates stay remembered."""


class BundleWriter:
    """Writes one bundle; as a context manager it closes, and leaves what is there without `finish`."""

    def __init__(self, directory: Path, *, header: ScanHeader) -> None:
        """Begin in `directory`, made if absent; raises UsageError if something is in it, OSError."""
        _make_empty(directory)
        self._open(directory, header.to_json())
        replace_file(directory / layout.SCAN.name, self._document([], {}, None, complete=False))
        sync_directory(directory.parent)

    @classmethod
    def reopen(cls, directory: Path) -> Self:
        """Go on with a bundle whose writer was killed: torn lines and half-written files are removed.

        Raises BundleError if it is none, or has its end already.
        """
        bundle = read_bundle(directory)
        if not bundle.running:
            raise BundleError(f"{directory.name}: this scan has ended")
        remove_parts(directory)
        writer = cls.__new__(cls)
        header = {key: value for key, value in bundle.document.items() if key not in _NOT_HEADER}
        writer._open(directory, header)  # noqa: SLF001 (our own second constructor)
        remove_parts(writer.certificates)
        return writer

    def _open(self, directory: Path, header: dict[str, Any]) -> None:
        self.path = directory
        self.certificates = directory / layout.CERTIFICATES.name
        self._header = header
        self._started_at = parse_time(header["started_at"])
        self._annotations = annotations(
            platform=sys.platform, machine=platform.machine(), android=hasattr(sys, "getandroidapilevel")
        )
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._synced_at = time.monotonic()
        self.certificates.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        self._measurements = LineLog(directory / layout.MEASUREMENTS.name)
        self._spool = SpoolWriter(directory / layout.VERDICTS.name)

    def add(
        self,
        measurement: Measurement,
        verdict: Verdict,
        *,
        failures: Sequence[str | None] | None = None,
        certificates: Sequence[Certificate] = (),
        explanation: str = "",
    ) -> None:
        """Write one target; raises OSError, and the bundle is readable all the same.

        `failures` are as for `kzmitm.ooni.emit`, `certificates` and `explanation` as for
        `kzmitm.evidence.scan_document.target_row`.
        """
        for observation in measurement.tls:
            for der in observation.presented_chain:
                self._keep(der)
        line = emit(
            measurement,
            test_start_time=self._started_at,
            failures=failures,
            annotations=self._annotations,
            versions={
                "rules": verdict.rules_version,
                "registry": verdict.registry_version,
                "store": verdict.store_version,
            },
        )
        self._measurements.append(canonical(line, floats=True) + b"\n")
        row = target_row(measurement, verdict, certificates=certificates, explanation=explanation)
        self._spool.add(_key(measurement), verdict.outcome, canonical(row))
        self._sync_in_turn()

    def amend(
        self,
        measurement: Measurement,
        verdict: Verdict,
        *,
        certificates: Sequence[Certificate] = (),
        explanation: str = "",
    ) -> None:
        """Replace the verdict of a measurement that was added, once the whole scan says more of it."""
        row = target_row(measurement, verdict, certificates=certificates, explanation=explanation)
        self._spool.amend(_key(measurement), verdict.outcome, canonical(row))
        self._sync_in_turn()

    def finish(self, *, finished_at: datetime, complete: bool = True) -> None:
        """Write scan.json and close; `complete` is False for a scan that was stopped before its end."""
        self.sync()
        spool_path = self.path / layout.VERDICTS.name
        with SpoolReader(spool_path) as spool:
            chunks = self._document(spool.rows(), spool.outcomes(), finished_at, complete=complete)
            replace_file(self.path / layout.SCAN.name, chunks)
        self.close()
        spool_path.unlink()
        sync_directory(self.certificates)
        sync_directory(self.path)

    def sync(self) -> None:
        """Wait until everything added would survive a loss of power."""
        self._measurements.sync()
        self._spool.sync()
        self._synced_at = time.monotonic()

    def close(self) -> None:
        self._measurements.close()
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sync_in_turn(self) -> None:
        if time.monotonic() - self._synced_at >= SYNC_INTERVAL_S:
            self.sync()

    def _document(self, rows: Any, outcomes: Any, finished_at: datetime | None, *, complete: bool) -> Any:
        return document_chunks(
            self._header, rows, summary_of(outcomes), finished_at=finished_at, complete=complete
        )

    def _keep(self, der: bytes) -> None:
        """Store a certificate unless it is there; a file whose content does not hash to its name is not."""
        digest = hashlib.sha256(der)
        known = digest.digest()
        if known in self._known:
            self._known.move_to_end(known)
            return
        path = self.path / layout.certificate_name(digest.hexdigest())
        if not _holds(path, der):
            replace_file(path, [der], durable=False)
        self._known[known] = None
        if len(self._known) > MAX_KNOWN_CERTIFICATES:
            self._known.popitem(last=False)


_NOT_HEADER = frozenset({"finished_at", "complete", "summary", "bundle", "targets"})


def _make_empty(directory: Path) -> None:
    directory.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    try:
        directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"{directory}: not a directory") from None
    with os.scandir(directory) as entries:
        if next(entries, None) is not None:
            raise UsageError(f"{directory}: not empty", hint="give a new directory, results are never mixed")


def _holds(path: Path, der: bytes) -> bool:
    with suppress(FileNotFoundError, BundleError):
        return read_regular(path, max_bytes=MAX_CERTIFICATE) == der
    return False


def _key(measurement: Measurement) -> str:
    """What tells a measurement from all others of the scan: 16 hex digits."""
    parts = repr((measurement.target, measurement.vantage.id, measurement.started_at))
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:16]
