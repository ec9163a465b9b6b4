"""Origin servers: TLS 1.2 and 1.3 with the certificate chosen by SNI, keys in memory only."""

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

from kzmitm.lab.certificates.pki import Credential
from kzmitm.lab.loopback import page
from kzmitm.lab.loopback.servers import Connection

CHUNK = 65_536
PROTOCOLS = (b"h2", b"http/1.1")


class TLSOrigin(Connection):
    """One connection: hand-shake, answer the first request, close."""

    def __init__(self, choose: Callable[[str | None], Credential], *, hostname: str) -> None:
        """`choose` gives the certificate for a server name; `hostname` is on the page."""
        super().__init__()
        self._hostname = hostname
        self._request = b""
        self._tls = SSL.Connection(_context(choose), None)
        self._tls.set_accept_state()

    def data_received(self, data: bytes) -> None:
        self._tls.bio_write(data)
        try:
            while True:
                self._request += self._tls.recv(CHUNK)
        except SSL.WantReadError:
            self._answer()
        except SSL.Error:
            self._flush()
            self.transport.close()

    def _answer(self) -> None:
        answer = page.respond(self._request, self._hostname) if self._request else None
        if answer is not None:
            self._tls.send(answer)
            self._tls.shutdown()
        self._flush()
        if answer is not None:
            self.transport.close()

    def _flush(self) -> None:
        try:
            while True:
                self.transport.write(self._tls.bio_read(CHUNK))
        except SSL.Error:
            pass  # nothing left to send


def _context(choose: Callable[[str | None], Credential]) -> SSL.Context:
    """A fresh context whose certificate follows the ClientHello."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    _present(context, choose(None))

    def by_name(connection: SSL.Connection) -> None:
        name = connection.get_servername()
        chosen = SSL.Context(SSL.TLS_SERVER_METHOD)
        _present(chosen, choose(name.decode("ascii", "replace").lower() if name else None))
        connection.set_context(chosen)

    context.set_tlsext_servername_callback(by_name)
    return context


def _present(context: SSL.Context, credential: Credential) -> None:
    context.use_certificate(credential.certificate)
    context.use_privatekey(credential.key)
    for certificate in credential.chain:
        context.add_extra_chain_cert(certificate)
    context.set_alpn_select_callback(_select_protocol)


def _select_protocol(_connection: SSL.Connection, offered: list[bytes]) -> Any:
    """The first of ours that was offered, else none (for which RFC 7301, 3.2 has an alert; few send it)."""
    return next((ours for ours in PROTOCOLS if ours in offered), SSL.NO_OVERLAPPING_PROTOCOLS)
