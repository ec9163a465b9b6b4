"""Servers in memory: OpenSSL's as an honest one, and a hand-made one that says whatever a test wants."""

import random
from collections.abc import Sequence

from OpenSSL import SSL

from kzmitm.wire.client import TLSClient
from kzmitm.wire.iana.versions import TLS12
from kzmitm.wire.keyshare import CurveShare, X25519Share, generate_share
from kzmitm.wire.profiles import PROFILES
from kzmitm.wire.proof import SERVER_CONTEXT
from kzmitm.wire.schedule import SUITES, HandshakeKeys

CANNED_SEED = 7


def seeded(seed: int = CANNED_SEED):
    """Randomness that repeats."""
    return random.Random(seed).randbytes


def client(profile: str = "small", **keywords) -> TLSClient:
    keywords.setdefault("sni", "www.example.test")
    return TLSClient(profile=PROFILES[profile], **keywords)


def openssl_context(identity, *, version: int | None = None, alpn: bytes | None = None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(str(identity.chain_file))
    context.use_privatekey_file(str(identity.key_file))
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    if version is not None:
        context.set_max_proto_version(version)
    if alpn is not None:
        context.set_alpn_select_callback(lambda _connection, _offered: alpn)
    return context


class MemoryServer:
    """An OpenSSL server on memory BIOs; `flights` are its answers, one for each thing said to it."""

    def __init__(self, context: SSL.Context) -> None:
        self.connection = SSL.Connection(context, None)
        self.connection.set_accept_state()
        self.flights: list[bytes] = []
        self.error: SSL.Error | None = None

    def say(self, data: bytes) -> bytes:
        self.connection.bio_write(data)
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as exc:
            self.error = exc
        try:
            self.flights.append(self.connection.bio_read(1 << 18))
        except SSL.WantReadError:
            self.flights.append(b"")
        return self.flights[-1]


def converse(driver, server: MemoryServer) -> list[bytes]:
    """Let both talk until the driver is done; the server's flights."""
    out = b"".join(driver.start())
    while not driver.done and out:
        out = driver.receive(server.say(out), 0.0)
    if out:
        server.say(out)
    return server.flights


# The hand-made one


def u16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def vec(body: bytes, width: int) -> bytes:
    return len(body).to_bytes(width, "big") + body


def message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + vec(body, 3)


def record(kind: int, body: bytes, version: int = TLS12) -> bytes:
    return bytes((kind,)) + u16(version) + vec(body, 2)


def handshake(*messages: bytes) -> bytes:
    return record(22, b"".join(messages))


def extension(kind: int, body: bytes) -> bytes:
    return u16(kind) + vec(body, 2)


SERVER_RANDOM = bytes(range(32))
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def server_hello(
    suite: int,
    *extensions: bytes,
    version: int = TLS12,
    server_random: bytes = SERVER_RANDOM,
    session_id: bytes = b"",
    compression: int = 0,
) -> bytes:
    body = u16(version) + server_random + vec(session_id, 1) + u16(suite) + bytes((compression,))
    return message(2, body + (vec(b"".join(extensions), 2) if extensions else b""))


def hello12(suite: int = 0xC02F, *extensions: bytes, **keywords) -> bytes:
    return server_hello(suite, *extensions, **keywords)


def certificate12(*chain: bytes) -> bytes:
    return message(11, vec(b"".join(vec(der, 3) for der in chain), 3))


def certificate13(*chain: bytes, context: bytes = b"", extra: Sequence[bytes] = ()) -> bytes:
    entries = b"".join(vec(der, 3) + vec(b"".join(extra), 2) for der in chain)
    return message(11, vec(context, 1) + vec(entries, 3))


class Forger13:
    """A server of TLS 1.3 that has agreed on keys with a client of ours and may say anything under them."""

    def __init__(self, driver: TLSClient, suite: int = 0x1301, group: int = 0x001D) -> None:
        self.driver = driver
        hello = driver._hello
        share = generate_share(group, seeded(99))
        assert isinstance(share, X25519Share | CurveShare)
        self.hello = server_hello(
            suite,
            extension(43, u16(0x0304)),
            extension(51, u16(group) + vec(share.public, 2)),
            session_id=hello.session_id,
        )
        self.algorithm = SUITES[suite].hash
        self.transcript = b"".join([*driver._session.transcript, self.hello])
        secret = share.agree(hello.shares[group].public)
        keys = HandshakeKeys(SUITES[suite], secret, self.algorithm(self.transcript).digest())
        self.server = keys.server
        self.client = keys.client()

    def open(self) -> bytes:
        """The ServerHello in its record."""
        return handshake(self.hello)

    def say(self, *messages: bytes, kind: int = 22) -> bytes:
        """Messages in one protected record."""
        body = b"".join(messages)
        if kind == 22:
            self.transcript += body
        return self.server.seal(kind, body)

    def signed(self) -> bytes:
        """What a CertificateVerify must sign now."""
        return SERVER_CONTEXT + self.algorithm(self.transcript).digest()


EMPTY_EXTENSIONS = message(8, b"\x00\x00")
