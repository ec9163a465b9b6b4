"""A measurement as one valid OONI measurement (df-000, 0.2.0), which `decode` reads back without loss.

The test is OONI's `urlgetter`, whose keys are ours: docs/adr/0005-ooni-format.md says why.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from kzmitm import __version__
from kzmitm.model.codec import format_time, to_json
from kzmitm.model.measurement import Measurement
from kzmitm.model.target import Target, Vantage
from kzmitm.model.trace import Step, TraceObservation
from kzmitm.ooni import rows

DATA_FORMAT_VERSION = "0.2.0"
TEST_NAME = "urlgetter"
TEST_VERSION = "0.2.0+kzmitm.1"
"""The version of urlgetter whose keys these are, and ours of the `x_` keys: raised when one changes."""
SOFTWARE_NAME = "kzmitm"
OWN_FORMAT = "kzmitm.measurement/1.0"
"""`format` of the `x_kzmitm` object: the mark by which `decode` knows a line as ours."""

NO_ADDRESS = "127.0.0.1"
"""What OONI writes for the address of the probe, which never leaves it."""
NO_RESOLVER = "127.0.0.2"
"""OONI's default for an unknown address of the resolver."""

_ASN = re.compile(r"AS(?:0|[1-9]\d{0,9})", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_VERSION = re.compile(r"[0-9A-Za-z_.+-]+", re.ASCII)
_NOTHING: Mapping[str, str] = MappingProxyType({})


def emit(
    measurement: Measurement,
    *,
    test_start_time: datetime,
    failures: Sequence[str | None] | None = None,
    annotations: Mapping[str, str] = _NOTHING,
    options: Sequence[str] = (),
    versions: Mapping[str, str] = _NOTHING,
) -> dict[str, Any]:
    """The OONI measurement; an address of the user is nowhere in it.

    `failures` are the certificate failures, in OONI's words, of the handshakes in the order of
    `measurement.tls`; None says that no chain was verified, and so do the rows then. `annotations` come
    beside our own (`engine_name`, `engine_version`); `options` are `Key=Value`; `versions` (of rules,
    registry, store) go into `x_kzmitm`. Raises ValueError if `failures` has another length.
    """
    verified = failures is not None
    reasons = [None] * len(measurement.tls) if failures is None else failures
    handshakes = [
        rows.tls_handshake(o, certificate_failure=failure, verified=verified)
        for o, failure in zip(measurement.tls, reasons, strict=True)
    ]
    return _envelope(measurement, test_start_time, annotations, options) | {
        "test_keys": _test_keys(measurement, handshakes) | {"x_kzmitm": _own(measurement, versions)}
    }


def _envelope(
    m: Measurement, test_start_time: datetime, annotations: Mapping[str, str], options: Sequence[str]
) -> dict[str, Any]:
    version = m.software_version if _VERSION.fullmatch(m.software_version) else __version__
    extensions = {"dnst": m.dns, "tcpconnect": m.tcp, "tlshandshake": m.tls, "netevents": m.tcp or m.tls}
    return {
        "annotations": {**annotations, "engine_name": SOFTWARE_NAME, "engine_version": version},
        "data_format_version": DATA_FORMAT_VERSION,
        "extensions": {name: 0 for name, used in extensions.items() if used},
        "input": input_url(m.target),
        "measurement_start_time": ooni_time(m.started_at),
        "options": list(options),
        "probe_asn": m.vantage.asn if _ASN.fullmatch(m.vantage.asn) else "AS0",
        "probe_cc": m.vantage.cc if _COUNTRY.fullmatch(m.vantage.cc) else "ZZ",
        "probe_ip": NO_ADDRESS,
        "probe_network_name": m.vantage.network_name,
        "report_id": "",
        "resolver_asn": "AS0",
        "resolver_ip": NO_RESOLVER,
        "resolver_network_name": "",
        "software_name": SOFTWARE_NAME,
        "software_version": version,
        "test_name": TEST_NAME,
        "test_runtime": m.runtime_s,
        "test_start_time": ooni_time(test_start_time),
        "test_version": TEST_VERSION,
    }


def input_url(target: Target) -> str:
    """What urlgetter takes to do a handshake and no request: `tlshandshake://HOST:PORT`."""
    host = f"[{target.hostname}]" if ":" in target.hostname else target.hostname
    return f"tlshandshake://{host}:{target.port}"


def ooni_time(moment: datetime) -> str:
    """`YYYY-MM-DD HH:MM:SS` in UTC, as df-000 has it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "seconds")


def _test_keys(m: Measurement, handshakes: list[rows.Row]) -> dict[str, Any]:
    operation, failure = _first_failure(m, handshakes)
    used = max((0, *(o.transaction_id for o in m.tcp), *(o.transaction_id for o in m.tls)))
    return {
        "agent": "redirect",
        "failed_operation": operation,
        "failure": failure,
        "network_events": rows.network_events(m.tcp, m.tls),
        "queries": rows.queries(m.dns, first_id=used + 1),
        "requests": [],
        "socksproxy": None,
        "tcp_connect": rows.tcp_connect(m.tcp),
        "tls_handshakes": handshakes,
    }


def _first_failure(m: Measurement, handshakes: list[rows.Row]) -> tuple[str | None, str | None]:
    """(operation, failure) that urlgetter would have stopped at: of the handshake judged, else before it."""
    first = m.first
    if first is not None:
        failure = next(row["failure"] for o, row in zip(m.tls, handshakes, strict=True) if o is first)
        return (None if failure is None else "tls_handshake", failure)
    for operation, observations in (("connect", m.tcp), ("resolve", m.dns)):
        if observations:
            worked = any(o.failure is None for o in observations)
            return (None, None) if worked else (operation, observations[0].failure)
    return None, None


@lru_cache(maxsize=64)
def _vantage(vantage: Vantage) -> dict[str, Any]:
    """A scan has one."""
    told: dict[str, Any] = to_json(vantage)
    if vantage.dns is None:
        del told["dns"]  # of what was measured before it was told
    return told


def _scrubbed(trace: TraceObservation) -> TraceObservation:
    """Without what answers said of the address that they came to; the routers' addresses are its content."""
    walks = tuple(replace(walk, steps=tuple(map(_scrubbed_step, walk.steps))) for walk in trace.walks)
    return replace(trace, walks=walks)


def _scrubbed_step(step: Step) -> Step:
    return step if step.tls is None else replace(step, tls=rows.scrubbed(step.tls))


def _own(m: Measurement, versions: Mapping[str, str]) -> dict[str, Any]:
    trust = {} if m.local_trust is None else {"local_trust": to_json(m.local_trust)}
    trace = {"trace": to_json(tuple(map(_scrubbed, m.trace)))} if m.trace else {}
    return (
        trust
        | trace
        | {
            "format": OWN_FORMAT,
            "target": to_json(m.target),
            "vantage": dict(_vantage(m.vantage)),
            "started_at": format_time(m.started_at),
            "clock_offset_s": m.clock_offset_s,
            "software_version": m.software_version,
            "versions": dict(versions),
        }
    )
