"""Our own TLS client: it learns what a server presents, checks its signature over our nonce, and leaves."""

import os

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Alert, Hello, NetworkEvent, Role, Split, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.wire.chain import salvage_chain
from kzmitm.wire.flow12 import EXPECT_HELLO
from kzmitm.wire.hello import ClientHello, encode_sni
from kzmitm.wire.iana import alerts, messages
from kzmitm.wire.iana.alerts import ILLEGAL_PARAMETER, RECORD_OVERFLOW, UNEXPECTED_MESSAGE
from kzmitm.wire.iana.versions import TLS12, TLS13
from kzmitm.wire.keyshare import Random
from kzmitm.wire.limits import (
    MAX_CERTIFICATE_MESSAGE,
    MAX_CERTIFICATE_REQUEST,
    MAX_CHANGE_CIPHER_SPEC,
    MAX_EMPTY_RECORDS,
    MAX_FIRST_BYTES,
    MAX_HELLO_REQUESTS,
    MAX_MESSAGE,
    MAX_PLAINTEXT,
    MAX_PROTECTED,
    MAX_RECEIVED,
    MAX_RECORDS,
    MAX_WARNINGS,
    MESSAGE_HEADER,
    RECORD_HEADER,
)
from kzmitm.wire.profiles import HelloProfile
from kzmitm.wire.session import Findings, Session
from kzmitm.wire.violation import ViolationError

_CHANGE_CIPHER_SPEC_RECORD = b"\x14\x03\x03\x00\x01\x01"
_MESSAGE_LIMITS = {
    messages.CERTIFICATE: MAX_CERTIFICATE_MESSAGE,
    messages.CERTIFICATE_REQUEST: MAX_CERTIFICATE_REQUEST,
}
_CANCELED = Alert(alerts.WARNING, alerts.USER_CANCELED, sent=True)
_CLOSED = Alert(alerts.WARNING, alerts.CLOSE_NOTIFY, sent=True)
_EVENTS = {kind: f"record_read_{name}" for kind, name in messages.CONTENT_NAMES.items()}


class TLSClient:
    """A HandshakeDriver that stops once it has the chain and the server's signature.

    Offers what `profile` says; see kzmitm.wire.flow12 and flow13 for what it reads. `rng` gives all
    random octets, secrets included: replace it in tests only. With `log_records` every TLS record
    received becomes an event of the observation.
    """

    __slots__ = (
        "_buffer",
        "_empty_records",
        "_events",
        "_findings",
        "_head",
        "_hello",
        "_log_records",
        "_need",
        "_pending",
        "_received",
        "_records",
        "_session",
        "_split",
        "_start",
        "_warnings",
    )

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
        self._head = b""
        self._buffer = bytearray()
        self._pending = bytearray()
        self._need = 0
        self._received = 0
        self._records = 0
        self._empty_records = 0
        self._warnings = 0
        self._log_records = log_records
        self._events: list[NetworkEvent] = []

    @property
    def done(self) -> bool:
        return self._findings.done

    def start(self) -> tuple[bytes, ...]:
        return self._start

    def receive(self, data: bytes, t: float) -> bytes:
        findings = self._findings
        if findings.done:
            return b""
        if len(self._head) < MAX_FIRST_BYTES:
            self._head += data[: MAX_FIRST_BYTES - len(self._head)]
        try:
            self._feed(data, t)
        except ViolationError as violation:
            return self._break_off(violation)
        if self.done:
            return self._leave()
        if self._session.outgoing:
            return self._send_hello_again()
        return b""

    def receive_eof(self, t: float) -> None:
        if not self.done and 0 < len(self._buffer) < RECORD_HEADER and not _may_be_tls(bytes(self._buffer)):
            self._findings.first_bytes = self._head
            self.fail(Failure.SSL_FAILED_HANDSHAKE, t, "what came is not TLS")
        self.fail(Failure.EOF, t, "the server closed")

    def fail(self, failure: str, t: float, detail: str = "") -> None:
        del t
        if not self.done:
            self._salvage()
            self._findings.end(failure, detail)

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
        if self._events:
            events = tuple(sorted((*events, *self._events), key=lambda event: event.t))
        return self._findings.observation(
            endpoint=endpoint, role=role, t0=t0, t=t, transaction_id=transaction_id, events=events
        )

    # Records

    def _feed(self, data: bytes, t: float) -> None:
        self._received += len(data)
        buffer = self._buffer
        if buffer:
            buffer += data
            if len(buffer) < RECORD_HEADER + (buffer[3] << 8 | buffer[4] if len(buffer) > 4 else 0):
                return self._check_received()
            data = bytes(buffer)
            buffer.clear()
        offset, end = 0, len(data)
        findings = self._findings
        while end - offset >= RECORD_HEADER and not findings.done:
            length = data[offset + 3] << 8 | data[offset + 4]
            self._check_header(data[offset], data[offset + 1], length)
            start = offset + RECORD_HEADER
            stop = start + length
            if stop > end:
                break
            if self._log_records:
                self._events.append(NetworkEvent(_EVENTS[data[offset]], t, stop - offset))
            self._record(data[offset], data[offset:start], data[start:stop])
            offset = stop
        buffer += data[offset:]
        return self._check_received()

    def _check_received(self) -> None:
        if self._received > MAX_RECEIVED and not self.done:
            raise ViolationError(f"more than {MAX_RECEIVED} octets came", RECORD_OVERFLOW)

    def _check_header(self, kind: int, major: int, length: int) -> None:
        if major != 3 or kind not in messages.CONTENT_NAMES:
            raise ViolationError("what came is not TLS", UNEXPECTED_MESSAGE)
        if length > MAX_PROTECTED:
            raise ViolationError(f"a record of {length} octets", RECORD_OVERFLOW)
        self._records += 1
        if self._records > MAX_RECORDS:
            raise ViolationError(f"more than {MAX_RECORDS} records came", UNEXPECTED_MESSAGE)

    def _record(self, kind: int, header: bytes, body: bytes) -> None:
        keys = self._session.keys
        protected = keys is not None and kind == messages.APPLICATION_DATA
        if protected and keys is not None:
            kind, body = keys.server.open(header, body)
        if len(body) > MAX_PLAINTEXT:
            raise ViolationError(f"a record of {len(body)} octets", RECORD_OVERFLOW)
        if not body:
            self._empty_records += 1
            if self._empty_records > MAX_EMPTY_RECORDS:
                raise ViolationError(f"more than {MAX_EMPTY_RECORDS} empty records", UNEXPECTED_MESSAGE)
        if kind == messages.HANDSHAKE and protected is (keys is not None):
            self._fragment(body)
        elif kind == messages.ALERT:
            self._alert(body)
        elif kind == messages.CHANGE_CIPHER_SPEC and not protected:
            self._change_cipher_spec(body)
        else:
            raise ViolationError(f"a record of type {kind} has no place here", UNEXPECTED_MESSAGE)

    def _change_cipher_spec(self, body: bytes) -> None:
        """Dropped in TLS 1.3 (RFC 8446, 5); before that it would skip the key exchange."""
        session = self._session
        session.change_cipher_specs += 1
        known12 = 0 < session.version <= TLS12
        if body != b"\x01" or known12 or session.change_cipher_specs > MAX_CHANGE_CIPHER_SPEC:
            raise ViolationError("a ChangeCipherSpec has no place here", UNEXPECTED_MESSAGE)

    def _alert(self, body: bytes) -> None:
        if len(body) != 2:
            raise ViolationError("an alert is not of two octets")
        level, description = body
        findings = self._findings
        findings.alerts.append(Alert(level, description))
        text = f"alert {description} ({alerts.alert_name(description)}) of level {level}"
        passing = level == alerts.WARNING and (
            self._session.version != TLS13 or description == alerts.USER_CANCELED
        )
        if description == alerts.CLOSE_NOTIFY:
            self.fail(Failure.EOF, 0.0, text)
        elif passing:
            self._warnings += 1
            if self._warnings > MAX_WARNINGS:
                raise ViolationError(f"more than {MAX_WARNINGS} warning alerts", UNEXPECTED_MESSAGE)
        elif description == alerts.UNRECOGNIZED_NAME:
            self.fail(Failure.SSL_INVALID_HOSTNAME, 0.0, text)
        else:
            self.fail(Failure.SSL_FAILED_HANDSHAKE, 0.0, text)

    # Handshake messages

    def _fragment(self, payload: bytes) -> None:
        pending = self._pending
        if pending:
            pending += payload
            if len(pending) < self._need:
                return
            payload = bytes(pending)
            pending.clear()
        offset, end = 0, len(payload)
        while offset < end and not self._findings.done:
            stop = self._message_end(payload, offset)
            if stop > end:
                self._need = stop - offset
                pending += payload[offset:]
                return
            self._message(payload[offset:stop], last=stop == end)
            offset = stop

    def _message_end(self, payload: bytes, offset: int) -> int:
        """Where the message at `offset` ends, or its limit if it is longer than that."""
        body = offset + MESSAGE_HEADER
        if len(payload) < body:
            return body
        kind = payload[offset]
        length = int.from_bytes(payload[offset + 1 : body], "big")
        self._check_expected(kind)
        limit = _MESSAGE_LIMITS.get(kind, MAX_MESSAGE)
        if length > limit and kind != messages.CERTIFICATE:
            raise ViolationError(f"a {messages.MESSAGE_NAMES[kind]} of {length} octets", ILLEGAL_PARAMETER)
        return body + min(length, limit)

    def _check_expected(self, kind: int) -> None:
        session = self._session
        if kind in session.expected or (kind == messages.HELLO_REQUEST and session.version <= TLS12):
            return
        name = messages.MESSAGE_NAMES.get(kind, f"message of type {kind}")
        raise ViolationError(f"a {name} has no place here", UNEXPECTED_MESSAGE)

    def _message(self, message: bytes, *, last: bool) -> None:
        session = self._session
        kind = message[0]
        declared = MESSAGE_HEADER + int.from_bytes(message[1:MESSAGE_HEADER], "big")
        if declared != len(message):
            self._keep_fitting(message)
            raise ViolationError(f"a certificate message of {declared} octets", ILLEGAL_PARAMETER)
        if kind == messages.HELLO_REQUEST:
            session.hello_requests += 1
            if session.hello_requests > MAX_HELLO_REQUESTS:
                raise ViolationError(f"more than {MAX_HELLO_REQUESTS} HelloRequests", UNEXPECTED_MESSAGE)
            return
        keys = session.keys
        session.expected[kind](session, message)
        if not last and (session.keys is not keys or session.outgoing):
            raise ViolationError("octets follow a ServerHello in its record", UNEXPECTED_MESSAGE)

    def _salvage(self) -> None:
        """Keep the certificates of a message that broke off."""
        pending = self._pending
        expected = messages.CERTIFICATE in self._session.expected
        if expected and len(pending) > MESSAGE_HEADER and pending[0] == messages.CERTIFICATE:
            self._keep_fitting(bytes(pending))

    def _keep_fitting(self, message: bytes) -> None:
        salvage_chain(message, self._findings, tls13=self._session.version == TLS13)

    # What we send

    def _send_hello_again(self) -> bytes:
        session = self._session
        session.outgoing = b""
        records = b"".join(self._hello.segments(self._split))
        return _CHANGE_CIPHER_SPEC_RECORD + records if self._hello.session_id else records

    def _break_off(self, violation: ViolationError) -> bytes:
        if not self._session.version:
            self._findings.first_bytes = self._head
        self.fail(Failure.SSL_FAILED_HANDSHAKE, 0.0, violation.detail)
        alert = Alert(alerts.FATAL, violation.alert, sent=True)
        return self._send_alerts((alert,))

    def _leave(self) -> bytes:
        """RFC 8446, 6.1: user_canceled, then close_notify; nothing after a fatal alert of theirs."""
        if self._findings.failure is not None:
            return b""
        return self._send_alerts((_CANCELED, _CLOSED))

    def _send_alerts(self, sent: tuple[Alert, ...]) -> bytes:
        session = self._session
        self._findings.alerts.extend(sent)
        bodies = [bytes((alert.level, alert.description)) for alert in sent]
        if session.keys is None:
            version = session.version or session.profile.record_version
            header = bytes((messages.ALERT,)) + version.to_bytes(2, "big") + b"\x00\x02"
            return b"".join([header + body for body in bodies])
        protection = session.keys.client()
        records = b"".join([protection.seal(messages.ALERT, body) for body in bodies])
        if session.hello.session_id and not session.retried_suite:
            return _CHANGE_CIPHER_SPEC_RECORD + records
        return records


def _may_be_tls(head: bytes) -> bool:
    """Whether a record can begin like this."""
    return head[0] in messages.CONTENT_NAMES and head[1:2] in (b"", b"\x03")
