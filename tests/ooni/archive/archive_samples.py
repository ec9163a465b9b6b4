"""Measurements of the generator of corpora as lines of an archive, and what the first pass keeps of them."""

import base64
import json
import random
import sys
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from kzmitm.ooni.archive.extraction import Extractor
from kzmitm.ooni.archive.parts import quoted

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bench"))

from corpora.encoding import encode_line
from corpora.making import SITUATIONS, situation

__all__ = ["SITUATIONS", "encode_line"]

Document = dict[str, Any]
CASES = [(name, era) for name, kind in SITUATIONS.items() for era in kind.eras]
"""Every situation in every form that it occurs in."""
IDS = [f"{name}-{era}" for name, era in CASES]
KINDS = [
    ("isca_intermediate", "old"),
    ("isca_intermediate", "v04"),
    ("isca_intermediate", "v05"),
    *((name, "v05") for name, kind in SITUATIONS.items() if kind.test_name != "web_connectivity"),
]
"""One of every form and test."""
KIND_IDS = [f"{name}-{era}" for name, era in KINDS]


@cache
def _text(name: str, era: str | None) -> str:
    return json.dumps(situation(name, era=era)[0])


def sample(name: str = "isca_intermediate", era: str | None = "v05") -> Document:
    """A measurement that may be changed."""
    return json.loads(_text(name, era))


def enveloped(document: Document) -> bytes:
    """In a .post envelope, which the fast reading refuses: so it is read field by field."""
    return json.dumps({"format": "json", "content": document}).encode()


class Rows:
    """What an extractor keeps, in lists."""

    def __init__(self) -> None:
        self.measurements: list[Document] = []
        self.handshakes: list[Document] = []
        self.chains: dict[str, list[bytes]] = {}
        self.owned: list[tuple[int, bytes]] = []
        self.extractor = Extractor(self)

    def measurement(self, row):
        self.measurements.append(msgspec.structs.asdict(row))

    def handshake(self, row):
        self.handshakes.append(msgspec.structs.asdict(row))

    def chain(self, chain):
        self.chains[chain.id] = list(chain.ders)

    def own(self, doc, line):
        self.owned.append((doc, line))

    def add(self, line: bytes) -> str | None:
        return self.extractor.add(line, source="a.jsonl", number=1)

    @property
    def kept(self):
        """All but the checksum of the line as it was written."""
        measurements = [{key: row[key] for key in row if key != "digest"} for row in self.measurements]
        return measurements, self.handshakes, self.chains, [json.loads(line) for _, line in self.owned]


def read(line: bytes | Document) -> Rows:
    """The rows of one measurement; fails if there are none."""
    rows = Rows()
    why = rows.add(line if isinstance(line, bytes) else json.dumps(line).encode())
    assert why is None
    return rows


def shuffled(value: Any, rng: random.Random) -> Any:
    """The same with the keys of all objects in another order."""
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(each, rng) for each in value] if isinstance(value, list) else value


CERTIFICATE = {"format": "base64", "data": base64.b64encode(b"a certificate").decode()}


def row(**fields: Any) -> Document:
    """A handshake as a probe of today writes it, refused unless told otherwise."""
    return {
        "address": "192.0.2.1:443",
        "server_name": "example.kz",
        "failure": "ssl_unknown_authority",
        "no_tls_verify": False,
        "peer_certificates": [CERTIFICATE],
        "tls_version": "",
        "t": 1.5,
        "tags": [],
        "transaction_id": 1,
    } | fields


def document(**keys: Any) -> Document:
    """A small measurement; `keys` are its test keys."""
    return {
        "test_name": "web_connectivity",
        "measurement_start_time": "2024-03-01 12:00:00",
        "input": "https://example.kz/",
        "report_id": "r",
        "probe_asn": "AS9198",
        "probe_cc": "KZ",
        "probe_network_name": "n",
        "software_name": "ooniprobe",
        "software_version": "3.0.0",
        "test_version": "0.4.3",
        "test_runtime": 1.5,
        "test_keys": {"network_events": [], "queries": [], "tcp_connect": [], "control": None} | keys,
    }


def without(value: Document, *names: str) -> Document:
    return {key: value[key] for key in value if key not in names}


def both(made):
    """What both readings keep of a document, which must be the same."""
    line = json.dumps(made).encode()
    patient, fast = read(enveloped(made)).kept, read(line).kept
    assert fast == patient
    return fast


def handshake_of(made):
    ((found,),) = (both(made)[1],)
    return found


def measurement_of(made):
    ((found,),) = (both(made)[0],)
    return found


def table(
    part: Path, name: str, columns: str = "*", *, order: str = "ALL", number: str = "*"
) -> list[Document]:
    """Rows of all files of a table, or of that number, as dictionaries."""
    files = sorted(part.glob(f"{name}-{number}.parquet"))
    listed = ", ".join(map(quoted, files))
    with duckdb.connect(":memory:") as connection:
        query = f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = false) ORDER BY {order}"  # noqa: S608
        found = connection.execute(query)
        names = [each[0] for each in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
