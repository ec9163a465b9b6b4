"""The interceptor's own connections to the real servers: for a relay, and to see what they show."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from kzmitm.lab.interceptor.channels import TLSChannel, open_channel
from kzmitm.lab.interceptor.hello import Hello
from kzmitm.pki.cache import LRU, CertificateCache
from kzmitm.pki.parse import parse_certificate
from kzmitm.pki.path import validate_path
from kzmitm.pki.store import TrustStore

TIMEOUT_S = 10.0
"""For connecting and hand-shaking with an origin; longer than a lost SYN takes to be repeated thrice."""

MAX_OPENING = 64
"""Handshakes with origins at once. More would only be slower: one takes a millisecond of CPU, and the
backlog of a server is a few hundred."""

VALID_S = 10.0
"""How long a destination is known to show what it showed."""
MAX_DESTINATIONS = 1024
"""Of which that is remembered."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a client wanted to go: an address in text form, and a port."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


class Onward:
    """Opens connections that carry the interceptor's own mark."""

    def __init__(self, mark: int) -> None:
        self._mark = mark
        self._opening = asyncio.Semaphore(MAX_OPENING)
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        # As the one of 2019 did (detection: tlsfingerprint.io f09427b5aaf9304b), and like it unverified.
        self._context.set_max_proto_version(SSL.TLS1_2_VERSION)
        self._context.set_verify(SSL.VERIFY_NONE)
        self._context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")

    async def connect(self, destination: Destination) -> socket.socket:
        """A TCP connection; raises OSError."""
        family = socket.AF_INET6 if ":" in destination.ip else socket.AF_INET
        connected = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, self._mark)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(TIMEOUT_S):
                await loop.sock_connect(connected, (destination.ip, destination.port))
        except BaseException:
            connected.close()
            raise
        return connected

    async def open(self, destination: Destination, hello: Hello, *, is_urgent: bool = False) -> TLSChannel:
        """TLS with the client's server name and ALPN offer; raises OSError.

        `is_urgent`: it does not wait for its turn, as a client is held meanwhile.
        """
        async with contextlib.nullcontext() if is_urgent else self._opening:
            under = await open_channel(await self.connect(destination))
            tls = SSL.Connection(self._context, None)
            tls.set_connect_state()
            if hello.sni:
                tls.set_tlsext_host_name(hello.sni.encode("latin-1"))
            if hello.protocols:
                tls.set_alpn_protos(list(hello.protocols))
            channel = TLSChannel(under, tls)
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await channel.handshake()
            except BaseException:
                channel.close(abort=True)
                raise
            return channel


def shown_chain(channel: TLSChannel) -> list[x509.Certificate]:
    """What the server presented, leaf first."""
    return list(channel.tls.get_peer_cert_chain(as_cryptography=True) or ())


class Origins:
    """Which destinations show a publicly valid certificate, each asked once in a while."""

    def __init__(self, onward: Onward, roots: TrustStore, now: Callable[[], datetime]) -> None:
        self._onward = onward
        self._roots = roots
        self._now = now
        self._cache = CertificateCache()
        self._known: LRU[_Question, _Asked] = LRU(MAX_DESTINATIONS)

    async def is_valid(self, destination: Destination, hello: Hello) -> bool:
        """True if the destination shows a chain that browsers would trust, whatever names are in it.

        The path and the dates are judged, the name is not. False if it shows nothing, which is not
        remembered: it may be busy.
        """
        loop = asyncio.get_running_loop()
        question = destination, hello.sni
        asked = self._known.get(question)
        if asked is None or loop.time() > asked.until:
            asked = _Asked(loop.create_task(self._ask(destination, hello)), loop.time() + VALID_S)
            self._known.put(question, asked)
        found = await asyncio.shield(asked.answer)
        if found is None:
            asked.until = 0.0
        return found is True

    async def _ask(self, destination: Destination, hello: Hello) -> bool | None:
        """None if nothing was shown."""
        try:
            channel = await self._onward.open(destination, hello, is_urgent=True)
        except (OSError, SSL.Error):
            return None
        chain = [parse_certificate(one.public_bytes(Encoding.DER)) for one in shown_chain(channel)]
        channel.close(abort=False)
        report = validate_path(chain, store=self._roots, hostname=None, now=self._now(), cache=self._cache)
        return report.trusted


_Question = tuple[Destination, str | None]


@dataclass(slots=True)
class _Asked:
    answer: "asyncio.Task[bool | None]"
    until: float
    """On the clock of the event loop."""
