"""A line of OONI's archive as far as judging needs it: the fast reading, typed, with all else skipped.

The typed reading takes what OONI's own engine writes. Whatever differs from that in any way, it refuses, and
`kzmitm.ooni.archive.tolerant` reads the document again, field by field. Both end in the same `Document`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from kzmitm.ooni.archive.events import address_from, decode_events
from kzmitm.ooni.archive.loose_json import UNREADABLE
from kzmitm.ooni.archive.resolvers import refused_any
from kzmitm.ooni.archive.search import find
from kzmitm.ooni.experiment import UNCHECKED, is_of_handshake, is_usual

MAX_ROWS = 4096
"""Handshakes, lookups, connects or events of one measurement; OONI's largest have some hundred."""

NOTHING = msgspec.Raw(b"null")
_OWN = "kzmitm.measurement/1."


class Answer(msgspec.Struct, gc=False):
    ipv4: str | None = None
    ipv6: str | None = None


class Query(msgspec.Struct, gc=False):
    """A df-002 row; the oldest have no `engine`, and name a resolver where they asked one of their own."""

    engine: str | None = None
    failure: str | None = None
    hostname: str | None = None
    answers: list[Answer] | None = None
    resolver_hostname: str | None = None


class TCPStatus(msgspec.Struct, gc=False):
    failure: str | None = None


class Connect(msgspec.Struct, gc=False):
    status: TCPStatus | None = None


class Handshake(msgspec.Struct, gc=False):
    """A df-006 row; `peer_certificates` stays as it came, since most chains were seen before."""

    address: str | None = None
    server_name: str | None = None
    failure: str | None = None
    no_tls_verify: bool | None = None
    tls_version: str | None = None
    peer_certificates: msgspec.Raw = NOTHING
    tags: list[str] | None = None
    t: float | None = None
    x_role: str | None = None
    x_network_failure: str | None = None
    transaction_id: int | None = None
    conn_id: int | None = None


class ControlDNS(msgspec.Struct, gc=False):
    failure: str | None = None
    addrs: list[str] | None = None


class ControlTCP(msgspec.Struct, gc=False):
    status: bool | None = None
    failure: str | None = None


class ControlTLS(msgspec.Struct, gc=False):
    server_name: str | None = None
    status: bool | None = None
    failure: str | None = None


class AddressInfo(msgspec.Struct, gc=False):
    """`flags` has 2 if the helper itself found the address, 8 if a handshake there was good for the host."""

    asn: int | None = None
    flags: int | None = None


class ControlPage(msgspec.Struct, gc=False):
    failure: str | None = None


class Control(msgspec.Struct, gc=False):
    dns: ControlDNS | None = None
    tcp_connect: dict[str, ControlTCP] | None = None
    tls_handshake: dict[str, ControlTLS] | None = None
    http_request: ControlPage | None = None
    ip_info: dict[str, AddressInfo] | None = None


class Surroundings(msgspec.Struct, gc=False):
    """What else a measurement saw: asked only where its handshakes do not settle everything by themselves."""

    queries: Sequence[Query] = ()
    tcp_connect: Sequence[Connect] = ()
    control: Control | None = None


class _Own(msgspec.Struct, gc=False):
    format: str = ""


class TestKeys(msgspec.Struct, gc=False):
    queries: msgspec.Raw = NOTHING
    tcp_connect: msgspec.Raw = NOTHING
    tls_handshakes: list[Handshake] | None = None
    control: msgspec.Raw = NOTHING
    control_failure: str | None = None
    network_events: msgspec.Raw = NOTHING
    x_doh: msgspec.Raw = NOTHING
    http_experiment_failure: str | msgspec.UnsetType | None = msgspec.UNSET
    x_kzmitm: msgspec.Raw = NOTHING


class Document(msgspec.Struct, gc=False):
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
    report_id: str | None = None
    test_runtime: float | None = None
    options: list[str] | None = None


_decode = msgspec.json.Decoder(Document).decode

_decode_queries = msgspec.json.Decoder(list[Query] | None).decode
_decode_connects = msgspec.json.Decoder(list[Connect] | None).decode
_decode_control = msgspec.json.Decoder(Control | None).decode
_decode_own = msgspec.json.Decoder(_Own).decode

_PAGE = b'"response":{"body":"'
_PAGE_END = b'","body_is_truncated":'
_ELSEWHERE = (
    b'"ssl_',
    b'"unknown_failure: x509: ',
    b'"unknown_failure: tls: ',
    b'"unknown_failure: remote error: tls: ',
    b"certificate verify failed",
    b'"peer_certificates"',
)
"""One stands wherever a document without a list of handshakes tells of one: in a request's failure, or where
a test kept them once.
"""


def decode_typed(line: bytes) -> Document | None:
    """The document in a line, or None if it is not of the usual shape; raises nothing."""
    text = without_pages(line)
    document = _decoded(text)
    if text is not line and (document is None or _misses_much(document)):
        document = _decoded(line)  # what was taken for a page was more than that
    return document if document is not None and _is_usual(document, line) else None


def _decoded(text: bytes) -> Document | None:
    try:
        return _decode(text)
    except UNREADABLE:
        return None


def _misses_much(document: Document) -> bool:
    """Something is not there that every probe writes."""
    keys = document.test_keys
    return (
        keys.tls_handshakes is None
        or keys.queries is NOTHING
        or keys.tcp_connect is NOTHING
        or keys.control is NOTHING
        or keys.network_events is NOTHING
        or document.input is None
        or document.probe_asn is None
        or document.probe_cc is None
        or document.probe_network_name is None
        or document.software_name is None
        or document.software_version is None
        or document.test_version is None
        or document.report_id is None
        or document.test_runtime is None
    )


def surroundings_of(keys: TestKeys) -> Surroundings:
    """What else was seen; raises one of UNREADABLE if it is not of the usual shape."""
    control = _decode_control(keys.control)
    return Surroundings(
        _decode_queries(keys.queries) or (),
        _decode_connects(keys.tcp_connect) or (),
        control if control is not None and _tells_anything(control) else None,
    )


def _tells_anything(told: Control) -> bool:
    return any((told.dns, told.http_request, told.tcp_connect, told.tls_handshake, told.ip_info))


def is_own(keys: TestKeys) -> bool:
    """The measurement is one of ours, in a format that we read."""
    try:
        return keys.x_kzmitm is not NOTHING and _decode_own(keys.x_kzmitm).format.startswith(_OWN)
    except UNREADABLE:
        return False


def without_pages(line: bytes) -> bytes:
    """The line without the text of the pages it carries, which are nine tenths of an archive.

    An unescaped quote cannot stand in a JSON text, so where the second mark matches, a text is at its end:
    the page's, unless that was followed by something else than probes write. Then rows are missing,
    and whoever called reads the whole line. Looking for marks costs a tenth of reading over the text.
    """
    start = find(line, _PAGE, 0)
    if start < 0:
        return line
    pieces, at = [], 0
    while start >= 0:
        start += len(_PAGE)
        end = find(line, _PAGE_END, start)
        if end < 0:
            break
        pieces.append(line[at:start])
        at = end
        start = find(line, _PAGE, end)
    pieces.append(line[at:])
    return b"".join(pieces)


def _is_usual(document: Document, line: bytes) -> bool:
    """Handshakes are where they belong, all with an address, which events may have to give."""
    if not is_usual(document.test_name) or _has_others(document.test_keys, line):
        return False
    handshakes = document.test_keys.tls_handshakes
    if handshakes is None:
        return True
    if len(handshakes) > MAX_ROWS or refused_any(document.test_keys.x_doh):
        return False
    if document.options and UNCHECKED in document.options:
        for each in handshakes:
            each.no_tls_verify = True
    if all(each.address is not None for each in handshakes):
        return True
    try:
        events = (decode_events(document.test_keys.network_events) or [])[:MAX_ROWS]
    except UNREADABLE:
        return False
    for place, each in enumerate(handshakes):
        if each.address is None:
            each.address = address_from(events, (each.transaction_id, each.conn_id), each.t, place)
    return True


def _has_others(keys: TestKeys, line: bytes) -> bool:
    """Perhaps there are handshakes that have no row where they belong (`kzmitm.ooni.experiments.plain`)."""
    rows, last = keys.tls_handshakes, keys.http_experiment_failure
    if last is msgspec.UNSET:
        return rows is None and any(find(line, mark, 0) >= 0 for mark in _ELSEWHERE)
    return is_of_handshake(last) and not any(is_of_handshake(each.failure) for each in rows or ())


def as_document(value: dict[str, Any]) -> Document:
    """The document of values that were made to fit; raises msgspec.ValidationError if they do not."""
    return msgspec.convert(value, Document)
