"""Nmap: XML (`-oX`) with the results of its script `ssl-cert`, which keeps the leaf only.

https://nmap.org/book/output-formats-xml-output.html. The document type that nmap writes has no subset and no
identifier; anything else that could define or fetch an entity ends the reading.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from kzmitm.errors import WordedError
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import TLSObservation
from kzmitm.model.target import Vantage
from kzmitm.ooni.fields import MAX_TEXT, DecodeError
from kzmitm.ooni.import_fields import (
    ALWAYS_UNKNOWN,
    endpoint_of,
    epoch_time,
    pem_certificate,
    port_of,
    sent_name,
    target_of,
)
from kzmitm.ooni.import_json import MAX_RECORD
from kzmitm.ooni.import_source import CHUNK, Source
from kzmitm.ooni.importing import Imported, Nothing, Problem, Reading, Record, Unknown
from kzmitm.ooni.read_rows import UNKNOWN_HELLO
from kzmitm.wording import Wording

_MARK = re.compile(rb"<!DOCTYPE nmaprun|<nmaprun[\s>]")
_SERVER_NAME = re.compile(r"(?:^|,)\s*tls\.servername\s*=\s*([^,]*)")
MAX_DEPTH = 64
MAX_SERVICES = 1024
"""Certificates of one host that are kept until its end."""

_CANNOT_KNOW = (*ALWAYS_UNKNOWN, Unknown.WHOLE_CHAIN, Unknown.PARAMETERS, Unknown.VANTAGE)


def recognises(head: bytes) -> bool:
    return _MARK.search(head) is not None


def read(source: Source, reading: Reading) -> Iterator[Record]:
    del reading
    run = _Run(source.name)
    parser = _parser(run)
    fed = 0
    try:
        while chunk := source.read(CHUNK):
            fed += len(chunk)
            parser.Parse(chunk, False)  # noqa: FBT003 - positional only
            yield from run.taken()
            _check_length(fed - parser.CurrentByteIndex)
        parser.Parse(b"", True)  # noqa: FBT003
        yield from run.taken()
    except _RefusedError as exc:
        yield from run.taken()
        yield Problem(f"{source.name}:{parser.CurrentLineNumber}", str(exc))
    except expat.ExpatError as exc:
        yield from run.taken()
        yield Problem(
            f"{source.name}:{exc.lineno}", Wording("not XML: {why}", why=expat.ErrorString(exc.code))
        )
    if source.damage:
        yield Problem(source.name, source.damage)


class _RefusedError(WordedError):
    """The file holds what nmap does not write."""


@dataclass(slots=True)
class _Service:
    port: str
    line: int
    pem: str = ""


class _Run:
    """Follows the elements of a file; whole hosts become records."""

    def __init__(self, name: str) -> None:
        self.parser: expat.XMLParserType | None = None
        self._name = name
        self._path: list[str] = []
        self._records: list[Record] = []
        self._start = ""
        self._server_name: str | None = None
        self._is_file_of_arguments = False
        self._new_host("")

    def _new_host(self, start: str) -> None:
        self._host_start = start
        self._address = ""
        self._asked_for = ""
        self._services: list[_Service] = []
        self._port = ""
        self._text: list[str] | None = None

    def taken(self) -> list[Record]:
        records, self._records = self._records, []
        return records

    @property
    def line(self) -> int:
        return self.parser.CurrentLineNumber if self.parser is not None else 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > MAX_DEPTH:
            raise _RefusedError("nested too deeply")
        match name:
            case "nmaprun":
                self._start = attributes.get("start", "")
                self._read_arguments(attributes.get("args", ""))
            case "host":
                self._new_host(attributes.get("starttime", ""))
            case "address" if attributes.get("addrtype") in ("ipv4", "ipv6"):
                self._address = attributes.get("addr", "")
            case "hostname" if attributes.get("type") == "user":
                self._asked_for = attributes.get("name", "")
            case "port":
                self._port = attributes.get("portid", "") if attributes.get("protocol") == "tcp" else ""
            case "script" if attributes.get("id") == "ssl-cert" and self._port:
                if len(self._services) < MAX_SERVICES:
                    self._services.append(_Service(self._port, self.line))
            case "elem" if attributes.get("key") == "pem" and self._path[-2:] == ["script", "elem"]:
                self._text = []

    def _read_arguments(self, text: str) -> None:
        """The server_name for all hosts, if one was given; the command line is not kept."""
        try:
            words = shlex.split(text)
        except ValueError:
            words = text.split()
        self._is_file_of_arguments = any(word.startswith("--script-args-file") for word in words)
        for word in words:
            found = _SERVER_NAME.search(word.removeprefix("--script-args="))
            if found:
                self._server_name = found[1].strip("\"' ")

    def characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)
            if sum(map(len, self._text)) > MAX_TEXT:
                raise _RefusedError("a certificate without end")

    def end(self, name: str) -> None:
        if name == "elem" and self._text is not None:
            if self._services:
                self._services[-1].pem = "".join(self._text)
            self._text = None
        elif name == "host":
            self._end_host()
        self._path.pop()

    def _end_host(self) -> None:
        for service in self._services:
            where = f"{self._name}:{service.line}"
            if not service.pem:
                self._records.append(Nothing(where, Wording("a script's result without a certificate")))
                continue
            try:
                self._records.append(self._record(service))
            except DecodeError as exc:
                self._records.append(Problem(where, str(exc)))
        self._new_host("")

    def _record(self, service: _Service) -> Imported:
        port = port_of(service.port, "port")
        endpoint = endpoint_of(self._address, port, "address")
        host = self._asked_for or endpoint.ip
        sni = self._server_name if self._server_name is not None else sent_name(self._asked_for)
        measurement = Measurement(
            target=target_of(host, port, "hostname", sni=sni),
            vantage=Vantage(id="nmap", kind="nmap"),
            started_at=epoch_time(self._host_start or self._start, "starttime"),
            tls=(
                TLSObservation(
                    endpoint=endpoint,
                    sni=sni,
                    hello=UNKNOWN_HELLO,
                    presented_chain=(pem_certificate(service.pem, "ssl-cert.pem"),),
                    chain_truncated=True,
                ),
            ),
        )
        unknown = (*_CANNOT_KNOW, Unknown.SNI) if self._is_file_of_arguments else _CANNOT_KNOW
        return Imported(measurement, self._name, service.line, unknown)


def _parser(run: _Run) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    run.parser = parser
    parser.buffer_text = True
    parser.StartElementHandler = run.start
    parser.EndElementHandler = run.end
    parser.CharacterDataHandler = run.characters
    parser.StartDoctypeDeclHandler = _check_document_type
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    return parser


def _check_length(waiting: int) -> None:
    """`waiting` are the octets that the parser keeps until a tag or a text ends."""
    if waiting > MAX_RECORD:
        raise _RefusedError("a piece of markup longer than {max_record} MiB", max_record=MAX_RECORD >> 20)


def _check_document_type(name: str, system: str | None, public: str | None, has_subset: int) -> None:
    if name != "nmaprun" or system is not None or public is not None or has_subset:
        raise _RefusedError("a document type that nmap does not write")
