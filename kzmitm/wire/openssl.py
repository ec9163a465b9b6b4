"""The second engine: OpenSSL through pyOpenSSL on memory BIOs.

It speaks what ours does not, and is the reference that ours is held against. The hello is OpenSSL's own;
a profile decides its highest version, the order of the suites and whether it has ALPN. It gives no proof
and no server extensions: pyOpenSSL has no way to the raw messages.
"""

import os
from functools import lru_cache

from OpenSSL import SSL, crypto

from kzmitm.errors import UsageError
from kzmitm.model.failure import Failure
from kzmitm.model.observation import Alert, Hello, NetworkEvent, Role, Split, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.wire.hello import cut_hello, encode_sni
from kzmitm.wire.iana import alerts
from kzmitm.wire.iana.extensions import ALPN
from kzmitm.wire.iana.messages import ALERT, CONTENT_NAMES
from kzmitm.wire.iana.suites import FROM_OPENSSL, SUITES, suite_name
from kzmitm.wire.iana.versions import TLS12, version_name
from kzmitm.wire.keyshare import Random
from kzmitm.wire.limits import (
    MAX_FIRST_BYTES,
    MAX_OPENSSL_SNI,
    MAX_PLAINTEXT,
    MAX_RECEIVED,
    MESSAGE_HEADER,
    RECORD_HEADER,
)
from kzmitm.wire.profiles import HelloProfile
from kzmitm.wire.session import Findings

CIPHERS = b":ALL:@SECLEVEL=0"
"""Behind the suites of the profile: whatever else OpenSSL has."""
_READ_SIZE = 1 << 16
_MAX_RECORD = RECORD_HEADER + MAX_PLAINTEXT + 2048
"""With the expansion that TLS 1.2 allows (RFC 5246, 6.2.3)."""
_HEAD_SIZE = 128
"""Octets kept of the beginning: up to the suite of a ServerHello, behind a few warnings."""
_MAX_ALERTS = 16
"""Alerts kept; OpenSSL itself gives up at the fifth warning."""


@lru_cache(maxsize=16)
def _context(profile: HelloProfile, alpn: tuple[str, ...]) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_max_proto_version(profile.highest_version)
    suites = [SUITES[number] for number in profile.cipher_suites if number in SUITES]
    modern = [name for name, same in suites if name == same]
    context.set_cipher_list(":".join([same for name, same in suites if name != same]).encode() + CIPHERS)
    if modern:
        context.set_tls13_ciphersuites(":".join(modern).encode())
    context.set_options(SSL.OP_LEGACY_SERVER_CONNECT)
    context.set_verify(SSL.VERIFY_NONE, None)
    context.set_info_callback(_on_info)
    context.set_ocsp_client_callback(_on_staple)
    if alpn and ALPN in profile.extensions:
        context.set_alpn_protos([name.encode("latin-1") for name in alpn])
    return context


def _on_info(connection: SSL.Connection, where: int, code: int) -> None:
    client = connection.get_app_data()
    if where & SSL.SSL_CB_ALERT:
        client.saw_alert(Alert(code >> 8 & 0xFF, code & 0xFF, sent=not where & SSL.SSL_CB_READ))
    elif where == SSL.SSL_CB_CONNECT_LOOP:
        client.saw_state(connection.get_state_string())


def _on_staple(connection: SSL.Connection, response: bytes, _data: object) -> bool:
    connection.get_app_data().saw_staple(response)
    return True


class OpenSSLClient:
    """A HandshakeDriver on OpenSSL; the same keywords as TLSClient.

    Up to TLS 1.2 it leaves when it would send its key exchange, as ours does; TLS 1.3 it finishes.
    Raises UsageError for a server name that OpenSSL cannot send.
    """

    __slots__ = ("_buffer", "_connection", "_findings", "_head", "_hello_accepted", "_received", "_start")

    def __init__(
        self,
        *,
        sni: str | None,
        profile: HelloProfile,
        split: Split = Split.NONE,
        alpn: tuple[str, ...] = ("h2", "http/1.1"),
        rng: Random = os.urandom,
    ) -> None:
        del rng  # OpenSSL has its own
        name = b"" if sni is None else encode_sni(sni)
        if len(name) > MAX_OPENSSL_SNI or b"\x00" in name:
            raise UsageError("OpenSSL cannot send this server name")
        self._connection = SSL.Connection(_context(profile, alpn), None)
        self._connection.set_app_data(self)
        if name:
            self._connection.set_tlsext_host_name(name)
        self._connection.request_ocsp()
        self._connection.set_connect_state()
        self._findings = Findings(sni, Hello(profile.name, "openssl"))
        self._buffer = bytearray()
        self._head = b""
        self._received = 0
        self._hello_accepted = False
        self._advance()
        record = self._sent()
        version = int.from_bytes(record[1:3], "big")
        self._start = cut_hello(record[RECORD_HEADER:], version, name, split)
        self._findings.hello = Hello(profile.name, "openssl", sum(map(len, self._start)), split)

    @property
    def done(self) -> bool:
        return self._findings.done

    def start(self) -> tuple[bytes, ...]:
        return self._start

    def receive(self, data: bytes, t: float) -> bytes:
        if self.done or not data:
            return b""
        self._head += data[: _HEAD_SIZE - len(self._head)]
        self._received += len(data)
        self._buffer += data
        self._take_records()
        if self._received > MAX_RECEIVED:
            self.fail(Failure.SSL_FAILED_HANDSHAKE, t, f"more than {MAX_RECEIVED} octets came")
        sent = self._sent()
        if sent and not self.done:
            self._look()
            if self._findings.chain:
                return self._leave()
        return sent

    def receive_eof(self, t: float) -> None:
        self.fail(Failure.EOF, t, "the server closed")

    def fail(self, failure: str, t: float, detail: str = "") -> None:
        del t
        if not self.done:
            self._look()
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
        return self._findings.observation(
            endpoint=endpoint, role=role, t0=t0, t=t, transaction_id=transaction_id, events=events
        )

    # What OpenSSL tells in callbacks

    def saw_alert(self, alert: Alert) -> None:
        """An alert came or went."""
        if len(self._findings.alerts) < _MAX_ALERTS:
            self._findings.alerts.append(alert)

    def saw_state(self, state: bytes) -> None:
        """A step of the handshake is over, by OpenSSL's name of it."""
        if state.endswith(b"read server certificate request"):
            self._findings.certificate_requested = True
        elif state.endswith(b"read server hello"):
            self._hello_accepted = True

    def saw_staple(self, response: bytes) -> None:
        """The stapled OCSP response, empty if there was none."""
        self._findings.ocsp_staple = response

    # Inside

    def _take_records(self) -> None:
        """Give OpenSSL one record at a time, so that its state can be read off behind each.

        What cannot be a record goes to it at once, to be refused.
        """
        buffer = self._buffer
        while not self.done and len(buffer) >= RECORD_HEADER:
            size = RECORD_HEADER + (buffer[3] << 8 | buffer[4])
            if buffer[0] not in CONTENT_NAMES or buffer[1] != 3 or size > _MAX_RECORD:
                size = len(buffer)
            if len(buffer) < size:
                return
            self._connection.bio_write(bytes(buffer[:size]))
            del buffer[:size]
            self._advance()

    def _advance(self) -> None:
        """Let OpenSSL go on as far as it can."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self.saw_state(self._connection.get_state_string())
        except SSL.ZeroReturnError:
            self.fail(Failure.EOF, 0.0, "alert 0 (close_notify)")
        except SSL.Error as exc:
            self._failed(exc)
        else:
            self._look()
            self._connection.shutdown()
            self._findings.end(None)

    def _failed(self, exc: SSL.Error) -> None:
        findings = self._findings
        last = findings.alerts[-1] if findings.alerts else None
        if last is not None and not last.sent and last.description == alerts.UNRECOGNIZED_NAME:
            self.fail(Failure.SSL_INVALID_HOSTNAME, 0.0, _reasons(exc))
            return
        self.fail(Failure.SSL_FAILED_HANDSHAKE, 0.0, _reasons(exc))
        if not findings.version_name and all(alert.sent for alert in findings.alerts):
            self._findings.first_bytes = self._head[:MAX_FIRST_BYTES]

    def _look(self) -> None:
        """Read off what the handshake has come to; nothing before a ServerHello was accepted."""
        connection, findings = self._connection, self._findings
        if not self._hello_accepted:
            return
        version = connection.get_protocol_version()
        cipher = connection.get_cipher_name()
        if cipher is not None:
            findings.suite_name = FROM_OPENSSL.get(cipher, cipher)
        elif version <= TLS12:
            findings.suite_name = _suite_of_hello(self._head)
        else:  # so far only a HelloRetryRequest
            return
        findings.version_name = version_name(version)
        findings.alpn = connection.get_alpn_proto_negotiated().decode("latin-1")
        chain = connection.get_peer_cert_chain() or []
        findings.chain = [crypto.dump_certificate(crypto.FILETYPE_ASN1, entry) for entry in chain]

    def _sent(self) -> bytes:
        try:
            return self._connection.bio_read(_READ_SIZE)
        except SSL.WantReadError:
            return b""

    def _leave(self) -> bytes:
        """Instead of the key exchange: user_canceled and close_notify in the clear."""
        version = min(self._connection.get_protocol_version(), TLS12).to_bytes(2, "big")
        header = bytes((ALERT,)) + version + b"\x00\x02"
        parting = (alerts.USER_CANCELED, alerts.CLOSE_NOTIFY)
        for description in parting:
            self.saw_alert(Alert(alerts.WARNING, description, sent=True))
        self._findings.end(None)
        return b"".join(header + bytes((alerts.WARNING, description)) for description in parting)


def _suite_of_hello(head: bytes) -> str:
    """The suite in a ServerHello in the clear, which OpenSSL tells only later; "" if it is cut off."""
    while head[:1] == bytes((ALERT,)):
        head = head[RECORD_HEADER + 2 :]
    session_id = RECORD_HEADER + MESSAGE_HEADER + 34
    suite = session_id + 1 + int.from_bytes(head[session_id : session_id + 1], "big")
    return suite_name(int.from_bytes(head[suite : suite + 2], "big")) if len(head) >= suite + 2 else ""


def _reasons(exc: SSL.Error) -> str:
    """The reasons of OpenSSL's error stack."""
    errors = exc.args[0] if exc.args and isinstance(exc.args[0], list) else []
    return "; ".join(reason for _library, _function, reason in errors) or f"OpenSSL: {exc}"
