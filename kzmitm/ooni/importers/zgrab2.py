"""zgrab2 of the ZMap project: JSON lines of any module that speaks TLS (tls, http, smtp, imap, ...).

https://github.com/zmap/zgrab2 and zcrypto's `ServerHandshake`. `server_certificates` is the presented chain
whatever verification said. A server_name is told only with `--keep-client-logs`, and a port only by newer
versions: the target's is taken for 443 then, and that of the endpoint is 0.
"""

import re
from collections.abc import Iterator
from typing import Any

from kzmitm.model.failure import Failure
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import TCPObservation, TLSObservation
from kzmitm.model.target import Endpoint, Vantage
from kzmitm.ooni.fields import DecodeError, Fields
from kzmitm.ooni.import_fields import (
    ALWAYS_UNKNOWN,
    chain_of,
    der_of,
    each_document,
    endpoint_of,
    failure_of,
    port_of,
    sent_name,
    suite_of,
    target_of,
    time_of,
    version_of,
)
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import Imported, Nothing, Reading, Record, Unknown
from kzmitm.ooni.read_rows import UNKNOWN_HELLO
from kzmitm.wording import Wording

_MARK = re.compile(rb'"handshake_log"\s*:|"data"\s*:\s*\{\s*"[^"]{1,64}"\s*:\s*\{\s*"status"\s*:\s*"')

_PLACES = (
    ("handshake_log",),
    ("tls", "handshake_log"),
    ("response", "request", "tls_log", "handshake_log"),
)
"""Where in a result the handshake stands: of `tls`, of mail and other protocols, of `http`."""

_CONNECT = {
    "connection-refused": Failure.CONNECTION_REFUSED,
    "connection-timeout": Failure.GENERIC_TIMEOUT,
}
"""Statuses of a connection that did not come about."""
_HANDSHAKE = {"connection-closed": Failure.EOF, "io-timeout": Failure.GENERIC_TIMEOUT}


def recognises(head: bytes) -> bool:
    return _MARK.search(head) is not None


def read(source: Source, reading: Reading) -> Iterator[Record]:
    del reading

    def one(top: Fields, where: str, line: int) -> Iterator[Record]:
        data = top.raw("data")
        if not isinstance(data, dict) or not data:
            raise DecodeError("$.data: no result of a module")
        for module in list(data)[:64]:
            found = _measurement(top, top.object("data").object(module))
            if found is None:
                yield Nothing(where, Wording("a module that did no TLS handshake"))
            else:
                yield Imported(found[0], source.name, line, found[1])

    return each_document(source, one)


def _measurement(top: Fields, grab: Fields) -> tuple[Measurement, tuple[Unknown, ...]] | None:
    log = _handshake_log(grab)
    status = grab.text("status")
    is_tls = grab.text("protocol") in ("tls", "") or log is not None
    if not is_tls:
        return None
    unknown = [*ALWAYS_UNKNOWN, Unknown.VANTAGE]
    address, domain = top.text("ip"), top.text("domain")
    port = port_of(grab.raw("port"), f"{grab.path}.port") if "port" in grab else 0
    endpoint = endpoint_of(address, port, "$.ip")
    if not port or not endpoint.ip:
        unknown.append(Unknown.ADDRESS)
    connect = TCPObservation(endpoint=endpoint, failure=_CONNECT[status]) if status in _CONNECT else None
    handshake = None if connect else _handshake(grab, log or Fields({}, grab.path), endpoint)
    sni = handshake.sni if handshake is not None else None
    if handshake is not None and sni is None:
        unknown.append(Unknown.SNI)
    measurement = Measurement(
        target=target_of(domain or address, port or 443, "$.domain", sni=sni),
        vantage=Vantage(id="zgrab2", kind="zgrab2"),
        started_at=time_of(grab.text("timestamp"), f"{grab.path}.timestamp"),
        tcp=(connect,) if connect else (),
        tls=(handshake,) if handshake else (),
    )
    return measurement, tuple(unknown)


def _handshake_log(grab: Fields) -> Fields | None:
    for place in _PLACES:
        found: Any = grab.raw("result")
        for key in place:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, dict):
            return Fields(found, f"{grab.path}.result.{'.'.join(place)}")
    return None


def _handshake(grab: Fields, log: Fields, endpoint: Endpoint) -> TLSObservation:
    hello = log.object("server_hello")
    chain = _chain(log.object("server_certificates"))
    version = hello.object("supported_versions").object("selected_version").raw("value")
    return TLSObservation(
        endpoint=endpoint,
        sni=sent_name(log.object("client_hello").text("server_name")),
        hello=UNKNOWN_HELLO,
        version=version_of(version or hello.object("version").raw("value")),
        cipher_suite=suite_of(hello.object("cipher_suite").raw("value")),
        presented_chain=chain,
        failure=_failure(grab, has_chain=bool(chain)),
    )


def _chain(certificates: Fields) -> tuple[bytes, ...]:
    found = [certificates.object("certificate"), *certificates.objects("chain")]
    ders = [der_of(each.text("raw"), f"{each.path}.raw") for each in found if "raw" in each]
    return chain_of(ders, certificates.path)


def _failure(grab: Fields, *, has_chain: bool) -> str | None:
    """Why there are no certificates. What went wrong behind them may be HTTP's, or a verdict on them."""
    status = grab.text("status")
    if has_chain or status == "success":
        return None
    if status in _HANDSHAKE:
        return _HANDSHAKE[status]
    return failure_of(grab.text("error") or status or Wording("no status"))
