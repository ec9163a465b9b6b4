"""Rows of OONI's data formats as observations; the counterpart of `kzmitm.ooni.rows`."""

from typing import Any

from kzmitm.model.failure import Failure
from kzmitm.model.observation import (
    Alert,
    DNSAnswer,
    DNSObservation,
    Hello,
    NetworkEvent,
    Proof,
    Role,
    TCPObservation,
    TLSObservation,
)
from kzmitm.model.target import Endpoint, is_ip
from kzmitm.ooni.fields import DecodeError, Fields
from kzmitm.ooni.rows import EVENT_OPERATIONS

UNKNOWN_HELLO = Hello(profile="", engine="")
"""What another tool offered, of which OONI's formats say nothing."""

_CERTIFICATE_FAILURES = frozenset(
    {Failure.SSL_INVALID_HOSTNAME, Failure.SSL_UNKNOWN_AUTHORITY, Failure.SSL_INVALID_CERTIFICATE}
)
"""A verdict on the chain, which showed itself all the same: no failure of the network."""

_OPERATIONS = EVENT_OPERATIONS | {"connect"}
"""Of the events that OONI's probes join with a handshake, those that touch the network."""

_Events = tuple[tuple[str, float, int, str | None], ...]


def dns(row: Fields) -> DNSObservation:
    """A df-002 row."""
    return DNSObservation(
        hostname=row.text("hostname"),
        engine=row.text("engine"),
        query_type=row.text("query_type"),
        resolver_address=row.text("resolver_address"),
        answers=tuple(_answer(answer) for answer in row.objects("answers")),
        failure=row.optional_text("failure"),
        rcode=row.decoded(int, "rcode", None),
        t0=row.number("t0"),
        t=row.number("t"),
    )


def _answer(row: Fields) -> DNSAnswer:
    return DNSAnswer(
        answer_type=row.text("answer_type"),
        ip=row.optional_text("ipv4" if "ipv4" in row else "ipv6"),
        hostname=row.optional_text("hostname"),
        ttl=row.decoded(int, "ttl", None),
    )


def tcp(row: Fields) -> TCPObservation:
    """A df-005 row; very old ones say `failure: false` for none."""
    status = row.object("status")
    failure = None if status.raw("failure") is False else status.optional_text("failure")
    return TCPObservation(
        endpoint=Endpoint(row.text("ip"), _port(row.integer("port", 0), row)),
        failure=failure,
        t0=row.number("t0"),
        t=row.number("t"),
        transaction_id=row.integer("transaction_id", 0),
    )


def handshakes(keys: Fields, *, port: int) -> tuple[TLSObservation, ...]:
    """The df-006 rows with the events of their transactions; `port` is for those without any address."""
    events = list(keys.objects("network_events"))
    return tuple(_handshake(row, events, port) for row in keys.objects("tls_handshakes"))


def _handshake(row: Fields, events: list[Fields], port: int) -> TLSObservation:
    number = row.integer("transaction_id", 0)
    own = "x_role" in row
    chain, lost = _chain(row)
    return TLSObservation(
        endpoint=_endpoint(row, number, events, port),
        sni=row.optional_text("x_sni") if own else _server_name(row),
        hello=row.decoded(Hello, "x_hello", UNKNOWN_HELLO),
        role=row.decoded(Role, "x_role", Role.FIRST),
        version=row.text("tls_version"),
        cipher_suite=row.text("cipher_suite"),
        alpn=row.text("negotiated_protocol"),
        presented_chain=chain,
        chain_truncated=row.decoded(bool, "x_chain_truncated", default=lost),
        alerts=row.decoded(tuple[Alert, ...], "x_alerts", ()),
        failure=row.optional_text("x_network_failure") if own else _network_failure(row),
        detail=row.text("x_detail"),
        events=_own_events(row) if own else _events(number, events),
        proof=row.decoded(Proof, "x_proof", None),
        client_certificate_requested=row.decoded(bool, "x_client_certificate_requested", default=False),
        server_extensions=row.decoded(tuple[int, ...], "x_server_extensions", ()),
        ocsp_staple=row.decoded(bytes, "x_ocsp_staple", b""),
        first_bytes=row.decoded(bytes, "x_first_bytes", b""),
        t0=row.number("t0"),
        t=row.number("t"),
        transaction_id=number,
        vantage_id=row.text("x_vantage_id"),
    )


def _server_name(row: Fields) -> str | None:
    """An address, or nothing, means that no server_name was sent."""
    name = row.text("server_name")
    return None if not name or is_ip(name) else name


def _network_failure(row: Fields) -> str | None:
    failure = row.optional_text("failure")
    return None if failure in _CERTIFICATE_FAILURES else failure


def _chain(row: Fields) -> tuple[tuple[bytes, ...], bool]:
    """The certificates up to the first that lost its data, as when long texts were cut out of the file."""
    chain: list[bytes] = []
    for certificate in row.objects("peer_certificates"):
        if "data" not in certificate:
            return tuple(chain), True
        chain.append(certificate.decoded(bytes, "data", b""))
    return tuple(chain), False


def _own_events(row: Fields) -> tuple[NetworkEvent, ...]:
    events: _Events = row.decoded(_Events, "x_events", ())
    return tuple(NetworkEvent(*each) for each in events)


def _events(number: int, events: list[Fields]) -> tuple[NetworkEvent, ...]:
    return tuple(
        NetworkEvent(
            event.text("operation"),
            event.number("t"),
            event.integer("num_bytes", 0),
            event.optional_text("failure"),
        )
        for event in events
        if event.integer("transaction_id", 0) == number and event.text("operation") in _OPERATIONS
    )


def _endpoint(row: Fields, number: int, events: list[Fields], port: int) -> Endpoint:
    """The row's address; before 2022-05 only the events of the same connection have it."""
    address = row.text("address") or next(
        (
            event.text("address")
            for event in events
            if "address" in event and event.integer("transaction_id", 0) == number
        ),
        "",
    )
    if not address:
        return Endpoint("", port)
    ip, _, digits = address.rpartition(":")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5):
        raise DecodeError("{path}.address: no port in {address}", path=row.path, address=repr(address[:60]))
    return Endpoint(ip.removeprefix("[").removesuffix("]"), _port(int(digits), row))


def _port(number: int, row: Any) -> int:
    if not 0 <= number < 65536:
        raise DecodeError("{path}: not a port: {number}", path=row.path, number=number)
    return number
