"""One handshake over QUIC (RFC 9001) with aioquic's connection and a socket of ours; an extra.

A box that intercepts TCP mostly leaves UDP alone, so that a genuine chain here beside a forged one there
tells much.
"""

import asyncio
import socket
import ssl
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Hello, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.netio.clock import Stopwatch
from kzmitm.netio.failures import classify
from kzmitm.netio.pump import Limits
from kzmitm.netio.vantage import ProxyError, VantageLink

if TYPE_CHECKING:
    from aioquic.quic.connection import QuicConnection

ENGINE = "aioquic"
PROFILE = "quic"
MAX_DATAGRAM = 65_527
"""Octets of a UDP payload (RFC 768)."""
MAX_DATAGRAMS = 512
"""Received in one handshake: a long chain takes some dozens."""


def has_quic() -> bool:
    """True if aioquic is installed."""
    return find_spec("aioquic") is not None


async def shake_hands_over_quic(
    sni: str | None, endpoint: Endpoint, link: VantageLink, *, stopwatch: Stopwatch, limits: Limits
) -> TLSObservation:
    """What a server shows over QUIC; a failure is in the observation. The link must be a direct one."""
    t0 = stopwatch.elapsed()
    connection: QuicConnection | None = None
    failure: str | None = None
    try:
        connection = _new_connection(sni)
        with link.new_socket(_family(endpoint), socket.SOCK_DGRAM) as sock:
            async with asyncio.timeout(limits.handshake_s):
                failure = await _run(connection, sock, endpoint)
    except TimeoutError:
        failure = Failure.GENERIC_TIMEOUT
    except ProxyError:
        failure = Failure.PROXY_FAILED
    except OSError as exc:
        failure = classify(exc)
    chain = _chain(connection) if connection is not None else ()
    return TLSObservation(
        endpoint=endpoint,
        sni=sni,
        hello=Hello(PROFILE, ENGINE),
        version="TLSv1.3" if chain else "",
        alpn="h3" if chain and failure is None else "",
        presented_chain=chain,
        failure=failure,
        t0=t0,
        t=stopwatch.elapsed(),
    )


def _family(endpoint: Endpoint) -> int:
    return socket.AF_INET6 if ":" in endpoint.ip else socket.AF_INET


def _new_connection(sni: str | None) -> "QuicConnection":
    from aioquic.h3.connection import H3_ALPN  # noqa: PLC0415 - an extra
    from aioquic.quic.configuration import QuicConfiguration  # noqa: PLC0415
    from aioquic.quic.connection import QuicConnection  # noqa: PLC0415

    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=H3_ALPN,
        server_name=sni,
        verify_mode=ssl.CERT_NONE,  # the chain is what we came for, whatever it is
    )
    return QuicConnection(configuration=configuration)


async def _run(connection: "QuicConnection", sock: socket.socket, endpoint: Endpoint) -> str | None:
    """Pump until the handshake is complete or over; the failure, None for none."""
    loop = asyncio.get_running_loop()
    address: Any = (endpoint.ip, endpoint.port)
    await loop.sock_connect(sock, address)
    connection.connect(address, loop.time())
    for _received in range(MAX_DATAGRAMS):
        for datagram, _address in connection.datagrams_to_send(loop.time()):
            await loop.sock_sendall(sock, datagram)
        ended, failure = _events(connection)
        if ended:
            connection.close()
            for datagram, _address in connection.datagrams_to_send(loop.time()):
                await loop.sock_sendall(sock, datagram)
            return failure
        due = connection.get_timer()
        try:
            async with asyncio.timeout_at(due):
                data = await loop.sock_recv(sock, MAX_DATAGRAM)
        except TimeoutError:
            connection.handle_timer(loop.time())
        else:
            connection.receive_datagram(data, address, loop.time())
    return Failure.SSL_FAILED_HANDSHAKE


def _events(connection: "QuicConnection") -> tuple[bool, str | None]:
    """Whether it is over, and with what failure."""
    from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted  # noqa: PLC0415 - an extra

    while (event := connection.next_event()) is not None:
        if isinstance(event, HandshakeCompleted):
            return True, None
        if isinstance(event, ConnectionTerminated):
            return True, Failure.SSL_FAILED_HANDSHAKE
    return False, None


def _chain(connection: "QuicConnection") -> tuple[bytes, ...]:
    """The chain, which aioquic gives out nowhere else (docs/adr/0035)."""
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - with it

    tls = getattr(connection, "tls", None)
    leaf = getattr(tls, "_peer_certificate", None)
    if leaf is None:
        return ()
    chain = getattr(tls, "_peer_certificate_chain", ())
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in (leaf, *chain))
