"""Hyperquack of Censored Planet: JSON lines of its versions 1 and 2, of the service https.

https://docs.censoredplanet.org/hyperquackv2.html. From outside of a country a server inside is asked for a
name that is not its own. What it answers is compared with its answer to harmless names, and only what differs
is kept, with the leaf. So the certificate is not the site's, and no fault of it; a certificate of a known
interceptor is as telling as everywhere. A control probe has a made-up name.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Role, TCPObservation, TLSObservation
from kzmitm.model.target import REFLECTED, Endpoint, Vantage
from kzmitm.ooni.fields import DecodeError, Fields
from kzmitm.ooni.import_fields import (
    ALWAYS_UNKNOWN,
    der_of,
    each_document,
    endpoint_of,
    failure_of,
    suite_of,
    target_of,
    time_of,
    version_of,
)
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import Imported, Nothing, Reading, Record, Unknown
from kzmitm.ooni.read_rows import UNKNOWN_HELLO
from kzmitm.wording import Wording

_MARKS = (
    re.compile(rb'"matches_template"\s*:|\{\s*"vp"\s*:\s*"[^"]*"\s*,\s*"location"\s*:'),
    re.compile(rb'\{\s*"Server"\s*:\s*"[^"]*"\s*,\s*"Keyword"\s*:'),
)
_CERTIFICATE_KEYS = ("Certificate", "TlsCert")
_CONTROLS_V1 = frozenset({"rtyutgyhefdafioasfjhjhi.com", "example5718349450314.com"})
"""Names that version 1 asked for as controls."""
_COMPARISON = "incorrect web response"
"""Begins the error of an answer that differs from the template: no failure of the network."""
_CONNECT = ("dial tcp", "connect:")

_CANNOT_KNOW = (*ALWAYS_UNKNOWN, Unknown.WHOLE_CHAIN)


def recognises(head: bytes) -> bool:
    return any(mark.search(head) for mark in _MARKS)


def read(source: Source, reading: Reading) -> Iterator[Record]:
    del reading

    def one(top: Fields, where: str, line: int) -> Iterator[Record]:
        probes = _probes_v1(top) if "Server" in top else _probes_v2(top)
        if probes is None:
            yield Nothing(where, Wording("a probe of another service than https"))
            return
        measurement = _measurement(top, probes)
        if measurement is None:
            yield Nothing(where, Wording("every answer was as the template: no certificate is kept then"))
        else:
            yield Imported(measurement, source.name, line, _CANNOT_KNOW)

    return each_document(source, one)


class _Probe:
    """One probe in the words of either version."""

    def __init__(self, row: Fields, *, control: str | None, received: str, start: str, error: str) -> None:
        self.control = control
        self.matches = bool(row.raw("matches_template") or row.raw("Success"))
        self.start = row.text(start)
        self.path = f"{row.path}.{start}"
        self.error = row.text(error)
        answer = row.raw(received)
        fields = row.object(received) if isinstance(answer, dict) else Fields({}, row.path)
        nested = fields.object("tls")
        self.version = nested.raw("version") or fields.raw("TlsVersion")
        self.suite = nested.raw("cipher_suite") or fields.raw("CipherSuite")
        texts = [nested.text("cert"), *(fields.text(key) for key in _CERTIFICATE_KEYS)]
        self.certificate = next((text for text in texts if text), "")


def _probes_v2(top: Fields) -> list[_Probe] | None:
    if top.text("service") != "https":
        return None
    return [
        _Probe(
            row,
            control=row.optional_text("control_url"),
            received="response",
            start="start_time",
            error="error",
        )
        for row in top.objects("response")
    ]


def _probes_v1(top: Fields) -> list[_Probe] | None:
    """None if no answer was over TLS: version 1 tells the service in the name of the folder only."""
    probes = []
    retries = top.integer("Retries", 0)
    for i, row in enumerate(top.objects("Results")):
        sent = row.text("Sent")
        # Where a probe timed out its name may be missing; controls come last and are no retries.
        is_control = sent in _CONTROLS_V1 if sent else i > retries
        probes.append(
            _Probe(
                row,
                control=sent if is_control else None,
                received="Received",
                start="StartTime",
                error="Error",
            )
        )
    return probes if any(probe.certificate for probe in probes) else None


def _measurement(top: Fields, probes: list[_Probe]) -> Measurement | None:
    told = [probe for probe in probes if probe.certificate or (probe.error and not probe.matches)]
    if not any(probe.control is None for probe in told):
        return None
    host = _host(top.text("test_url") or top.text("Keyword"))
    endpoint = endpoint_of(top.text("vp") or top.text("Server"), 443, "$.vp")
    connects = [probe for probe in told if _is_connect(probe)]
    return Measurement(
        target=target_of(host, 443, "$.test_url", sni=host, address=endpoint.ip),
        vantage=Vantage(id="hyperquack", kind=REFLECTED, cc=_country(top)),
        started_at=time_of(told[0].start, told[0].path),
        tcp=tuple(TCPObservation(endpoint=endpoint, failure=failure_of(p.error)) for p in connects),
        tls=tuple(_handshake(p, host, endpoint) for p in told if not _is_connect(p)),
    )


def _is_connect(probe: _Probe) -> bool:
    return not probe.certificate and any(words in probe.error.lower() for words in _CONNECT)


def _handshake(probe: _Probe, host: str, endpoint: Endpoint) -> TLSObservation:
    chain = (der_of(probe.certificate, f"{probe.path}: certificate"),) if probe.certificate else ()
    is_network = probe.error and not probe.error.lower().startswith(_COMPARISON)
    return TLSObservation(
        endpoint=endpoint,
        sni=host if probe.control is None else probe.control,
        hello=UNKNOWN_HELLO,
        role=Role.FIRST if probe.control is None else Role.NONSENSE_SNI,
        version=version_of(probe.version),
        cipher_suite=suite_of(probe.suite),
        presented_chain=chain,
        chain_truncated=bool(chain),
        failure=failure_of(probe.error) if is_network and not chain else None,
    )


def _country(top: Fields) -> str:
    code = top.object("location").text("country_code")
    return code if re.fullmatch(r"[A-Z]{2}", code) else "ZZ"


def _host(url: str) -> str:
    """The name in what was asked for: a name, perhaps with a path."""
    try:
        host = urlsplit(url if "://" in url else f"//{url}").hostname
    except ValueError:
        host = None
    if not host:
        raise DecodeError("$.test_url: no host in it")
    return host
