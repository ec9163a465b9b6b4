"""OONI measurements as ours: without loss for what `emit` wrote, as far as they go for what others wrote.

Others' lines may lack any field or have null in it (df-000), spell old things the old way, and hold only
one certificate of a failed handshake; what is wrong in type or size is a `DecodeError`, and nothing else
is ever raised.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.measurement import Measurement
from kzmitm.model.target import Target, Vantage, is_ip, split_host_port, to_ascii_hostname
from kzmitm.model.trace import TraceObservation
from kzmitm.ooni import read_rows
from kzmitm.ooni.emit import OWN_FORMAT
from kzmitm.ooni.fields import DecodeError, Fields

__all__ = ["DecodeError", "decode"]

_OWN_FAMILY = OWN_FORMAT.rpartition(".")[0] + "."
"""Formats with a higher minor number have the same fields, and perhaps more."""


def decode(doc: Mapping[str, Any]) -> Measurement:
    """The measurement in one OONI document; raises DecodeError that names the field."""
    top = Fields(doc, "$")
    keys = top.object("test_keys")
    own = keys.object("x_kzmitm")
    target, vantage, started_at = _own_identity(own) if is_own(own) else _foreign_identity(top)
    return Measurement(
        target=target,
        vantage=vantage,
        started_at=started_at,
        dns=tuple(read_rows.dns(row) for row in keys.objects("queries")),
        tcp=tuple(read_rows.tcp(row) for row in keys.objects("tcp_connect")),
        tls=read_rows.handshakes(keys, port=target.port),
        clock_offset_s=own.decoded(float, "clock_offset_s", None),
        runtime_s=top.number("test_runtime"),
        software_version=own.text("software_version", top.text("software_version")),
        local_trust=_local_trust(own),
        trace=_trace(own),
    )


def _local_trust(own: Fields) -> LocalTrust | None:
    none: LocalTrust | None = None
    return own.decoded(LocalTrust, "local_trust", none)


def _trace(own: Fields) -> tuple[TraceObservation, ...]:
    none: tuple[TraceObservation, ...] = ()
    return own.decoded(tuple[TraceObservation, ...], "trace", none)


def is_own(own: Fields) -> bool:
    """True if the `x_kzmitm` object says that the line is ours."""
    return own.text("format").startswith(_OWN_FAMILY)


def _own_identity(own: Fields) -> tuple[Target, Vantage, datetime]:
    target: Target | None = own.decoded(Target, "target", None)
    started_at: datetime | None = own.decoded(datetime, "started_at", None)
    if target is None or started_at is None:
        raise DecodeError("{path}: target or started_at missing", path=own.path)
    return target, own.decoded(Vantage, "vantage", Vantage()), started_at


def _foreign_identity(top: Fields) -> tuple[Target, Vantage, datetime]:
    vantage = Vantage(
        id="ooni",
        kind="ooni",
        asn=top.text("probe_asn", "AS0"),
        cc=top.text("probe_cc", "ZZ"),
        network_name=top.text("probe_network_name"),
    )
    return _target(top), vantage, _start(top)


def _start(top: Fields) -> datetime:
    text = top.text("measurement_start_time")
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise DecodeError(
            "{path}.measurement_start_time: not a UTC time: {text}", path=top.path, text=repr(text[:40])
        ) from None


def _target(top: Fields) -> Target:
    """The host and port of `input`: a URL of any scheme, or bare; old data has a list of one."""
    value = top.raw("input")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str):
        raise DecodeError("{path}.input: no host to be read from it", path=top.path)
    try:
        netloc = urlsplit(value).netloc if "://" in value else value
        host, port = split_host_port(netloc.rpartition("@")[2])
        return Target(host if is_ip(host) else to_ascii_hostname(host), port)
    except ValueError as exc:
        raise DecodeError("{path}.input: {why}", path=top.path, why=exc) from None
