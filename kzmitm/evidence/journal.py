"""Writing a journal while the scan runs, so that a kill at any moment leaves all that was measured.

Per target: new authorities (each renamed into place), one line of the measurements, one line of the spool of
verdicts. `kzmitm.evidence.assembly` makes the bundle of it: at the end of the scan, or at the start of the
next one if this one is killed. What a bundle needs beside the scan (salts, who signs) is drawn at the
beginning, so that assembling twice gives the same bundle twice.

A line is handed to the operating system at once, which is all that a kill of the process needs. Against
a loss of power both logs are flushed to the disk at most once a second: a flush costs 5 to 20 ms on
common disks, one per target would halve a campaign's rate, and a gentle scan has one per target anyway.
"""

import hashlib
import os
import shutil
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

from kzmitm.errors import UsageError
from kzmitm.evidence.files import DIRECTORY_MODE, make_folder, named, sync_directory
from kzmitm.evidence.json_reader import parse_json
from kzmitm.evidence.json_writer import canonical
from kzmitm.evidence.locking import alone_in, lock
from kzmitm.evidence.medium import Folder, Medium, Memory
from kzmitm.evidence.scan_document import ScanHeader, target_row
from kzmitm.evidence.spool import SpoolWriter
from kzmitm.model.certificate import Certificate
from kzmitm.model.codec import format_time, parse_time
from kzmitm.model.measurement import Measurement
from kzmitm.model.traits import TraitMatch
from kzmitm.model.verdict import Verdict
from kzmitm.ooni.emit import emit

FORMAT = "kzmitm.journal/1"
BEGIN = "journal.json"
END = "end.json"
MEASUREMENTS = "measurements.jsonl"
VERDICTS = "verdicts.spool"
CERTIFICATES = "certs/"
CAPTURE = "capture.pcapng"
PREFIX = ".journal-"
"""Begins the name of a journal's folder, which is no result yet."""

SALT_SIZE = 16
"""Octets: what a withheld file holds cannot be guessed from its hash."""
SALTED = ("scan", "measurements", "environment", "capture")
SYNC_INTERVAL_S = 1.0
"""Seconds of work that a loss of power may cost."""
MAX_DOCUMENT = 1 << 20
"""Octets of a document of a journal; ours have two thousand."""
MAX_KNOWN_CERTIFICATES = 4096
"""Hashes remembered; beyond, the file itself says whether it is there. Intermediates stay remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Who will sign the bundle: the key of a campaign, or one for this bundle only."""

    campaign: str | None = None
    seed: bytes | None = None
    """Of the one-time key, kept until the bundle is there."""

    def to_json(self) -> dict[str, str | None]:
        return {"campaign": self.campaign, "seed": self.seed.hex() if self.seed else None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is settled before the first target is measured."""

    header: ScanHeader
    signing: Signing
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Of every measurement: what kind of computer made it."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Of the full level."""
    target: str | None = None
    """The file name of the bundle, if the user chose one."""

    def to_json(self, salts: Mapping[str, str]) -> dict[str, Any]:
        return {
            "schema": FORMAT,
            "header": self.header.to_json(),
            "signing": self.signing.to_json(),
            "annotations": dict(self.annotations),
            "environment": dict(self.environment),
            "salts": dict(salts),
            "target": self.target,
        }


class JournalWriter:
    """Writes one journal; as a context manager it closes, and leaves what is there without an end."""

    def __init__(self, medium: Medium, plan: Plan) -> None:
        """Begin in an empty medium; raises OSError."""
        self.medium = medium
        self._annotations = dict(plan.annotations)
        self._started_at = plan.header.started_at
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._synced_at = time.monotonic()
        self._measurements = medium.log(MEASUREMENTS)
        self._spool = SpoolWriter(medium.log(VERDICTS))
        salts = {name: os.urandom(SALT_SIZE).hex() for name in SALTED}
        self._annotations["salt"] = salts["measurements"]
        medium.put(BEGIN, [canonical(plan.to_json(salts)), b"\n"])
        self._lock: BinaryIO | None = None

    @classmethod
    def begin(cls, folder: Path, plan: Plan) -> Self:
        """Begin in a new folder below `folder`, locked for as long as this process writes.

        Raises UsageError if `folder` is a file, OSError.
        """
        if folder.exists() and not folder.is_dir():
            raise UsageError("{folder}: not a folder", hint="name another one", folder=folder)
        make_folder(folder)
        place = folder / f"{PREFIX}{os.urandom(8).hex()}"
        with alone_in(folder):  # until it is locked it looks like one that was left behind
            try:
                place.mkdir(mode=DIRECTORY_MODE)
                writer = cls(Folder(place), plan)
                writer._lock = (place / BEGIN).open("rb+")
            except OSError as exc:
                shutil.rmtree(place, ignore_errors=True)
                raise named(exc, folder) from exc
            lock(writer._lock.fileno())
        sync_directory(folder)
        return writer

    @classmethod
    def in_memory(cls, plan: Plan) -> Self:
        """Begin in memory: nothing can be found on a seized device, and a kill leaves nothing."""
        return cls(Memory(), plan)

    def add(  # noqa: PLR0913 (all of it is of one target)
        self,
        measurement: Measurement,
        verdict: Verdict,
        *,
        failures: Sequence[str | None] | None = None,
        certificates: Sequence[Certificate] = (),
        explanation: str = "",
        products: Sequence[TraitMatch] = (),
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """Write one target; raises OSError, and the journal is readable all the same.

        `failures` are as for `kzmitm.ooni.emit`, `certificates`, `explanation` and `products` as for
        `kzmitm.evidence.scan_document.target_row`; `annotations` are of this measurement alone.
        """
        for observation in measurement.tls:
            for der in observation.presented_chain[1:]:
                self._keep(der)
        line = emit(
            measurement,
            test_start_time=self._started_at,
            failures=failures,
            annotations={**(annotations or {}), **self._annotations},
            versions={
                "rules": verdict.rules_version,
                "registry": verdict.registry_version,
                "store": verdict.store_version,
            },
        )
        self._measurements.append(canonical(line, floats=True) + b"\n")
        row = target_row(
            measurement, verdict, certificates=certificates, explanation=explanation, products=products
        )
        self._spool.add(_key(measurement), verdict.outcome, canonical(row))
        self._sync_in_turn()

    def amend(
        self,
        measurement: Measurement,
        verdict: Verdict,
        *,
        certificates: Sequence[Certificate] = (),
        explanation: str = "",
        products: Sequence[TraitMatch] = (),
    ) -> None:
        """Replace the verdict of a measurement that was added, once the whole scan says more of it."""
        row = target_row(
            measurement, verdict, certificates=certificates, explanation=explanation, products=products
        )
        self._spool.amend(_key(measurement), verdict.outcome, canonical(row))
        self._sync_in_turn()

    def capture(self, octets: bytes) -> None:
        """Keep the packets of the scan's own connections."""
        self.medium.put(CAPTURE, [octets])

    @property
    def capture_salt(self) -> bytes:
        """What the capture must hold somewhere, so that its hash tells nothing."""
        return bytes.fromhex(read_json(self.medium, BEGIN)["salts"]["capture"])

    def finish(self, *, finished_at: datetime, complete: bool = True) -> None:
        """Write the end; `complete` is False for a scan that was stopped before its last target."""
        self.sync()
        self.medium.put(END, [canonical({"finished_at": format_time(finished_at), "complete": complete})])

    def sync(self) -> None:
        """Wait until everything added would survive a loss of power."""
        self._measurements.sync()
        self._spool.sync()
        self._synced_at = time.monotonic()

    def close(self) -> None:
        """Close the logs; the lock stays until `release`."""
        self._measurements.close()
        self._spool.close()
        if os.name == "nt":
            self._unlock()  # a folder with an open file cannot be deleted there

    def release(self) -> None:
        """Let others see that nobody writes any more."""
        self.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _sync_in_turn(self) -> None:
        if time.monotonic() - self._synced_at >= SYNC_INTERVAL_S:
            self.sync()

    def _keep(self, der: bytes) -> None:
        """Store a certificate unless it is there."""
        digest = hashlib.sha256(der)
        known = digest.digest()
        if known in self._known:
            self._known.move_to_end(known)
            return
        name = f"{CERTIFICATES}{digest.hexdigest()}.der"
        if not self.medium.has(name):
            self.medium.put(name, [der], durable=False)
        self._known[known] = None
        if len(self._known) > MAX_KNOWN_CERTIFICATES:
            self._known.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal for reading: what was settled at its beginning, and its end, if it has one."""

    medium: Medium
    begin: Mapping[str, Any]
    finished_at: datetime | None
    complete: bool

    @property
    def signing(self) -> Signing:
        told = self.begin["signing"]
        return Signing(campaign=told["campaign"], seed=bytes.fromhex(told["seed"]) if told["seed"] else None)

    def salt(self, name: str) -> str:
        """The salt of one of SALTED, in hex."""
        return str(self.begin["salts"][name])


def read_journal(medium: Medium) -> Journal:
    """What a scan of ours left; raises OSError, ValueError or KeyError where it is damaged."""
    begin = read_json(medium, BEGIN)
    if begin["schema"] != FORMAT:
        raise ValueError(f"unknown journal {begin['schema']!r}")
    if not medium.has(END):
        return Journal(medium, begin, finished_at=None, complete=False)
    end = read_json(medium, END)
    return Journal(medium, begin, parse_time(end["finished_at"]), bool(end["complete"]))


def read_json(medium: Medium, name: str) -> Any:
    """A document of the journal, which is our own."""
    with medium.open(name) as file:
        return parse_json(file.read(MAX_DOCUMENT + 1), max_bytes=MAX_DOCUMENT)


def _key(measurement: Measurement) -> str:
    """What tells a measurement from all others of the scan: 16 hex digits."""
    parts = repr((measurement.target, measurement.vantage.id, measurement.started_at))
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:16]
