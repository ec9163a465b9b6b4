"""The server's side of a handshake, read as a third party reads it: in the clear, or with the key log."""

import zlib
from collections.abc import Mapping

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Alert
from kzmitm.ooni.capture.hello import selected_version
from kzmitm.ooni.capture.records import Messages, Record, Records
from kzmitm.wire.chain import read_chain, salvage_chain
from kzmitm.wire.flow12 import RETRY_RANDOM
from kzmitm.wire.iana import alerts
from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.iana.messages import (
    ALERT,
    APPLICATION_DATA,
    CERTIFICATE,
    CHANGE_CIPHER_SPEC,
    ENCRYPTED_EXTENSIONS,
    HANDSHAKE,
    SERVER_HELLO,
)
from kzmitm.wire.iana.suites import suite_name
from kzmitm.wire.iana.versions import TLS13, version_name
from kzmitm.wire.limits import (
    MAX_CERTIFICATE_MESSAGE,
    MAX_EXTENSIONS,
    MAX_FIRST_BYTES,
    MESSAGE_HEADER,
    RECORD_HEADER,
)
from kzmitm.wire.parsing import extensions, uint16, vector, whole_vector
from kzmitm.wire.schedule import SUITES, Protection
from kzmitm.wire.session import Findings
from kzmitm.wire.violation import ViolationError
from kzmitm.wording import Wording

_FINISHED = 20
_COMPRESSED_CERTIFICATE = 25
_ZLIB = 1
"""Of RFC 8879; the standard library of Python knows no other of its algorithms."""
_PRE_SHARED_KEY = 41
_RESUMED = Wording("an earlier session goes on, in which no certificates are sent")


class ServerSide:
    """Takes the server's octets and notes in `findings` what they say.

    `is_over` is set when nothing more is to be learnt.
    """

    def __init__(self, findings: Findings, random: bytes, keys: Mapping[bytes, bytes]) -> None:
        self.is_over = False
        self.hides_chain = False
        """An earlier session goes on, in which no certificates are sent, or they are encrypted: no fault of
        anybody, and the detail says which."""
        self._findings = findings
        self._secret = keys.get(random, b"")
        self._records = Records()
        self._messages = Messages()
        self._version = 0
        self._suite = 0
        self._protection: Protection | None = None

    def feed(self, octets: bytes) -> None:
        findings = self._findings
        if len(findings.first_bytes) < MAX_FIRST_BYTES and not self._version:
            findings.first_bytes += octets[: MAX_FIRST_BYTES - len(findings.first_bytes)]
        try:
            for record in self._records.feed(octets):
                if self.is_over:
                    return
                self._read(record)
        except ViolationError as exc:
            self._end(None if findings.chain else Failure.SSL_FAILED_HANDSHAKE, exc.detail)

    def cut_off(self) -> None:
        """Nothing more will come: keep the certificates of a message that broke off."""
        pending = self._messages.rest
        rest = self._records.rest
        if self._protection is None and rest[:1] == bytes((HANDSHAKE,)):
            pending += rest[RECORD_HEADER:]
        if not self._findings.chain and len(pending) > MESSAGE_HEADER and pending[0] == CERTIFICATE:
            salvage_chain(pending, self._findings, tls13=self._version == TLS13)

    def _end(self, failure: str | None, detail: str = "") -> None:
        self.is_over = True
        self._findings.end(failure, detail)

    def _read(self, record: Record) -> None:
        kind, body = record.kind, record.body
        if self._version == TLS13 and kind == APPLICATION_DATA:
            if self._protection is None:
                self._hide(Wording("the certificates are encrypted, and no key of theirs is there"))
                return
            try:
                kind, body = self._protection.open(record.header, body)
            except ViolationError:
                self._hide(Wording("the key log has another key than the one in use"))
                return
        elif kind == APPLICATION_DATA:
            self._end(None)
        if kind == ALERT:
            self._read_alert(body)
        elif kind == HANDSHAKE:
            for message in self._messages.feed(body):
                self._read_message(message)
        elif kind == CHANGE_CIPHER_SPEC and 0 < self._version < TLS13:
            if self._findings.chain:
                self._end(None)
            else:
                self._hide(_RESUMED)

    def _hide(self, detail: str) -> None:
        self.hides_chain = True
        self._end(None, detail)

    def _read_alert(self, body: bytes) -> None:
        if len(body) != 2:
            raise ViolationError(Wording("an alert is not of two octets"))
        level, description = body
        findings = self._findings
        findings.alerts.append(Alert(level, description))
        if level == alerts.WARNING and description != alerts.CLOSE_NOTIFY:
            return
        failures = {
            alerts.CLOSE_NOTIFY: Failure.EOF,
            alerts.UNRECOGNIZED_NAME: Failure.SSL_INVALID_HOSTNAME,
        }
        text = f"alert {description} ({alerts.alert_name(description)})"
        self._end(failures.get(description, Failure.SSL_FAILED_HANDSHAKE), text)

    def _read_message(self, message: bytes) -> None:
        kind = message[0]
        is_tls13 = self._version == TLS13
        if kind == SERVER_HELLO:
            self._read_hello(message)
        elif kind == ENCRYPTED_EXTENSIONS:
            self._take_extensions(extensions(whole_vector(message, MESSAGE_HEADER, 2)))
        elif kind == CERTIFICATE:
            read_chain(message, self._findings, tls13=is_tls13)
        elif kind == _COMPRESSED_CERTIFICATE:
            self._read_compressed(message)
        elif kind == _FINISHED and is_tls13:
            self._end(None)

    def _read_hello(self, message: bytes) -> None:
        random_end = MESSAGE_HEADER + 34
        version = uint16(message, MESSAGE_HEADER)
        _, at = vector(message, random_end, 1)
        suite = uint16(message, at)
        found = extensions(whole_vector(message, at + 3, 2)) if len(message) > at + 3 else {}
        if message[MESSAGE_HEADER + 2 : random_end] == RETRY_RANDOM:
            return
        if ext.SUPPORTED_VERSIONS in found:
            version = selected_version(found[ext.SUPPORTED_VERSIONS])
        self._version, self._suite = version, suite
        findings = self._findings
        findings.version_name, findings.suite_name = version_name(version), suite_name(suite)
        self._take_extensions(found)
        if version == TLS13:
            if _PRE_SHARED_KEY in found:
                self._hide(_RESUMED)
            elif self._secret and suite in SUITES:
                self._protection = Protection(SUITES[suite], self._secret)

    def _take_extensions(self, found: dict[int, bytes]) -> None:
        findings = self._findings
        findings.server_extensions = (*findings.server_extensions, *found)[:MAX_EXTENSIONS]
        if ext.ALPN in found:
            name, _ = vector(whole_vector(found[ext.ALPN], 0, 2), 0, 1)
            findings.alpn = name.decode("ascii", "backslashreplace")

    def _read_compressed(self, message: bytes) -> None:
        """RFC 8879: algorithm, length, and the Certificate message without its header."""
        algorithm, length = uint16(message, MESSAGE_HEADER), int.from_bytes(message[6:9], "big")
        packed = whole_vector(message, MESSAGE_HEADER + 5, 3)
        if algorithm != _ZLIB or length > MAX_CERTIFICATE_MESSAGE:
            self._hide(
                Wording(
                    "the certificates are packed in a way that is not read (algorithm {algorithm})",
                    algorithm=algorithm,
                )
            )
            return
        try:
            body = zlib.decompressobj().decompress(packed, length + 1)
        except zlib.error:
            raise ViolationError(Wording("compressed certificates do not unpack")) from None
        if len(body) != length:
            raise ViolationError(Wording("compressed certificates have another length than told"))
        header = bytes((CERTIFICATE,)) + length.to_bytes(3, "big")
        read_chain(header + body, self._findings, tls13=True)
