"""testssl.sh: its JSON files, flat (`--jsonfile`) and pretty (`--jsonfile-pretty`), version 3.0 and later.

https://testssl.sh. A finding `cert <cert#N>` is the leaf of the Nth certificate that a server has, and
`intermediate_cert <#I> <cert#N>` (3.2 and later) what came behind it; `certs_countServer` says of how many
certificates the message was, so that a chain that is not whole shows. A flat file tells no time.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import TCPObservation, TLSObservation
from kzmitm.model.target import Vantage
from kzmitm.ooni.fields import DecodeError, Fields
from kzmitm.ooni.import_fields import (
    ALWAYS_UNKNOWN,
    chain_of,
    endpoint_of,
    epoch_time,
    failure_of,
    pem_certificate,
    port_of,
    sent_name,
    target_of,
    told_time,
)
from kzmitm.ooni.import_json import MAX_DOCUMENT, Document, documents
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import Imported, Nothing, Problem, Reading, Record, Unknown
from kzmitm.ooni.read_rows import UNKNOWN_HELLO
from kzmitm.wording import Wording

_PRETTY = re.compile(rb'"Invocation"\s*:\s*"|"scanResult"\s*:\s*\[')
_FLAT = re.compile(
    rb'\{\s*"id"\s*:\s*"[^"]*",\s*"ip"\s*:\s*"[^"]*",\s*"port"\s*:\s*"[^"]*",\s*"severity"\s*:'
)
_ID = re.compile(r"(cert|intermediate_cert <#\d{1,3}>|certs_countServer)(?: <(?:hostCert|cert)#(\d{1,3})>)?")

_PROBLEM = "scanProblem"
MAX_TEXTS = 256
"""Findings with certificates that are kept of one server."""


@dataclass(slots=True)
class _Server:
    """What the findings of one server say."""

    host: str
    address: str
    port: str
    line: int
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    """Certificates and counts by the number of the leaf and the kind of finding, in order."""
    problem: str = ""

    def take(self, finding: Fields) -> None:
        name = finding.text("id")
        if name == _PROBLEM:
            self.problem = finding.text("finding")
        elif (found := _ID.fullmatch(name)) and len(self.texts) < MAX_TEXTS:
            self.texts[found[2] or "1", found[1]] = finding.text("finding")


def recognises(head: bytes) -> bool:
    return _PRETTY.search(head) is not None or _FLAT.search(head) is not None


def read(source: Source, reading: Reading) -> Iterator[Record]:
    server: _Server | None = None
    for document in documents(source, limit=MAX_DOCUMENT):
        if isinstance(document, Problem):
            yield document
            continue
        where = f"{source.name}:{document.line}"
        try:
            if "scanResult" in document.value:
                yield from _pretty(document, source, reading)
                continue
            finding = Fields(document.value, "$")
            key = _flat_key(finding)
            if key is None:
                continue
            if server is None or key != (server.host, server.address, server.port):
                yield from _told(server, source, reading, None)
                server = _Server(*key, document.line)
            server.take(finding)
        except DecodeError as exc:
            yield Problem(where, str(exc))
    yield from _told(server, source, reading, None)


def _flat_key(finding: Fields) -> tuple[str, str, str] | None:
    """(host, address, port) of a finding; None for one that is of no server."""
    if "id" not in finding or "ip" not in finding:
        raise DecodeError("$: not a finding of testssl.sh")
    host, _, address = finding.text("ip").partition("/")
    return (host, address, finding.text("port")) if host or address else None


def _pretty(document: Document, source: Source, reading: Reading) -> Iterator[Record]:
    top = Fields(document.value, "$")
    for result in top.objects("scanResult"):
        if result.text("id") == _PROBLEM:
            raise DecodeError("$.scanResult: nothing was scanned, and the server is not named")
        server = _Server(result.text("targetHost"), result.text("ip"), result.text("port"), document.line)
        for finding in _findings(result):
            server.take(finding)
        yield from _told(server, source, reading, top.raw("startTime"))


def _findings(result: Fields) -> Iterable[Fields]:
    """Those of all sections: where the certificates are has another name in each version."""
    for section in ("serverDefaults", "pretest", "protocols"):
        yield from result.objects(section)


def _told(server: _Server | None, source: Source, reading: Reading, started: object) -> Iterator[Record]:
    if server is None:
        return
    where = f"{source.name}:{server.line}"
    if not server.texts and not server.problem:
        yield Nothing(where, Wording("a server whose certificates were not asked for"))
        return
    try:
        yield _record(server, source, reading, started)
    except DecodeError as exc:
        yield Problem(where, str(exc))


def _record(server: _Server, source: Source, reading: Reading, started: object) -> Imported:
    port = port_of(server.port, "$.port")
    endpoint = endpoint_of(server.address.strip("[]"), port, "$.ip")
    host = server.host or endpoint.ip
    sni = sent_name(host)
    chains = list(_chains(server.texts))
    unknown = [*ALWAYS_UNKNOWN, Unknown.PARAMETERS, Unknown.VANTAGE]
    if started is None:
        unknown.append(Unknown.TIME)
    if any(is_cut for _, is_cut in chains):
        unknown.append(Unknown.WHOLE_CHAIN)
    if not endpoint.ip:
        unknown.append(Unknown.ADDRESS)
    measurement = Measurement(
        target=target_of(host, port, "$.targetHost", sni=sni),
        vantage=Vantage(id="testssl", kind="testssl"),
        started_at=(
            told_time(reading, "$.startTime") if started is None else epoch_time(started, "$.startTime")
        ),
        tcp=() if chains else (TCPObservation(endpoint=endpoint, failure=failure_of(server.problem)),),
        tls=tuple(
            TLSObservation(
                endpoint=endpoint,
                sni=sni,
                hello=UNKNOWN_HELLO,
                presented_chain=chain,
                chain_truncated=is_cut,
            )
            for chain, is_cut in chains
        ),
    )
    return Imported(measurement, source.name, server.line, tuple(unknown))


def _chains(texts: Mapping[tuple[str, str], str]) -> Iterator[tuple[tuple[bytes, ...], bool]]:
    """Each leaf with what came behind it, and whether something is missing."""
    for (number, kind), text in texts.items():
        if kind != "cert":
            continue
        path = f"cert <cert#{number}>"
        chain = [pem_certificate(text, path)]
        for (other, name), certificate in texts.items():
            if other == number and name.startswith("intermediate_cert"):
                chain.append(pem_certificate(certificate, f"{name} <cert#{number}>"))
        count = texts.get((number, "certs_countServer"), "")
        yield chain_of(chain, path), count != str(len(chain))
