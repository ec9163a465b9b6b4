"""Observations: one active operation, its one record. They say what happened and judge nothing.

`t0` and `t` are seconds since the start of the measurement on a monotonic clock (OONI, df-00x).
"""

from dataclasses import dataclass
from enum import StrEnum

from kzmitm.model.target import Endpoint


class Role(StrEnum):
    """Why a handshake was made; everything but FIRST is a follow-up of suspicion."""

    FIRST = "first"
    REPEAT = "repeat"
    """The same endpoint, SNI and hello once more."""
    BENIGN_SNI = "benign_sni"
    """The same address with the name of a control site."""
    NONSENSE_SNI = "nonsense_sni"
    """The same address with a random name under a reserved suffix."""
    NO_SNI = "no_sni"
    OTHER_ADDRESS = "other_address"
    """The same SNI at another address of the name."""
    OTHER_HELLO = "other_hello"
    """The same endpoint and SNI with another hello profile."""
    CONTROL = "control"
    """The same SNI from a second vantage that is expected to be clean."""


class Split(StrEnum):
    """How the ClientHello was cut on its way out."""

    NONE = "none"
    TCP = "tcp"
    """Over several TCP segments."""
    RECORDS = "records"
    """Over several TLS records (RFC 8446, 5.1)."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What we offered: profile name, engine (`kzmitm` or `openssl`), octets of all its records, cut."""

    profile: str
    engine: str = "kzmitm"
    size: int = 0
    split: Split = Split.NONE


@dataclass(frozen=True, slots=True)
class Alert:
    """A TLS alert (RFC 8446, 6): numbers as on the wire, known or not; `sent` if it was ours."""

    level: int
    description: int
    sent: bool = False


@dataclass(frozen=True, slots=True)
class NetworkEvent:
    """One read or write (OONI df-008), or one TLS record of it when `operation` starts with `record_`."""

    operation: str
    t: float
    num_bytes: int = 0
    failure: str | None = None


class ProofKind(StrEnum):
    """Which message holds the server's signature over our nonce."""

    TLS13 = "tls13_certificate_verify"
    """RFC 8446, 4.4.3: over 64 spaces, a context string, NUL and the transcript hash."""
    TLS12 = "tls12_server_key_exchange"
    """RFC 8422, 5.4 and RFC 5246, 7.4.3: over client random, server random and the parameters."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The server's signature over our nonce: whoever holds the leaf's key answered us, now.

    A copied chain proves nothing; this does. `signed` is the exact octet string that the signature
    covers. For TLS13 `transcript` holds the handshake messages (ClientHello…Certificate, with the
    message_hash substitute after a HelloRetryRequest) whose hash stands in `signed`, so that a
    stranger can see our random inside; for TLS12 it is empty, the random is in `signed` itself.
    `verified` is the result of the check on the spot, None where the leaf's key cannot be used.
    """

    kind: ProofKind
    scheme: int
    """SignatureScheme (RFC 8446, 4.2.3), or for TLS 1.0/1.1 the value that stands for its fixed pair."""
    signature: bytes
    signed: bytes
    client_random: bytes
    server_random: bytes
    verified: bool | None
    transcript: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class DNSAnswer:
    """One record of an answer: A and AAAA carry `ip`, CNAME carries `hostname`."""

    answer_type: str
    ip: str | None = None
    hostname: str | None = None
    ttl: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DNSObservation:
    """One lookup. `engine` is `getaddrinfo`, `udp` or `doh`; `resolver_address` is empty for the first."""

    hostname: str
    engine: str
    query_type: str
    resolver_address: str = ""
    answers: tuple[DNSAnswer, ...] = ()
    failure: str | None = None
    rcode: int | None = None
    t0: float = 0.0
    t: float = 0.0

    @property
    def ips(self) -> tuple[str, ...]:
        """The addresses of all answers, in order."""
        return tuple(answer.ip for answer in self.answers if answer.ip is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TCPObservation:
    """One connect to `endpoint`; `failure` is None if it was answered."""

    endpoint: Endpoint
    failure: str | None = None
    t0: float = 0.0
    t: float = 0.0
    transaction_id: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSObservation:
    """One handshake: the whole presented chain whatever verification would say of it.

    `failure` is the network's or the protocol's (reset, timeout, alert, not TLS); never a verdict on
    the certificates, which is derived from the chain later. `version`, `cipher_suite` and `alpn` are
    "" when not negotiated. `transaction_id` joins it with its TCPObservation.
    """

    endpoint: Endpoint
    sni: str | None
    hello: Hello
    role: Role = Role.FIRST
    version: str = ""
    """`TLSv1`, `TLSv1.1`, `TLSv1.2`, `TLSv1.3` (OONI's spelling) or ""."""
    cipher_suite: str = ""
    """IANA name."""
    alpn: str = ""
    presented_chain: tuple[bytes, ...] = ()
    """DER in the order presented; an entry that is no certificate is kept as it came."""
    chain_truncated: bool = False
    """The message was longer than our limit; what fitted is kept."""
    alerts: tuple[Alert, ...] = ()
    failure: str | None = None
    detail: str = ""
    """The failure in our own words; for `x_` keys and debugging."""
    events: tuple[NetworkEvent, ...] = ()
    proof: Proof | None = None
    client_certificate_requested: bool = False
    server_extensions: tuple[int, ...] = ()
    """Extension types of ServerHello and EncryptedExtensions in order, for product traits."""
    ocsp_staple: bytes = b""
    first_bytes: bytes = b""
    """What came instead of TLS (at most 64 octets), for telling plain HTTP and echoes."""
    t0: float = 0.0
    t: float = 0.0
    transaction_id: int = 1
    vantage_id: str = ""
    """Set when made from another vantage than the measurement's (role CONTROL)."""


Observation = DNSObservation | TCPObservation | TLSObservation
