"""From octets to handshake messages: records, fragments, alerts, and the limits on all of them."""

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Alert, NetworkEvent
from kzmitm.wire.chain import salvage_chain
from kzmitm.wire.iana import alerts
from kzmitm.wire.iana.alerts import ILLEGAL_PARAMETER, RECORD_OVERFLOW, UNEXPECTED_MESSAGE
from kzmitm.wire.iana.messages import (
    ALERT,
    APPLICATION_DATA,
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CHANGE_CIPHER_SPEC,
    CONTENT_NAMES,
    HANDSHAKE,
    HELLO_REQUEST,
    MESSAGE_NAMES,
)
from kzmitm.wire.iana.versions import TLS12, TLS13
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
from kzmitm.wire.session import Session
from kzmitm.wire.violation import ViolationError

_MESSAGE_LIMITS = {CERTIFICATE: MAX_CERTIFICATE_MESSAGE, CERTIFICATE_REQUEST: MAX_CERTIFICATE_REQUEST}
_EVENTS = {kind: f"record_read_{name}" for kind, name in CONTENT_NAMES.items()}


class FlightReader:
    """Takes the server's flight apart and gives each message to the handler that expects it.

    `feed` raises ViolationError when the server breaks the protocol or a limit. `head` is the beginning
    of what came, `events` the records if they are logged.
    """

    __slots__ = (
        "_buffer",
        "_empty_records",
        "_log",
        "_need",
        "_pending",
        "_received",
        "_records",
        "_session",
        "_warnings",
        "events",
        "head",
    )

    def __init__(self, session: Session, *, log: bool) -> None:
        self._session = session
        self._log = log
        self.events: list[NetworkEvent] = []
        self.head = b""
        self._buffer = bytearray()
        """A record that is not complete."""
        self._pending = bytearray()
        """A handshake message that is not complete."""
        self._need = 0
        """Octets that `_pending` must have before it is worth a look."""
        self._received = 0
        self._records = 0
        self._empty_records = 0
        self._warnings = 0

    def feed(self, data: bytes, t: float) -> None:
        """Take what arrived."""
        if len(self.head) < MAX_FIRST_BYTES:
            self.head += data[: MAX_FIRST_BYTES - len(self.head)]
        self._received += len(data)
        buffer = self._buffer
        if buffer:
            buffer += data
            if len(buffer) >= _wanted(buffer):
                data = bytes(buffer)
                buffer.clear()
                self._read_records(data, t)
        else:
            self._read_records(data, t)
        if self._received > MAX_RECEIVED and not self._session.findings.done:
            raise ViolationError(f"more than {MAX_RECEIVED} octets came", RECORD_OVERFLOW)

    def cut_off(self) -> None:
        """Nothing more will come: keep the certificates of a message that broke off."""
        session = self._session
        if CERTIFICATE not in session.expected:
            return
        pending = self._pending
        if session.keys is None and self._buffer and self._buffer[0] == HANDSHAKE:
            pending += self._buffer[RECORD_HEADER:]
        if len(pending) > MESSAGE_HEADER and pending[0] == CERTIFICATE:
            self._keep_fitting(bytes(pending))

    def is_not_tls(self) -> bool:
        """Whether fewer octets than a record's header came, and not those of one."""
        head = self.head
        if not head or len(head) >= RECORD_HEADER:
            return False
        return head[0] not in CONTENT_NAMES or head[1:2] not in (b"", b"\x03")

    # Records

    def _read_records(self, data: bytes, t: float) -> None:
        offset, end = 0, len(data)
        findings = self._session.findings
        while end - offset >= RECORD_HEADER and not findings.done:
            kind = data[offset]
            start = offset + RECORD_HEADER
            stop = start + (data[offset + 3] << 8 | data[offset + 4])
            if kind not in CONTENT_NAMES or data[offset + 1] != 3:
                raise ViolationError("what came is not TLS", UNEXPECTED_MESSAGE)
            if stop - start > MAX_PROTECTED:
                raise ViolationError(f"a record of {stop - start} octets", RECORD_OVERFLOW)
            if stop > end:
                break
            if self._log:
                self.events.append(NetworkEvent(_EVENTS[kind], t, stop - offset))
            self._read_record(kind, data[offset:start], data[start:stop])
            offset = stop
        if offset < end:
            self._buffer += data[offset:]

    def _read_record(self, kind: int, header: bytes, body: bytes) -> None:
        self._records += 1
        if self._records > MAX_RECORDS:
            raise ViolationError(f"more than {MAX_RECORDS} records came", UNEXPECTED_MESSAGE)
        keys = self._session.keys
        protected = False
        if keys is not None and kind == APPLICATION_DATA:
            protected = True
            kind, body = keys.server.open(header, body)
        if not 0 < len(body) <= MAX_PLAINTEXT:
            self._odd_size(len(body))
        if kind == HANDSHAKE and protected is (keys is not None):
            self._read_fragment(body)
        elif kind == ALERT:
            self._read_alert(body)
        elif kind == CHANGE_CIPHER_SPEC and not protected:
            self._read_change_cipher_spec(body)
        else:
            raise ViolationError(f"a record of type {kind} has no place here", UNEXPECTED_MESSAGE)

    def _odd_size(self, size: int) -> None:
        if size:
            raise ViolationError(f"a record of {size} octets", RECORD_OVERFLOW)
        self._empty_records += 1
        if self._empty_records > MAX_EMPTY_RECORDS:
            raise ViolationError(f"more than {MAX_EMPTY_RECORDS} empty records", UNEXPECTED_MESSAGE)

    def _read_change_cipher_spec(self, body: bytes) -> None:
        """Dropped in TLS 1.3 (RFC 8446, 5); before that it would skip the key exchange."""
        session = self._session
        session.change_cipher_specs += 1
        before13 = 0 < session.version <= TLS12
        if body != b"\x01" or before13 or session.change_cipher_specs > MAX_CHANGE_CIPHER_SPEC:
            raise ViolationError("a ChangeCipherSpec has no place here", UNEXPECTED_MESSAGE)

    def _read_alert(self, body: bytes) -> None:
        if len(body) != 2:
            raise ViolationError("an alert is not of two octets")
        level, description = body
        session = self._session
        findings = session.findings
        findings.alerts.append(Alert(level, description))
        text = f"alert {description} ({alerts.alert_name(description)}) of level {level}"
        # In TLS 1.3 every alert but these two ends the handshake whatever its level (RFC 8446, 6).
        minor = level == alerts.WARNING and (session.version != TLS13 or description == alerts.USER_CANCELED)
        if description == alerts.CLOSE_NOTIFY:
            failure = Failure.EOF
        elif minor:
            self._warnings += 1
            if self._warnings > MAX_WARNINGS:
                raise ViolationError(f"more than {MAX_WARNINGS} warning alerts", UNEXPECTED_MESSAGE)
            return
        elif description == alerts.UNRECOGNIZED_NAME:
            failure = Failure.SSL_INVALID_HOSTNAME
        else:
            failure = Failure.SSL_FAILED_HANDSHAKE
        self.cut_off()
        session.end(failure, text)

    # Handshake messages

    def _read_fragment(self, payload: bytes) -> None:
        pending = self._pending
        if pending:
            pending += payload
            if len(pending) < self._need:
                return
            payload = bytes(pending)
            pending.clear()
        offset, end = 0, len(payload)
        findings = self._session.findings
        while offset < end and not findings.done:
            stop = self._message_end(payload, offset)
            if stop > end:
                self._need = stop - offset
                pending += payload[offset:]
                return
            self._read_message(payload[offset:stop], last=stop == end)
            offset = stop

    def _message_end(self, payload: bytes, offset: int) -> int:
        """Where the message at `offset` ends, or its limit if it is longer than that."""
        body = offset + MESSAGE_HEADER
        if len(payload) < body:
            return body
        kind = payload[offset]
        length = int.from_bytes(payload[offset + 1 : body], "big")
        session = self._session
        if kind not in session.expected and (kind != HELLO_REQUEST or session.version > TLS12):
            name = MESSAGE_NAMES.get(kind, f"message of type {kind}")
            raise ViolationError(f"a {name} has no place here", UNEXPECTED_MESSAGE)
        if length <= MAX_MESSAGE:
            return body + length
        limit = _MESSAGE_LIMITS.get(kind, MAX_MESSAGE)
        if length > limit and kind != CERTIFICATE:
            raise ViolationError(f"a {MESSAGE_NAMES[kind]} of {length} octets", ILLEGAL_PARAMETER)
        return body + min(length, limit)

    def _read_message(self, message: bytes, *, last: bool) -> None:
        session = self._session
        kind = message[0]
        if len(message) == MESSAGE_HEADER + MAX_CERTIFICATE_MESSAGE:
            self._refuse_long(message)
        if kind == HELLO_REQUEST:
            session.hello_requests += 1
            if session.hello_requests > MAX_HELLO_REQUESTS:
                raise ViolationError(f"more than {MAX_HELLO_REQUESTS} HelloRequests", UNEXPECTED_MESSAGE)
            return
        keys = session.keys
        session.expected[kind](session, message)
        if not last and (session.keys is not keys or session.outgoing):
            raise ViolationError("octets follow a ServerHello in its record", UNEXPECTED_MESSAGE)

    def _refuse_long(self, message: bytes) -> None:
        """A certificate message of the greatest length, or one that was cut to it."""
        declared = int.from_bytes(message[1:MESSAGE_HEADER], "big")
        if declared > MAX_CERTIFICATE_MESSAGE:
            self._keep_fitting(message)
            raise ViolationError(f"a certificate of {declared} octets", ILLEGAL_PARAMETER)

    def _keep_fitting(self, message: bytes) -> None:
        salvage_chain(message, self._session.findings, tls13=self._session.version == TLS13)


def _wanted(buffer: bytearray) -> int:
    """Octets of the record that begins with `buffer`."""
    if len(buffer) < RECORD_HEADER:
        return RECORD_HEADER
    # An oversized one is looked at at once, to be refused.
    return RECORD_HEADER + min(buffer[3] << 8 | buffer[4], MAX_PROTECTED)
