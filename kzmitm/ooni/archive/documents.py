"""A line of OONI's archive as far as judging needs it: the fast reading, typed, with all else skipped.

The typed reading takes what OONI's own engine writes. Whatever differs from that in any way, it refuses, and
`kzmitm.ooni.archive.tolerant` reads the document again, field by field. Both end in the same `Document`.
"""

from typing import Any

import msgspec

MAX_ROWS = 4096
"""Handshakes, lookups or connects of one measurement; OONI's largest have some hundred."""


class Answer(msgspec.Struct):
    ipv4: str | None = None
    ipv6: str | None = None


class Query(msgspec.Struct):
    engine: str | None = None
    failure: str | None = None
    hostname: str | None = None
    answers: list[Answer] | None = None


class TCPStatus(msgspec.Struct):
    failure: str | None = None


class Connect(msgspec.Struct):
    status: TCPStatus | None = None


class Handshake(msgspec.Struct):
    """A df-006 row; `peer_certificates` stays as it came, since most chains were seen before."""

    address: str | None = None
    server_name: str | None = None
    failure: str | None = None
    no_tls_verify: bool | None = None
    tls_version: str | None = None
    peer_certificates: msgspec.Raw = msgspec.Raw(b"null")
    tags: list[str] | None = None
    x_role: str | None = None
    x_network_failure: str | None = None
    transaction_id: int | None = None


class ControlDNS(msgspec.Struct):
    failure: str | None = None
    addrs: list[str] | None = None


class ControlTCP(msgspec.Struct):
    status: bool | None = None
    failure: str | None = None


class ControlTLS(msgspec.Struct):
    server_name: str | None = None
    status: bool | None = None
    failure: str | None = None


class AddressInfo(msgspec.Struct):
    """`flags` has 2 if the helper itself found the address, 8 if a handshake there was good for the host."""

    asn: int | None = None
    flags: int | None = None


class ControlPage(msgspec.Struct):
    failure: str | None = None


class Control(msgspec.Struct):
    dns: ControlDNS | None = None
    tcp_connect: dict[str, ControlTCP] | None = None
    tls_handshake: dict[str, ControlTLS] | None = None
    http_request: ControlPage | None = None
    ip_info: dict[str, AddressInfo] | None = None


class TestKeys(msgspec.Struct):
    queries: list[Query] | None = None
    tcp_connect: list[Connect] | None = None
    tls_handshakes: list[Handshake] | None = None
    control: Control | None = None
    control_failure: str | None = None
    x_kzmitm: msgspec.Raw | None = None
    iterative_trace: msgspec.Raw | None = None
    pings: msgspec.Raw | None = None
    target: msgspec.Raw | None = None


class Document(msgspec.Struct):
    """One measurement. `input` is a text; where old data has a list, the tolerant reading takes it out."""

    test_name: str
    measurement_start_time: str
    test_keys: TestKeys
    input: str | None = None
    probe_asn: str | None = None
    probe_cc: str | None = None
    probe_network_name: str | None = None
    software_name: str | None = None
    software_version: str | None = None
    test_version: str | None = None
    measurement_uid: str | None = None


_decode = msgspec.json.Decoder(Document).decode

_REQUESTS = b'"requests":['
_HANDSHAKES = b'"tls_handshakes":[{'


def decode_typed(line: bytes) -> Document | None:
    """The document in a line, or None if it is not of the usual shape; raises nothing."""
    try:
        document = _decode(without_requests(line))
        keys = document.test_keys
        if not keys.tls_handshakes or not _is_whole(keys):
            document = _decode(line)
    except (msgspec.DecodeError, RecursionError):
        try:
            document = _decode(line)
        except (msgspec.DecodeError, RecursionError):
            return None
    return document if _is_usual(document) else None


def without_requests(line: bytes) -> bytes:
    """The line without the pages it carries: what lies from `requests` up to the last list of handshakes.

    An unescaped quote cannot stand in a JSON text, so both marks are keys wherever they match. Pages are
    nine tenths of an archive, and looking for the marks costs less than half of reading over them.
    """
    start = line.find(_REQUESTS)
    if start < 0:
        return line
    end = line.rfind(_HANDSHAKES)
    return line[:start] + line[end:] if end > start else line


def _is_whole(keys: TestKeys) -> bool:
    return bool(keys.queries) and (keys.control is not None or keys.control_failure is not None)


def _is_usual(document: Document) -> bool:
    """Handshakes are where they belong, all with an address: nothing has to be looked for elsewhere."""
    keys = document.test_keys
    if keys.iterative_trace is not None or keys.pings is not None or keys.target is not None:
        return False
    handshakes = keys.tls_handshakes or ()
    return len(handshakes) <= MAX_ROWS and all(each.address is not None for each in handshakes)


def as_document(value: dict[str, Any]) -> Document:
    """The document of values that were made to fit; raises msgspec.ValidationError if they do not."""
    return msgspec.convert(value, Document)
