"""The TLS handshakes in the TCP segments of a capture: each connection followed until it is over.

Of the two ends only the server's address is kept, the side that does not send the ClientHello.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Alert, Hello, Role, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.ooni.capture.hello import ClientHello, read_hello
from kzmitm.ooni.capture.records import Messages, Records
from kzmitm.ooni.capture.server import ServerSide
from kzmitm.ooni.capture.stream import Stream
from kzmitm.wire.iana.messages import ALERT, CLIENT_HELLO, HANDSHAKE
from kzmitm.wire.segment import FIN, RST, SYN, Segment
from kzmitm.wire.session import Findings
from kzmitm.wire.violation import ViolationError
from kzmitm.wording import Wording

MAX_CONNECTIONS = 4096
"""Connections followed at once; the one that was silent for longest is told as far as it went."""
MAX_OCTETS = 1 << 20
"""Of one direction: a handshake is below 300 KiB."""
SILENCE_S = 10.0
"""A server that says nothing for so long will not: OONI's probes wait as long for a handshake."""

_HANDSHAKE_START = b"\x16\x03"


@dataclass(frozen=True, slots=True)
class Handshake:
    """One handshake; `t` of the observation counts from `started`, seconds since 1970."""

    observation: TLSObservation
    started: float
    number: int
    """Of the packet that the ClientHello begins in."""
    is_whole: bool
    """The certificates are all that were sent, or a failure says why there are none."""
    hides_chain: bool


class Connections:
    """Takes segments and gives handshakes that are over."""

    def __init__(self, keys: Mapping[bytes, bytes]) -> None:
        self._keys = keys
        self._open: OrderedDict[tuple[tuple[str, int], ...], _Connection] = OrderedDict()
        self._over: OrderedDict[tuple[tuple[str, int], ...], None] = OrderedDict()
        """Those of which nothing more is to be learnt, until they are opened again."""
        self._now = 0.0

    def take(self, segment: Segment) -> Iterator[Handshake]:
        """The handshakes that are over with this segment."""
        self._now = max(self._now, segment.t)
        key = tuple(sorted((segment.source, segment.target)))
        if key in self._over:
            if not segment.flags & SYN:
                return
            del self._over[key]
        connection = self._open.get(key)
        if segment.flags & SYN and connection is not None and connection.is_another(segment):
            yield from self._finish(key)
            del self._over[key]
            connection = None
        if connection is None:
            if not segment.payload and not segment.flags & SYN:
                return
            connection = self._open[key] = _Connection(self._keys)
        self._open.move_to_end(key)
        connection.take(segment)
        if connection.is_over:
            yield from self._finish(key)
        elif len(self._open) > MAX_CONNECTIONS:
            yield from self._finish(next(iter(self._open)))

    def end(self) -> Iterator[Handshake]:
        """Those that were not over when the capture ended."""
        while self._open:
            yield from self._finish(next(iter(self._open)))

    def _finish(self, key: tuple[tuple[str, int], ...]) -> Iterator[Handshake]:
        self._over[key] = None
        if len(self._over) > MAX_CONNECTIONS:
            self._over.popitem(last=False)
        found = self._open.pop(key).result(self._now)
        if found is not None:
            yield found


class _Connection:
    """Both directions; which is the client's is known from its hello."""

    def __init__(self, keys: Mapping[bytes, bytes]) -> None:
        self.is_over = False
        self._keys = keys
        self._streams: dict[tuple[str, int], Stream] = {}
        self._octets: dict[tuple[str, int], int] = {}
        self._early: dict[tuple[str, int], bytes] = {}
        """What came before the ClientHello was whole."""
        self._isn: int | None = None
        self._server_end: tuple[str, int] | None = None
        self._hello: ClientHello | None = None
        self._findings: Findings | None = None
        self._server: ServerSide | None = None
        self._client_records = Records()
        self._client_messages = Messages()
        self._started = 0.0
        self._number = 0
        self._last = 0.0
        self._heard = False
        """The server sent something."""
        self._ended_by_server: str | None = None

    def is_another(self, syn: Segment) -> bool:
        """The SYN opens another connection between the same ends."""
        return self._isn is not None and syn.source in self._streams and syn.seq != self._isn

    def take(self, segment: Segment) -> None:
        stream = self._streams.setdefault(segment.source, Stream())
        seq = segment.seq
        if segment.flags & SYN:
            if self._isn is None:
                self._isn = seq
            stream.begin(seq + 1)
            seq += 1
        octets = stream.take(seq, segment.payload)
        if octets:
            total = self._octets[segment.source] = self._octets.get(segment.source, 0) + len(octets)
            self._give(segment, octets)
            if total > MAX_OCTETS:
                self.is_over = True
        if segment.flags & FIN:
            stream.end(seq + len(segment.payload) + segment.missing)
        if stream.is_ended or segment.flags & RST:
            self._take_end(segment)

    def _give(self, segment: Segment, octets: bytes) -> None:
        if self._server is None:
            early = self._early[segment.source] = self._early.get(segment.source, b"") + octets
            if early[:2] != _HANDSHAKE_START[: len(early)]:
                self.is_over = True  # no TLS from its first octet: nothing to be told
            elif early[5:6] in (b"", bytes((CLIENT_HELLO,))):
                self._read_client(segment, octets)
        elif segment.source == self._server_end:
            self._heard = True
            self._last = segment.t
            self._server.feed(octets)
            self.is_over = self._server.is_over
        else:
            self._read_alert(octets)

    def _read_client(self, segment: Segment, octets: bytes) -> None:
        """Follow the side that says hello until its hello is whole."""
        if self._server_end is None:
            self._server_end = segment.target
            self._started, self._number = segment.t, segment.number
        try:
            for record in self._client_records.feed(octets):
                for message in self._client_messages.feed(record.body if record.kind == HANDSHAKE else b""):
                    self._begin(read_hello(message))
                    return
        except ViolationError:
            self.is_over = True

    def _begin(self, hello: ClientHello) -> None:
        self._hello = hello
        self._findings = Findings(hello.sni, Hello(profile="", engine="", size=hello.size))
        self._server = ServerSide(self._findings, hello.random, self._keys)
        early = self._early.get(self._server_end, b"") if self._server_end else b""
        self._early.clear()
        if early:
            self._heard = True
            self._server.feed(early)
            self.is_over = self._server.is_over

    def _read_alert(self, octets: bytes) -> None:
        """An alert of the client in the clear says why it gave up."""
        assert self._findings is not None  # noqa: S101 - set with the server's side
        try:
            for record in self._client_records.feed(octets):
                if record.kind == ALERT and len(record.body) == 2:
                    self._findings.alerts.append(Alert(record.body[0], record.body[1], sent=True))
        except ViolationError:
            return

    def _take_end(self, segment: Segment) -> None:
        """A direction is over, all of it, or the connection is reset."""
        is_reset = bool(segment.flags & RST)
        if self._server is not None and segment.source == self._server_end:
            self._last = segment.t
            ended = Failure.CONNECTION_RESET if is_reset else Failure.EOF
            self._ended_by_server = self._ended_by_server or ended
            self.is_over = True
        elif is_reset:
            self.is_over = True

    def result(self, now: float) -> Handshake | None:
        """What the handshake came to; None if there was no ClientHello."""
        findings, server, end = self._findings, self._server, self._server_end
        if findings is None or server is None or end is None:
            return None
        gap = any(stream.has_gap or stream.is_lost for stream in self._streams.values())
        server.cut_off()
        if not server.is_over:
            self._explain(findings, now, gap=gap)
        if findings.chain or findings.version_name:
            findings.first_bytes = b""
        observation = findings.observation(
            endpoint=Endpoint(*end),
            role=Role.FIRST,
            t0=0.0,
            t=max(0.0, self._last - self._started),
            transaction_id=1,
            events=(),
        )
        is_whole = bool(findings.chain) and not findings.chain_truncated
        is_known = is_whole or (not findings.chain and findings.failure is not None)
        return Handshake(observation, self._started, self._number, is_known, server.hides_chain)

    def _explain(self, findings: Findings, now: float, *, gap: bool) -> None:
        """Why the handshake ended before its end, as far as the packets tell."""
        gave_up = any(alert.sent for alert in findings.alerts)
        if gap:
            findings.end(None, Wording("segments are missing in the capture"))
        elif gave_up:
            findings.end(None, Wording("the client gave up"))
        elif self._ended_by_server is not None:
            findings.end(self._ended_by_server, Wording("the server's side ended it"))
        elif not self._heard and now - self._started >= SILENCE_S:
            findings.end(
                Failure.GENERIC_TIMEOUT,
                Wording("no answer for {silence_s} seconds", silence_s=f"{SILENCE_S:.0f}"),
            )
        else:
            findings.end(None, Wording("the capture holds no end of it"))
