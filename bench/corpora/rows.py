"""Rows of OONI's data formats df-001, 002, 005, 006 and 008, keys in the order of the engine's Go structs.

`era` is `old` (2020 to May 2022: neither address nor any id in a handshake), `v04` or `v05`.
"""

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Era = Literal["old", "v04", "v05"]
Row = dict[str, Any]

UNKNOWN_AUTHORITY = "ssl_unknown_authority"
INVALID_CERTIFICATE = "ssl_invalid_certificate"
INVALID_HOSTNAME = "ssl_invalid_hostname"
RESET = "connection_reset"
TIMEOUT = "generic_timeout_error"
EOF = "eof_error"
NOT_TLS = "unknown_failure: tls: first record does not look like a TLS handshake"
USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/119.0.0.0 Safari/537.3"
)
HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.9",
    "User-Agent": USER_AGENT,
}


@dataclass(slots=True)
class Clock:
    """Seconds since the start of the measurement, ever later."""

    rng: random.Random
    now: float = 0.0

    def tick(self, most: float = 0.12) -> float:
        self.now = round(self.now + self.rng.random() * most + 0.0005, 6)
        return self.now


@dataclass(slots=True)
class Handshake:
    """How a TLS handshake ended: `certificates` are what the probe stored of it."""

    failure: str | None
    certificates: list[str] | None
    no_tls_verify: bool = False
    peer_key: Literal["list", "null", "absent", "bare"] = "list"
    """How certificates are written: as a list, as null, not at all, as objects without `data`."""


def peer_certificates(handshake: Handshake) -> list[Row] | None:
    if handshake.peer_key == "null" or handshake.certificates is None:
        return None
    if handshake.peer_key == "bare":
        return [{"format": "base64"} for _ in handshake.certificates]
    return [{"data": each, "format": "base64"} for each in handshake.certificates]


def tls(  # noqa: PLR0913 - fields of a row
    handshake: Handshake,
    *,
    era: Era,
    address: str,
    server_name: str,
    times: tuple[float, float],
    tags: Sequence[str],
    number: int,
) -> Row:
    """A df-006 row. On any failure version, cipher suite and protocol are "" (the engine drops the state)."""
    good = handshake.failure is None
    row: Row = {} if era == "old" else {"network": "tcp" if era == "v05" else "", "address": address}
    row |= {
        "cipher_suite": "TLS_AES_128_GCM_SHA256" if good else "",
        "failure": handshake.failure,
        "negotiated_protocol": "h2" if good else "",
        "no_tls_verify": handshake.no_tls_verify,
        "peer_certificates": peer_certificates(handshake),
        "server_name": server_name,
    }
    if handshake.peer_key == "absent":
        del row["peer_certificates"]
    if era == "v05":
        row["t0"] = times[0]
    row |= {"t": times[1], "tags": list(tags), "tls_version": "TLSv1.3" if good else ""}
    if era == "v05":
        row["transaction_id"] = number
    return row


def tcp(
    address: str,
    failure: str | None,
    *,
    era: Era,
    times: tuple[float, float],
    tags: Sequence[str],
    number: int,
) -> Row:
    """A df-005 row."""
    ip, _, port = address.rpartition(":")
    status: Row = {"failure": failure, "success": failure is None}
    if era != "v05":
        status = {"blocked": failure is not None, **status}
    row: Row = {"ip": ip.strip("[]") if ":" in ip else ip, "port": int(port), "status": status}
    if era == "v05":
        return row | {"t0": times[0], "t": times[1], "tags": list(tags), "transaction_id": number}
    return row | {"t": times[1]} | ({} if era == "old" else {"tags": []})


def events(
    address: str, clock: Clock, handshake: Handshake | None, *, era: Era, tags: Sequence[str], number: int
) -> tuple[list[Row], tuple[float, float]]:
    """df-008 rows of one connection after its connect, and when its handshake began and ended."""
    began = clock.tick(0.002)
    found = [_event("tls_handshake_start", began, era, tags, number, address if era == "v05" else "")]
    found.append(_event("write", clock.tick(0.002), era, tags, number, address, octets=517))
    failure = handshake.failure if handshake else None
    if failure in {RESET, TIMEOUT, EOF}:
        wait = 10.0 if failure == TIMEOUT else 0.05
        clock.now = round(clock.now + wait, 6)
        found.append(_event("read", clock.tick(), era, tags, number, address, failure=failure))
    else:
        found += [
            _event("read", clock.tick(0.03), era, tags, number, address, octets=octets)
            for octets in (576, 2048, 1380 + clock.rng.randrange(900))
        ]
    ended = clock.tick(0.01)
    found.append(_event("tls_handshake_done", ended, era, tags, number, address if era == "v05" else ""))
    return found, (began, ended)


def connect_event(
    address: str, t: float, failure: str | None, *, era: Era, tags: Sequence[str], number: int
) -> Row:
    return _event("connect", t, era, tags, number, address, failure=failure)


def _event(  # noqa: PLR0913 - fields of a row
    operation: str,
    t: float,
    era: Era,
    tags: Sequence[str],
    number: int,
    address: str = "",
    *,
    failure: str | None = None,
    octets: int = 0,
) -> Row:  # fmt: skip
    row: Row = {"address": address} if address else {}
    row["failure"] = failure
    if octets:
        row["num_bytes"] = octets
    row["operation"] = operation
    if address:
        row["proto"] = "tcp"
    if era == "v05":
        row["t0"] = t
    row["t"] = t
    if era == "v05":
        row["transaction_id"] = number
    return row | {"tags": list(tags)}


def query(  # noqa: PLR0913 - fields of a row
    hostname: str,
    answers: Sequence[str],
    *,
    era: Era,
    engine: str,
    query_type: str,
    clock: Clock,
    number: int,
    failure: str | None = None,
    resolver: str = "",
    organisation: tuple[int, str] = (0, ""),
    tags: Sequence[str] = (),
) -> Row:
    """A df-002 row; engine `udp` bears the octets of the reply."""
    asn, name = organisation
    began = clock.now
    rows = [
        {
            **({"asn": asn, "as_org_name": name} if asn else {}),
            "answer_type": "AAAA" if ":" in ip else "A",
            ("ipv6" if ":" in ip else "ipv4"): ip,
            "ttl": None,
        }
        for ip in answers
    ]
    row: Row = {"answers": rows or None, "engine": engine, "failure": failure, "hostname": hostname}
    row["query_type"] = query_type
    if engine == "udp" and failure is None:
        row["raw_response"] = base64.b64encode(clock.rng.randbytes(40 + 16 * len(rows))).decode()
    row |= {"resolver_hostname": None, "resolver_port": None, "resolver_address": resolver}
    if era == "v05":
        row["t0"] = began
    row["t"] = clock.tick()
    if era != "old":
        row["tags"] = list(tags)
    if era == "v05":
        row["transaction_id"] = number
    return row


def http(  # noqa: PLR0913 - fields of a row
    url: str,
    *,
    era: Era,
    clock: Clock,
    address: str = "",
    failure: str | None = None,
    code: int = 0,
    body: str = "",
    headers: dict[str, str] | None = None,
    tags: Sequence[str] = (),
    number: int = 0,
) -> Row:
    """A df-001 row; code 0 is no response."""
    host = url.split("/")[2]
    answered = headers or {}
    row: Row = {}
    if era == "v05":
        alpn = "h2" if url.startswith("https") and code else ""
        row = {"network": "tcp", "address": address} | ({"alpn": alpn} if alpn else {})
    row["failure"] = failure
    row["request"] = {
        "body": "",
        "body_is_truncated": False,
        "headers_list": [[key, value] for key, value in (HEADERS | {"Host": host}).items()],
        "headers": HEADERS | {"Host": host},
        "method": "GET",
        "tor": {"exit_ip": None, "exit_name": None, "is_tor": False},
        "x_transport": "tcp",
        "url": url,
    }
    row["response"] = {
        "body": body,
        "body_is_truncated": False,
        "code": code,
        "headers_list": [[key, value] for key, value in answered.items()],
        "headers": answered,
    }
    if era == "v05":
        row["t0"] = clock.now
    row["t"] = clock.tick(0.3)
    if era != "old":
        row["tags"] = list(tags)
    if era == "v05":
        row["transaction_id"] = number
    return row
