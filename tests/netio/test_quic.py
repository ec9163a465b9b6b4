"""Handshakes over QUIC with a real server on loopback; nothing of this runs without aioquic."""

import asyncio
import contextlib
import socket
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from kzmitm.model.failure import Failure
from kzmitm.model.target import Endpoint
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.pump import Limits
from kzmitm.netio.quic import has_quic, shake_hands_over_quic
from kzmitm.netio.vantage import ProxyError, VantageLink, open_vantage

pytest.importorskip("aioquic", reason="needs aioquic (pip install aioquic)")

from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration

SHORT, LONG = Limits(0.5, 0.5, 0.5), Limits(10, 10, 10)
"""Of those that wait for nothing, and of the rest."""


@contextlib.asynccontextmanager
async def serving(certificate, *, protocols=("h3",)):
    """A QUIC server with a certificate; its port."""
    leaf = x509.load_pem_x509_certificate(certificate[0].read_bytes())
    configuration = QuicConfiguration(is_client=False, alpn_protocols=list(protocols))
    configuration.certificate = leaf
    configuration.certificate_chain = [leaf]
    configuration.private_key = load_pem_private_key(certificate[1].read_bytes(), None)
    server = await serve("127.0.0.1", 0, configuration=configuration)
    try:
        yield server._transport.get_extra_info("sockname")[1]
    finally:
        server.close()
        await asyncio.sleep(0.01)  # the transport closes its socket in the loop's next rounds


def shake(port, *, link=None, limits=LONG):
    return shake_hands_over_quic(
        "a.test",
        Endpoint("127.0.0.1", port),
        link or open_vantage("direct:"),
        stopwatch=start_stopwatch(datetime(2026, 1, 1, tzinfo=UTC)),
        limits=limits,
    )


def test_the_chain_that_a_server_shows(certificate):
    async def run():
        async with serving(certificate) as port:
            return await shake(port)

    seen = asyncio.run(run())
    der = x509.load_pem_x509_certificate(certificate[0].read_bytes()).public_bytes(Encoding.DER)
    assert (seen.failure, seen.presented_chain) == (None, (der, der))
    assert (seen.version, seen.alpn, seen.sni) == ("TLSv1.3", "h3", "a.test")
    assert (seen.hello.profile, seen.hello.engine) == ("quic", "aioquic")
    assert seen.t > seen.t0
    assert has_quic()


def test_a_server_that_speaks_another_protocol(certificate):
    async def run():
        async with serving(certificate, protocols=("other",)) as port:
            return await shake(port)

    seen = asyncio.run(run())
    assert (seen.failure, seen.alpn) == (Failure.SSL_FAILED_HANDSHAKE, "")


def test_silence_is_a_timeout():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        seen = asyncio.run(shake(silent.getsockname()[1], limits=SHORT))
    assert (seen.failure, seen.presented_chain) == (Failure.GENERIC_TIMEOUT, ())


def test_octets_that_are_not_quic_are_passed_over():
    async def run():
        loop = asyncio.get_running_loop()

        class Babble(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, _data, address):
                self.transport.sendto(b"HTTP/1.1 409 Conflict", address)

        transport, _ = await loop.create_datagram_endpoint(Babble, local_addr=("127.0.0.1", 0))
        try:
            return await shake(transport.get_extra_info("sockname")[1], limits=SHORT)
        finally:
            transport.close()
            await asyncio.sleep(0.01)

    seen = asyncio.run(run())
    assert seen.failure in (Failure.GENERIC_TIMEOUT, Failure.SSL_FAILED_HANDSHAKE)
    assert seen.presented_chain == ()


def test_a_port_where_nobody_listens():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert asyncio.run(shake(port)).failure == Failure.CONNECTION_REFUSED


class Proxy(VantageLink):
    """A vantage that carries no UDP."""

    def new_socket(self, family, kind=socket.SOCK_STREAM):
        del family, kind
        raise ProxyError("no UDP")


def test_a_vantage_that_carries_no_udp():
    assert asyncio.run(shake(9, link=Proxy())).failure == Failure.PROXY_FAILED
