"""Bundles for the tests of the command line: written, read, and changed by whoever has a key."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

from kzmitm.evidence import layout
from kzmitm.evidence.archive.zip_writer import octets_source
from kzmitm.evidence.assembly import signed
from kzmitm.evidence.container import open_container
from kzmitm.evidence.journal import JournalWriter, Plan, Signing, read_journal
from kzmitm.evidence.recovery import write_bundle
from kzmitm.evidence.scan_document import ScanHeader
from kzmitm.evidence.signing.keys import key_from_seed
from kzmitm.model.measurement import Measurement
from kzmitm.model.target import Target, Vantage
from kzmitm.model.verdict import Outcome, Verdict

SEED = bytes(range(32))
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
STORE = SimpleNamespace(name="mozilla", version="2026.1.1", date="2026-01-01", sha256="ab" * 32)
HEADER = ScanHeader(started_at=NOON, rules_version="1", registry_version="r", store=STORE)
ROW = (
    Measurement(target=Target("a.test"), vantage=Vantage(), started_at=NOON),
    Verdict(outcome=Outcome.UNREACHABLE, confidence=None, rules_version="1"),
    (),
)


def write(path, rows, *, header, complete=True, finished_at):
    """The bundle NAME.zip of some rows (measurement, verdict, certificates); its path."""
    plan = Plan(header=header, signing=Signing(seed=SEED), target=path.name)
    with JournalWriter.begin(path.parent, plan) as writer:
        for measurement, judged, certificates in rows:
            writer.add(measurement, judged, certificates=certificates, explanation="")
        if finished_at is None:
            return writer.medium.path
        writer.finish(finished_at=finished_at, complete=complete)
        return write_bundle(read_journal(writer.medium), writer.medium.path, key_from_seed(SEED))


def files_of(path):
    """The octets of every payload file by its path in the bundle."""
    with open_container(path) as container:
        return {
            name: container.read(name, max_bytes=1 << 30)
            for name in container.names
            if layout.is_payload(name)
        }


def scan_of(path):
    """The document with all that is known."""
    return json.loads(files_of(path)[layout.PARTNER_SCAN.path])


def resign(path, files):
    """The same bundle with other payload, signed by somebody."""
    assembled = signed([octets_source(name, octets) for name, octets in files.items()], key_from_seed(SEED))
    path.unlink()
    assembled.write(path)
    return path


def with_document(path, document):
    """The same bundle with another document of the partner level, laid out as kzmitm does it."""
    rows = document.get("targets")
    if isinstance(rows, list):
        shown = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
        frame = json.dumps({**document, "targets": []}, separators=(",", ":"))
        text = frame.replace('"targets":[]', '"targets":[\n' + shown + "\n]") if rows else frame
    else:
        text = json.dumps(document, separators=(",", ":"))
    return resign(path, files_of(path) | {layout.PARTNER_SCAN.path: (text + "\n").encode()})
