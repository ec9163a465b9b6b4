"""RIPE Atlas: results of `sslcert` measurements, as the API gives them (a list, or one on each line).

https://atlas.ripe.net/docs/apis/result-format/. `cert` is the whole presented chain, unverified. The result
does not tell the server_name that the measurement asked for (its option `hostname`), nor the probe's network.
The addresses of the probe (`from`, `src_addr`) are not read: people have these probes at home.
"""

import re
from collections.abc import Iterator

from kzmitm.model.failure import Failure, unknown_failure
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Alert, DNSObservation, TCPObservation, TLSObservation
from kzmitm.model.target import Endpoint, Vantage
from kzmitm.ooni.fields import DecodeError, Fields
from kzmitm.ooni.import_fields import (
    ALWAYS_UNKNOWN,
    chain_of,
    each_document,
    endpoint_of,
    epoch_time,
    failure_of,
    pem_certificate,
    port_of,
    suite_of,
    target_of,
    version_of,
)
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import Imported, Nothing, Reading, Record, Unknown
from kzmitm.ooni.read_rows import UNKNOWN_HELLO
from kzmitm.wire.iana.alerts import CLOSE_NOTIFY, UNRECOGNIZED_NAME
from kzmitm.wording import Wording

_MARK = re.compile(rb'"type"\s*:\s*"sslcert"|"msm_name"\s*:\s*"SSLCert"')
_ALSO = (b'"prb_id"', b'"msm_id"', b'"cert"')

_CANNOT_KNOW = (*ALWAYS_UNKNOWN, Unknown.SNI, Unknown.VANTAGE)


def recognises(head: bytes) -> bool:
    return _MARK.search(head) is not None or all(mark in head for mark in _ALSO)


def read(source: Source, reading: Reading) -> Iterator[Record]:
    del reading

    def one(top: Fields, where: str, line: int) -> Iterator[Record]:
        if top.text("type") != "sslcert":
            yield Nothing(where, Wording("a measurement of another type"))
        else:
            yield Imported(_measurement(top), source.name, line, _CANNOT_KNOW)

    return each_document(source, one)


def _measurement(top: Fields) -> Measurement:
    address = top.text("dst_addr")
    port = port_of(top.raw("dst_port") or 443, "$.dst_port")
    endpoint = endpoint_of(address, port, "$.dst_addr")
    host = top.text("dst_name") or address
    lookup, connect, handshake = _steps(top, host, endpoint)
    return Measurement(
        target=target_of(host, port, "$.dst_name", sni=None),
        vantage=Vantage(id=f"ripe-atlas:{top.integer('prb_id', 0)}".removesuffix(":0"), kind="ripe-atlas"),
        started_at=epoch_time(top.raw("timestamp"), "$.timestamp"),
        dns=(lookup,) if lookup else (),
        tcp=(connect,) if connect else (),
        tls=(handshake,) if handshake else (),
        runtime_s=top.number("rt") / 1000,
    )


def _steps(
    top: Fields, host: str, endpoint: Endpoint
) -> tuple[DNSObservation | None, TCPObservation | None, TLSObservation | None]:
    """The lookup if it failed, the connect if it failed, else the handshake."""
    error = top.text("err")
    lookup = top.text("dnserr")
    if lookup:
        failed = DNSObservation(hostname=host, engine="", query_type="", failure=unknown_failure(lookup))
        return failed, None, None
    if error.startswith(("connect", "bad address")):
        return None, TCPObservation(endpoint=endpoint, failure=failure_of(error)), None
    return None, None, _handshake(top, endpoint, error)


def _handshake(top: Fields, endpoint: Endpoint, error: str) -> TLSObservation:
    values = top.raw("cert") or []
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        raise DecodeError("$.cert: not a list of certificates")
    chain = chain_of([pem_certificate(text, f"$.cert[{i}]") for i, text in enumerate(values)], "$.cert")
    alerts, failure = _alert(top.object("alert")) if "alert" in top else ((), None)
    if not (chain or alerts or error):
        raise DecodeError("$: neither certificates nor an alert nor an error")
    return TLSObservation(
        endpoint=endpoint,
        sni=None,
        hello=UNKNOWN_HELLO,
        version=_version(top),
        cipher_suite=_suite(top.raw("server_cipher")),
        presented_chain=chain,
        alerts=alerts,
        failure=failure_of(error) if error else failure,
        t0=top.number("ttc") / 1000,
        t=top.number("rt") / 1000,
    )


def _version(top: Fields) -> str:
    """`method` and `ver`: TLS 1.2, SSL 3.0."""
    return version_of(f"{top.text('method')}{top.text('ver')}")


def _suite(value: object) -> str:
    """A number in hexadecimal digits (`0xc02f`), which newer firmware tells."""
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{4}", value):
        return suite_of(int(value, 16))
    return suite_of(value)


def _alert(alert: Fields) -> tuple[tuple[Alert, ...], str]:
    """The alert that the probe stopped at."""
    level, description = alert.integer("level", 0), alert.integer("description", -1)
    if not (0 <= level <= 255 and 0 <= description <= 255):
        raise DecodeError("$.alert: not an alert")
    failures = {CLOSE_NOTIFY: Failure.EOF, UNRECOGNIZED_NAME: Failure.SSL_INVALID_HOSTNAME}
    return (Alert(level, description),), failures.get(description, Failure.SSL_FAILED_HANDSHAKE)
