"""Files of all formats with some octets changed, taken away or doubled: what every importer must survive."""

import gzip
import json
from datetime import UTC, datetime

from import_support import DATA, read, segments

from kzmitm.evidence.json_writer import canonical
from kzmitm.model.measurement import Measurement
from kzmitm.ooni.decode import decode
from kzmitm.ooni.emit import emit
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import Imported, Reading, formats

AT = datetime(2026, 11, 26, tzinfo=UTC)

__all__ = ["SEEDS", "check", "edited", "read", "segments"]


def _seeds():
    found = []
    names = {
        "hyperquack-v1.jsonl": "hyperquack",
        "hyperquack-v2.jsonl": "hyperquack",
        "nmap-7.93.xml": "nmap",
        "ripe-atlas.json": "ripe-atlas",
        "sslyze-6.3.1.json.gz": "sslyze",
        "testssl-3.0.8-pretty.json": "testssl",
        "testssl-3.2-flat.json": "testssl",
        "tlsx.jsonl": "tlsx",
        "zgrab2.jsonl": "zgrab2",
        "handshakes.pcap": "pcap",
        "handshakes.pcapng": "pcap",
    }
    for name, kind in names.items():
        octets = (DATA / name).read_bytes()
        found.append((kind, gzip.decompress(octets) if name.endswith(".gz") else octets))
    return tuple(found)


SEEDS = _seeds()
KEYS = (DATA / "handshakes.keys").read_bytes()


class _File:
    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def read(self, size: int) -> bytes:
        found, self._octets = self._octets[:size], self._octets[size:]
        return found


def edited(octets: bytes, edits: bytes) -> bytes:
    """Each six octets of `edits` are a place, what is done there, and with what."""
    for at in range(0, len(edits) - 5, 6):
        place = int.from_bytes(edits[at : at + 3], "big") % (len(octets) + 1)
        how, size, value = edits[at + 3] % 4, edits[at + 4], edits[at + 5 : at + 6]
        if how == 0:
            octets = octets[:place] + value + octets[place + 1 :]
        elif how == 1:
            octets = octets[:place] + octets[place + size :]
        elif how == 2:
            octets = octets[:place] + octets[place : place + size] * 2 + octets[place + size :]
        else:
            octets = octets[:place]
    return octets


def check(kind: str, octets: bytes) -> None:
    """Whatever is in the file: records come back, each can be written, and read again without loss."""
    source = Source(_File(octets), "f")
    reading = Reading(measured_at=AT, keylog=KEYS, segments=segments)
    for record in formats()[kind].read(source, reading):
        if isinstance(record, Imported):
            measurement: Measurement = record.measurement
            line = emit(measurement, test_start_time=measurement.started_at)
            read_again = decode(json.loads(canonical(line, floats=True)))
            assert read_again.target == measurement.target
            assert [o.presented_chain for o in read_again.tls] == [o.presented_chain for o in measurement.tls]
        else:
            assert record.why
            assert record.where.startswith("f")
