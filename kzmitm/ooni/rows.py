"""Observations as rows of OONI's data formats df-002 (DNS), df-005 (TCP), df-006 (TLS), df-008 (events).

What OONI has no field for stands in keys that begin with `x_`, which its readers must skip (df-000);
they are written only where they say something. See https://github.com/ooni/spec/tree/master/data-formats
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from kzmitm.model.codec import to_json
from kzmitm.model.failure import scrub
from kzmitm.model.observation import (
    DNSAnswer,
    DNSObservation,
    NetworkEvent,
    TCPObservation,
    TLSObservation,
)

Row = dict[str, Any]

MAX_EVENTS = 64
"""Events of one handshake in `network_events`, as OONI's own probe caps them; `x_events` has them all."""

EVENT_OPERATIONS = frozenset({"read", "write"})
"""Operations of df-008 inside a TLS session; its connect is an event of the TCP observation already, and
our records stay in `x_events`."""


def queries(observations: Sequence[DNSObservation], *, first_id: int) -> list[Row]:
    """df-002 rows, each a transaction of its own from `first_id` on."""
    return [
        {
            "answers": [_answer(answer) for answer in o.answers] or None,
            "engine": o.engine,
            "failure": o.failure,
            "hostname": o.hostname,
            "query_type": o.query_type,
            "raw_response": None,
            "resolver_hostname": None,
            "resolver_port": None,
            "resolver_address": o.resolver_address,
            "t0": o.t0,
            "t": o.t,
            "tags": [],
            "transaction_id": number,
        }
        | ({} if o.rcode is None else {"rcode": o.rcode})
        for number, o in enumerate(observations, first_id)
    ]


def _answer(answer: DNSAnswer) -> Row:
    row: Row = {"answer_type": answer.answer_type, "ttl": answer.ttl}
    if answer.ip is not None:
        row["ipv6" if ":" in answer.ip else "ipv4"] = answer.ip
    if answer.hostname is not None:
        row["hostname"] = answer.hostname
    return row


def tcp_connect(observations: Sequence[TCPObservation]) -> list[Row]:
    """df-005 rows."""
    return [
        {
            "ip": o.endpoint.ip,
            "port": o.endpoint.port,
            "status": {"failure": o.failure, "success": o.failure is None},
            "t0": o.t0,
            "t": o.t,
            "tags": [],
            "transaction_id": o.transaction_id,
        }
        for o in observations
    ]


def tls_handshake(o: TLSObservation, *, certificate_failure: str | None, verified: bool) -> Row:
    """A df-006 row with the whole presented chain, whatever the failure.

    `failure` is the network's, else the certificate's; `x_network_failure` keeps the first alone.
    Where no server_name was sent, `server_name` is the address, as OONI's probe writes it.
    """
    return {
        "network": "tcp",
        "address": str(o.endpoint),
        "server_name": o.endpoint.ip if o.sni is None else o.sni,
        "cipher_suite": o.cipher_suite,
        "tls_version": o.version,
        "negotiated_protocol": o.alpn,
        "failure": o.failure if o.failure is not None else certificate_failure,
        "no_tls_verify": not verified,
        "peer_certificates": [binary_data(der) for der in o.presented_chain],
        "t0": o.t0,
        "t": o.t,
        "tags": [f"role={o.role}"],
        "transaction_id": o.transaction_id,
    } | _own_keys(o)


def _own_keys(o: TLSObservation) -> Row:
    own: Mapping[str, Any] = {
        "x_detail": scrub(o.detail, keep=o.endpoint.ip),
        "x_alerts": o.alerts,
        "x_proof": o.proof,
        "x_chain_truncated": o.chain_truncated,
        "x_client_certificate_requested": o.client_certificate_requested,
        "x_server_extensions": o.server_extensions,
        "x_ocsp_staple": o.ocsp_staple,
        "x_first_bytes": _scrubbed_octets(o.first_bytes, keep=o.endpoint.ip),
        "x_vantage_id": o.vantage_id,
    }
    always: Row = {
        "x_role": str(o.role),
        "x_sni": o.sni,
        "x_hello": dict(_hello(o.hello)),
        "x_network_failure": o.failure,
    }
    if o.events:
        always["x_events"] = [[e.operation, e.t, e.num_bytes, e.failure] for e in o.events]
    return always | {key: to_json(value) for key, value in own.items() if value}


@lru_cache(maxsize=64)
def _hello(hello: Any) -> Row:
    """A scan says the same hello again and again."""
    told: Row = to_json(hello)
    return told


def _scrubbed_octets(octets: bytes, *, keep: str) -> bytes:
    """Block pages and mail servers greet the client by its address."""
    return scrub(octets.decode("latin-1"), keep=keep).encode("latin-1")


def scrubbed(o: TLSObservation) -> TLSObservation:
    """A handshake without other addresses than its own in what was said."""
    ip = o.endpoint.ip
    octets = _scrubbed_octets(o.first_bytes, keep=ip)
    return replace(o, detail=scrub(o.detail, keep=ip), first_bytes=octets)


def binary_data(octets: bytes) -> Row:
    """OONI's BinaryData (df-001)."""
    return {"format": "base64", "data": base64.b64encode(octets).decode("ascii")}


def network_events(tcp: Sequence[TCPObservation], tls: Sequence[TLSObservation]) -> list[Row]:
    """df-008 rows in the order of time, every one with the address of its endpoint.

    Readers join them with a handshake by `transaction_id` and take the address of the earliest, so each
    handshake has at least its start here, and no event without address.
    """
    rows = [_event("connect", str(o.endpoint), o.transaction_id, t=o.t, failure=o.failure) for o in tcp]
    for o in tls:
        address, number = str(o.endpoint), o.transaction_id
        rows.append(_event("tls_handshake_start", address, number, t=o.t0))
        shown = [e for e in o.events if e.operation in EVENT_OPERATIONS][:MAX_EVENTS]
        rows.extend(_from_event(e, address, number) for e in shown)
        rows.append(_event("tls_handshake_done", address, number, t=o.t))
    rows.sort(key=lambda row: row["t"])
    return rows


def _from_event(e: NetworkEvent, address: str, number: int) -> Row:
    row = _event(e.operation, address, number, t=e.t, failure=e.failure)
    if e.num_bytes:
        row["num_bytes"] = e.num_bytes
    return row


def _event(operation: str, address: str, number: int, *, t: float, failure: str | None = None) -> Row:
    return {
        "address": address,
        "failure": failure,
        "operation": operation,
        "proto": "tcp",
        "t0": t,
        "t": t,
        "tags": [],
        "transaction_id": number,
    }
