"""Our own TLS client: it learns what a server presents, checks its signature over our nonce, and leaves."""

import os

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Alert, Hello, NetworkEvent, Role, Split, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.wire.flow12 import EXPECT_HELLO
from kzmitm.wire.hello import ClientHello, encode_sni
from kzmitm.wire.iana import alerts
from kzmitm.wire.iana.messages import ALERT
from kzmitm.wire.keyshare import Random
from kzmitm.wire.profiles import HelloProfile
from kzmitm.wire.reader import FlightReader
from kzmitm.wire.session import Findings, Session
from kzmitm.wire.violation import ViolationError

_CHANGE_CIPHER_SPEC_RECORD = b"\x14\x03\x03\x00\x01\x01"
_PARTING = (
    Alert(alerts.WARNING, alerts.USER_CANCELED, sent=True),
    Alert(alerts.WARNING, alerts.CLOSE_NOTIFY, sent=True),
)
"""RFC 8446, 6.1, and RFC 5246, 7.2.1: we give up for reasons of our own, and then close."""


class TLSClient:
    """A HandshakeDriver that stops once it has the chain and the server's signature.

    Offers what `profile` says; see kzmitm.wire.flow12 and flow13 for what it reads. `rng` gives all
    random octets, secrets included: replace it in tests only. With `log_records` every TLS record
    received becomes an event of the observation. Raises UsageError for a server name that no
    ClientHello can hold.
    """

    __slots__ = ("_findings", "_hello", "_reader", "_session", "_split", "_start")

    def __init__(
        self,
        *,
        sni: str | None,
        profile: HelloProfile,
        split: Split = Split.NONE,
        alpn: tuple[str, ...] = ("h2", "http/1.1"),
        rng: Random = os.urandom,
        log_records: bool = False,
    ) -> None:
        hello = ClientHello(profile, None if sni is None else encode_sni(sni), alpn, rng)
        self._hello = hello
        self._split = split
        self._start = hello.segments(split)
        size = sum(map(len, self._start))
        self._findings = Findings(sni, Hello(profile.name, "kzmitm", size, split))
        self._session = Session(
            profile=profile,
            hello=hello,
            alpn=alpn,
            rng=rng,
            findings=self._findings,
            expected=EXPECT_HELLO,
        )
        self._reader = FlightReader(self._session, log=log_records)

    @property
    def done(self) -> bool:
        return self._findings.done

    def start(self) -> tuple[bytes, ...]:
        return self._start

    def receive(self, data: bytes, t: float) -> bytes:
        findings = self._findings
        if findings.done:
            return b""
        try:
            self._reader.feed(data, t)
        except ViolationError as violation:
            return self._break_off(violation)
        if self.done:
            return b"" if findings.failure else self._send_alerts(_PARTING)
        return self._send_hello_again() if self._session.outgoing else b""

    def receive_eof(self, t: float) -> None:
        if self._reader.is_not_tls():
            self._break_off(ViolationError("what came is not TLS"))
        self.fail(Failure.EOF, t, "the server closed")

    def fail(self, failure: str, t: float, detail: str = "") -> None:
        del t
        if not self.done:
            self._reader.cut_off()
            self._session.end(failure, detail)

    def observation(
        self,
        *,
        endpoint: Endpoint,
        role: Role,
        t0: float,
        t: float,
        transaction_id: int,
        events: tuple[NetworkEvent, ...] = (),
    ) -> TLSObservation:
        if self._reader.events:
            events = tuple(sorted((*events, *self._reader.events), key=lambda event: event.t))
        return self._findings.observation(
            endpoint=endpoint, role=role, t0=t0, t=t, transaction_id=transaction_id, events=events
        )

    def _send_hello_again(self) -> bytes:
        session = self._session
        session.outgoing = b""
        records = b"".join(self._hello.segments(self._split))
        return _CHANGE_CIPHER_SPEC_RECORD + records if self._hello.session_id else records

    def _break_off(self, violation: ViolationError) -> bytes:
        findings = self._findings
        if not self._session.version and not findings.alerts:
            findings.first_bytes = self._reader.head
        self.fail(Failure.SSL_FAILED_HANDSHAKE, 0.0, violation.detail)
        return self._send_alerts((Alert(alerts.FATAL, violation.alert, sent=True),))

    def _send_alerts(self, sent: tuple[Alert, ...]) -> bytes:
        """Records of alerts, in TLS 1.3 under our handshake keys: without them the server would reset."""
        session = self._session
        self._findings.alerts.extend(sent)
        bodies = [bytes((alert.level, alert.description)) for alert in sent]
        if session.keys is None:
            version = session.version or session.profile.record_version
            header = bytes((ALERT,)) + version.to_bytes(2, "big") + b"\x00\x02"
            return b"".join([header + body for body in bodies])
        protection = session.keys.client()
        records = b"".join([protection.seal(ALERT, body) for body in bodies])
        if session.hello.session_id and not session.retried_suite:
            return _CHANGE_CIPHER_SPEC_RECORD + records
        return records
