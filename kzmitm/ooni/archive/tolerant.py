"""Any measurement of any age as the document that the fast reading gives: wrong fields are left out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from kzmitm.errors import WordedError
from kzmitm.ooni.archive.chains import texts_of
from kzmitm.ooni.archive.documents import MAX_ROWS, Document, as_document
from kzmitm.ooni.archive.events import Event, address_from
from kzmitm.ooni.archive.loose_json import UNREADABLE, decode_loosely
from kzmitm.ooni.archive.reading import YAML
from kzmitm.ooni.experiment import Found, Row, handshakes_of, objects

_TOP = (
    "probe_asn", "probe_cc", "probe_network_name", "software_name", "software_version", "test_version",
    "measurement_uid", "report_id",
)  # fmt: skip


class NoMeasurementError(WordedError, ValueError):
    """The text is no OONI measurement; says why."""


def decode_tolerant(text: bytes) -> Document:
    """The measurement in a JSON text, bare or in an envelope; raises NoMeasurementError."""
    return document_of(object_in(text))


def object_in(text: bytes) -> dict[str, Any]:
    """The object in a JSON text, taken out of its envelope; raises NoMeasurementError."""
    value = _decoded(text)
    if isinstance(value, dict):
        value = _without_envelope(value)
    if not isinstance(value, dict):
        raise NoMeasurementError("not an object")
    return value


def _decoded(text: bytes) -> Any:
    try:
        return decode_loosely(text)
    except UNREADABLE as exc:
        if text.startswith(YAML):
            raise _in_yaml() from None
        raise NoMeasurementError("not JSON: {why}", why=exc) from None


def _in_yaml() -> NoMeasurementError:
    return NoMeasurementError("a report in YAML, as before 2017: it tells of no certificate")


def _without_envelope(value: Row) -> Any:
    """What a .post file or an answer of OONI's API (`measurement_meta`) holds, perhaps as JSON in a text."""
    inner: Any = value
    if "content" in value and value.get("format") == "json":
        inner = value["content"]
    elif "content" in value and value.get("format") == "yaml":
        raise _in_yaml()
    elif "raw_measurement" in value and "test_keys" not in value:
        inner = value["raw_measurement"]
        if inner in ("", None):
            raise NoMeasurementError("an answer of OONI's API that there is no such measurement")
        return _with_uid(_text_or_value(inner), value)
    return _text_or_value(inner)


def _text_or_value(inner: Any) -> Any:
    return _decoded(inner.encode("utf-8", "replace")) if isinstance(inner, str) else inner


def _with_uid(document: Any, told: Row) -> Any:
    """Old documents have no uid of their own; the answer has it."""
    uid = told.get("measurement_uid")
    return {"measurement_uid": uid} | document if isinstance(document, dict) else document


def document_of(value: Row) -> Document:
    """The measurement in an object decoded from JSON; raises NoMeasurementError."""
    if not value:
        raise NoMeasurementError("an empty object, as OONI's uploader writes for what it could not read")
    name, start = value.get("test_name"), value.get("measurement_start_time")
    if start is None:
        start = value.get("test_start_time")  # of the whole run: some minutes earlier
    if not isinstance(name, str) or not isinstance(start, str):
        raise NoMeasurementError("no OONI measurement: test_name or measurement_start_time is missing")
    keys = value.get("test_keys")
    clean: dict[str, Any] = {key: _text(value.get(key)) for key in _TOP}
    clean |= {"test_name": name, "measurement_start_time": start, "input": _input(value.get("input"))}
    clean["test_runtime"] = _number(value.get("test_runtime"))
    clean["test_keys"] = _test_keys(keys if isinstance(keys, dict) else {}, name, value.get("options"))
    return as_document(clean)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _input(value: Any) -> str | None:
    """A text; in old data a list of one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return _text(value)


def _test_keys(keys: Row, name: str, options: Any) -> dict[str, Any]:
    chosen = [each for each in options if isinstance(each, str)] if isinstance(options, list) else []
    handshakes = list(handshakes_of(name)(keys, frozenset(chosen)))[:MAX_ROWS]
    events = {id(each.events): each.events for each in handshakes}
    read = {key: [_event(row) for row in rows] for key, rows in events.items()}
    places: Counter[int] = Counter()
    made = []
    for each in handshakes:
        made.append(_handshake(each, places[id(each.events)], read[id(each.events)]))
        places[id(each.events)] += 1
    own = keys.get("x_kzmitm")
    return {
        "queries": _raw([_query(row) for row in objects(keys.get("queries"))]),
        "tcp_connect": _raw([_connect(row) for row in objects(keys.get("tcp_connect"))]),
        "tls_handshakes": made,
        "control": _raw(_control(keys.get("control"), zip(handshakes, made, strict=True))),
        "control_failure": _text(keys.get("control_failure")),
        "x_kzmitm": _raw({"format": _text(own.get("format")) or ""} if isinstance(own, dict) else None),
    }


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def _query(row: Row) -> dict[str, Any]:
    answers = [
        {"ipv4": _text(each.get("ipv4")), "ipv6": _text(each.get("ipv6"))}
        for each in objects(row.get("answers"))
    ]
    names = ("engine", "failure", "hostname", "resolver_hostname")
    return {key: _text(row.get(key)) for key in names} | {"answers": answers}


def _connect(row: Row) -> dict[str, Any]:
    """Very old rows say `failure: false` for none."""
    status = row.get("status")
    return {"status": {"failure": _text(status.get("failure"))} if isinstance(status, dict) else None}


def _handshake(found: Found, place: int, events: Sequence[Event]) -> dict[str, Any]:
    row = found.row
    address = _text(row.get("address"))
    number, connection = _integer(row.get("transaction_id")), _integer(row.get("conn_id"))
    if address is None:
        address = address_from(events, (number, connection), _number(row.get("t")), place)
    unverified = row.get("no_tls_verify") is True or not found.verified
    tags = row.get("tags")
    return {
        "address": address,
        "server_name": _text(row.get("server_name")),
        "failure": _text(row.get("failure")),
        "no_tls_verify": unverified,
        "tls_version": _text(row.get("tls_version")),
        "peer_certificates": _raw([{"data": each} for each in texts_of(row.get("peer_certificates"))]),
        "tags": [each for each in tags if isinstance(each, str)] if isinstance(tags, list) else None,
        "x_role": found.role or _text(row.get("x_role")),
        "x_network_failure": _text(row.get("x_network_failure")),
        "transaction_id": number,
    }


def _event(row: Row) -> Event:
    return Event(
        _text(row.get("address")),
        _text(row.get("failure")),
        _text(row.get("operation")),
        _number(row.get("t")),
        _integer(row.get("transaction_id")),
        _integer(row.get("conn_id")),
    )


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and abs(value) < 1e308 else None


def _integer(value: Any) -> int | None:
    return value if type(value) is int else None


def _control(value: Any, handshakes: Iterable[tuple[Found, Mapping[str, Any]]]) -> dict[str, Any]:
    """The control of the test helper; or what the experiment itself knows of the same address."""
    control = value if isinstance(value, dict) else {}
    dns = control.get("dns")
    page, info = control.get("http_request"), control.get("ip_info")
    told: dict[str, Any] = {
        "tcp_connect": {},
        "tls_handshake": {},
        "dns": None,
        "http_request": {"failure": _text(page.get("failure"))} if isinstance(page, dict) else None,
        "ip_info": _info(info) if isinstance(info, dict) else None,
    }
    if isinstance(dns, dict):
        addrs = dns.get("addrs")
        told["dns"] = {
            "failure": _text(dns.get("failure")),
            "addrs": [each for each in addrs if isinstance(each, str)] if isinstance(addrs, list) else None,
        }
    for kind in ("tcp_connect", "tls_handshake"):
        rows = control.get(kind)
        if isinstance(rows, dict):
            told[kind] = {key: _outcome(row) for key, row in rows.items() if isinstance(row, dict)}
    for found, made in handshakes:
        if found.control and made["address"]:
            outcome = {"server_name": made["server_name"], "status": True, "failure": None}
            told["tls_handshake"][made["address"]] = outcome
    return told


def _info(info: Row) -> dict[str, Any]:
    return {
        ip: {key: value for key, value in row.items() if key in ("asn", "flags") and type(value) is int}
        for ip, row in info.items()
        if isinstance(row, dict)
    }


def _outcome(row: Mapping[str, Any]) -> dict[str, Any]:
    status = row.get("status")
    return {
        "server_name": _text(row.get("server_name")),
        "status": status if isinstance(status, bool) else None,
        "failure": _text(row.get("failure")),
    }
