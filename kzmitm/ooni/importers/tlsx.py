"""tlsx of ProjectDiscovery: JSON lines (`tlsx -json`), with certificates if `-cert -tls-chain` were given.

https://github.com/projectdiscovery/tlsx, pkg/tlsx/clients. `certificate` is the leaf, `chain` what was sent
behind it; without `-cert` there are only hashes and names, from which no chain can be judged.
"""

import re
from collections.abc import Iterator

from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import TCPObservation, TLSObservation
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
    suite_of,
    target_of,
    time_of,
    told_time,
    version_of,
)
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import Imported, Nothing, Reading, Record, Unknown
from kzmitm.ooni.read_rows import UNKNOWN_HELLO
from kzmitm.wording import Wording

_MARK = re.compile(rb'"tls_connection"\s*:|"probe_status"\s*:')
_BEFORE_THE_HANDSHAKE = (
    "setup connection",
    "dial",
    "no such host",
    "connection refused",
)
"""Words of errors from before the ClientHello."""


def recognises(head: bytes) -> bool:
    return _MARK.search(head) is not None


def read(source: Source, reading: Reading) -> Iterator[Record]:
    def one(top: Fields, where: str, line: int) -> Iterator[Record]:
        if "ctl_source" in top:
            yield Nothing(where, Wording("a certificate out of a log, with no handshake"))
        else:
            measurement, unknown = _measurement(top, reading)
            yield Imported(measurement, source.name, line, unknown)

    return each_document(source, one)


def _measurement(top: Fields, reading: Reading) -> tuple[Measurement, tuple[Unknown, ...]]:
    port = port_of(top.raw("port"), "$.port")
    endpoint = endpoint_of(top.text("ip"), port, "$.ip")
    name = top.optional_text("sni")
    sni = None if name is None else sent_name(name)
    error = "" if top.raw("probe_status") else top.text("error", Wording("no handshake, and no word of why"))
    connect, handshake = _steps(top, endpoint, sni, error)
    unknown = [*ALWAYS_UNKNOWN, Unknown.VANTAGE]
    if "timestamp" in top:
        started_at = time_of(top.text("timestamp"), "$.timestamp")
    else:  # as in every line of a handshake that failed
        started_at = told_time(reading, "$.timestamp")
        unknown.append(Unknown.TIME)
    if handshake is not None and name is None:
        unknown.append(Unknown.SNI)
    if handshake is not None and handshake.chain_truncated:
        unknown.append(Unknown.WHOLE_CHAIN)
    if not endpoint.ip:
        unknown.append(Unknown.ADDRESS)
    measurement = Measurement(
        target=target_of(top.text("host"), port, "$.host", sni=sni),
        vantage=Vantage(id="tlsx", kind="tlsx"),
        started_at=started_at,
        tcp=(connect,) if connect else (),
        tls=(handshake,) if handshake else (),
    )
    return measurement, tuple(unknown)


def _steps(
    top: Fields, endpoint: Endpoint, sni: str | None, error: str
) -> tuple[TCPObservation | None, TLSObservation | None]:
    if error and any(words in error.lower() for words in _BEFORE_THE_HANDSHAKE):
        return TCPObservation(endpoint=endpoint, failure=failure_of(error)), None
    chain, is_cut = _chain(top)
    return None, TLSObservation(
        endpoint=endpoint,
        sni=sni,
        hello=UNKNOWN_HELLO,
        version=version_of(top.raw("tls_version")),
        cipher_suite=suite_of(top.raw("cipher")),
        presented_chain=chain,
        chain_truncated=not error and is_cut,
        failure=failure_of(error) if error else None,
    )


def _chain(top: Fields) -> tuple[tuple[bytes, ...], bool]:
    """The leaf and what came behind it, up to the first that is kept as a hash only; whether more may be."""
    chain: list[bytes] = []
    is_cut = "chain" not in top
    for certificate in (top, *top.objects("chain")):
        pem = certificate.text("certificate")
        if not pem:
            is_cut = True
            break
        der = pem_certificate(pem, f"{certificate.path}.certificate")
        if der not in chain[:1]:  # the openssl mode has the leaf in the chain again
            chain.append(der)
    if "fingerprint_hash" not in top and top.raw("probe_status") and not chain:
        raise DecodeError("$: a handshake without a certificate")
    return chain_of(chain, "$.chain"), is_cut
