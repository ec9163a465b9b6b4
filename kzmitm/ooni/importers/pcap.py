"""Captures of packets (pcap, pcapng): certificates in the clear up to TLS 1.2, of TLS 1.3 with a key log.

Connections that speak TLS from their first octet. The side that sends the ClientHello is the user's, and its
address is not kept. What is named unknown depends on the handshake.
"""

from collections.abc import Iterator

from kzmitm.model.measurement import Measurement
from kzmitm.model.target import Vantage
from kzmitm.ooni.capture.connections import Connections, Handshake
from kzmitm.ooni.capture.keylog import parse_keylog
from kzmitm.ooni.fields import DecodeError
from kzmitm.ooni.import_fields import epoch_time, target_of
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import Imported, Nothing, Problem, Reading, Record, Unknown
from kzmitm.wording import Wording

_MAGICS = (
    b"\xa1\xb2\xc3\xd4",
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x4d\x3c\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
)

_CANNOT_KNOW = (Unknown.DNS, Unknown.CONTROL, Unknown.VANTAGE)


def recognises(head: bytes) -> bool:
    return head.startswith(_MAGICS)


def read(source: Source, reading: Reading) -> Iterator[Record]:
    connections = Connections(parse_keylog(reading.keylog))
    if reading.segments is None:
        yield Problem(source.name, Wording("no reader of captures is there"))
        return
    try:
        for segment in reading.segments(source):
            for handshake in connections.take(segment):
                yield _record(handshake, source)
    except ValueError as exc:
        if not source.damage:  # which says more
            yield Problem(source.name, str(exc))
    for handshake in connections.end():
        yield _record(handshake, source)
    if source.damage:
        yield Problem(source.name, source.damage)


def _record(handshake: Handshake, source: Source) -> Record:
    where = f"{source.name}:{handshake.number}"
    observation = handshake.observation
    if handshake.hides_chain:
        return Nothing(where, observation.detail)
    try:
        measurement = _measurement(handshake)
    except DecodeError as exc:
        return Problem(where, str(exc))
    unknown = _CANNOT_KNOW if handshake.is_whole else (*_CANNOT_KNOW, Unknown.WHOLE_CHAIN)
    return Imported(measurement, source.name, handshake.number, unknown)


def _measurement(handshake: Handshake) -> Measurement:
    observation = handshake.observation
    endpoint = observation.endpoint
    sni = observation.sni
    return Measurement(
        target=target_of(sni or endpoint.ip, endpoint.port, "server_name", sni=sni),
        vantage=Vantage(id="pcap", kind="pcap"),
        started_at=epoch_time(handshake.started, Wording("the packet's time")),
        tls=(observation,),
        runtime_s=observation.t,
    )
