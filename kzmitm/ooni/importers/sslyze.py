"""sslyze: the file of `sslyze --certinfo --json_out FILE` (version 5 and later).

https://nabla-c0d3.github.io/sslyze/documentation/json-output.html. Several handshakes are made with each
server, and each distinct chain is kept ("deployments"), but not of which handshake it is.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from kzmitm.model.failure import Failure
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Role, TCPObservation, TLSObservation
from kzmitm.model.target import Endpoint, Vantage
from kzmitm.ooni.fields import DecodeError, Fields
from kzmitm.ooni.import_fields import (
    ALWAYS_UNKNOWN,
    chain_of,
    each_document,
    endpoint_of,
    failure_of,
    pem_certificate,
    port_of,
    sent_name,
    target_of,
    time_of,
)
from kzmitm.ooni.import_json import MAX_DOCUMENT
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import Imported, Nothing, Problem, Reading, Record, Unknown
from kzmitm.ooni.read_rows import UNKNOWN_HELLO
from kzmitm.wording import Wording

_MARK = re.compile(rb'"(?:server_scan_results|sslyze_version|invalid_server_strings)"\s*:')
_EXCEPTION = re.compile(r"^sslyze\.errors\.(\w+)", re.MULTILINE)

_CONNECT = {
    "ServerRejectedConnection": Failure.CONNECTION_REFUSED,
    "ConnectionToServerTimedOut": Failure.GENERIC_TIMEOUT,
    "ConnectionToHttpProxyFailed": Failure.PROXY_FAILED,
    "ConnectionToHttpProxyTimedOut": Failure.PROXY_FAILED,
    "HttpProxyRejectedConnection": Failure.PROXY_FAILED,
}
"""Exceptions of sslyze from before the handshake."""
_HANDSHAKE = {
    "TlsHandshakeTimedOut": Failure.GENERIC_TIMEOUT,
    "ServerRejectedTlsHandshake": Failure.SSL_FAILED_HANDSHAKE,
    "ServerTlsConfigurationNotSupported": Failure.SSL_FAILED_HANDSHAKE,
}
_CANNOT_KNOW = (*ALWAYS_UNKNOWN, Unknown.PARAMETERS, Unknown.VANTAGE)


def recognises(head: bytes) -> bool:
    return _MARK.search(head) is not None


def read(source: Source, reading: Reading) -> Iterator[Record]:
    del reading

    def one(top: Fields, where: str, line: int) -> Iterator[Record]:
        if "server_scan_results" not in top:
            raise DecodeError("$.server_scan_results: missing (sslyze 5 and later have it)")
        started_at = time_of(top.text("date_scans_started"), "$.date_scans_started", naive_is_utc=True)
        for server in top.objects("server_scan_results"):
            try:
                yield _record(server, started_at, source.name, where, line)
            except DecodeError as exc:
                yield Problem(where, str(exc))

    return each_document(source, one, limit=MAX_DOCUMENT)


def _record(server: Fields, started_at: datetime, name: str, where: str, line: int) -> Record:
    location = server.object("server_location")
    port = port_of(location.raw("port"), f"{location.path}.port")
    endpoint = endpoint_of(location.text("ip_address"), port, f"{location.path}.ip_address")
    sent = server.object("network_configuration").text("tls_server_name_indication")
    sni = sent_name(sent)
    info = server.object("scan_result").object("certificate_info")
    connect, handshakes = _steps(server, info, endpoint, sni)
    if connect is None and not handshakes:
        return Nothing(where, Wording("a server whose certificates were not asked for"))
    host = location.text("hostname")
    measurement = Measurement(
        target=target_of(host, port, f"{location.path}.hostname", sni=sni),
        vantage=Vantage(id="sslyze", kind="sslyze"),
        started_at=started_at,
        tcp=(connect,) if connect else (),
        tls=handshakes,
    )
    unknown = _CANNOT_KNOW if endpoint.ip else (*_CANNOT_KNOW, Unknown.ADDRESS)
    return Imported(measurement, name, line, unknown)


def _steps(
    server: Fields, info: Fields, endpoint: Endpoint, sni: str | None
) -> tuple[TCPObservation | None, tuple[TLSObservation, ...]]:
    if server.text("connectivity_status") == "ERROR":
        cause = _exception(server.text("connectivity_error_trace"))
        if cause in _CONNECT:
            return TCPObservation(endpoint=endpoint, failure=_CONNECT[cause]), ()
        return None, (_handshake(endpoint, sni, failure=_HANDSHAKE.get(cause) or failure_of(cause)),)
    if info.text("status") == "ERROR":
        cause = _exception(info.text("error_trace")) or info.text("error_reason")
        return None, (_handshake(endpoint, sni, failure=_HANDSHAKE.get(cause) or failure_of(cause)),)
    result = info.object("result")
    found = [
        _handshake(endpoint, sni, chain=_chain(deployment))
        for deployment in result.objects("certificate_deployments")
    ]
    without = result.object("certificate_deployment_with_sni_disabled")
    if found and sni is not None and "received_certificate_chain" in without:
        found.append(_handshake(endpoint, None, chain=_chain(without), role=Role.NO_SNI))
    return None, tuple(found)


def _exception(trace: str) -> str:
    """The last exception of sslyze in a traceback; nothing else is kept, as it names folders of the user."""
    names = _EXCEPTION.findall(trace)
    return str(names[-1]) if names else Wording("an error without a name")


def _chain(deployment: Fields) -> tuple[bytes, ...]:
    ders = [
        pem_certificate(each.text("as_pem"), f"{each.path}.as_pem")
        for each in deployment.objects("received_certificate_chain")
    ]
    if not ders:
        raise DecodeError("{path}: a deployment without certificates", path=deployment.path)
    return chain_of(ders, deployment.path)


def _handshake(
    endpoint: Endpoint,
    sni: str | None,
    *,
    chain: tuple[bytes, ...] = (),
    failure: str | None = None,
    role: Role = Role.FIRST,
) -> TLSObservation:
    return TLSObservation(
        endpoint=endpoint,
        sni=sni,
        hello=UNKNOWN_HELLO,
        role=role,
        presented_chain=chain,
        failure=failure,
    )
