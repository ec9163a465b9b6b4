"""A trace: the same question asked with packets that live for one hop, two hops, and so on.

A packet whose time to live (TTL; Hop Limit in IPv6) runs out is answered by the router where that happens
(RFC 792 and RFC 4443, Time Exceeded). So the lowest TTL at which something else answers tells how far away
that something is. Observations only: `kzmitm.verdict.locate` says what they mean.
"""

from dataclasses import dataclass
from enum import StrEnum

from kzmitm.model.observation import TLSObservation
from kzmitm.model.target import Endpoint

FULL_TTL = 64
"""Arrives anywhere: the longest paths of the Internet have some forty hops."""


REPLY_FLOOR = 32
"""Systems send with a TTL of 64 or more, which few paths wear down to this. A packet made of one of ours,
with what was left of its TTL, arrives with less."""


class WalkKind(StrEnum):
    """What is asked at each distance."""

    UDP = "udp"
    """A datagram to a port that nobody uses."""
    SYN = "syn"
    """The opening of a TCP connection to the target's port."""
    SYN_CONTROL = "syn_control"
    """The same to another port."""
    HELLO_CONTROL = "hello_control"
    """A ClientHello with a harmless name, on a connection that was opened at full TTL."""
    HELLO_WATCHED = "hello_watched"
    """The same with the name that is asked about."""
    HELLO_FLOOR = "hello_floor"
    """That again, deaf to answers whose own TTL is below REPLY_FLOOR (ip(7), IP_MINTTL)."""


class Answer(StrEnum):
    """What came back."""

    EXPIRED = "expired"
    """A router said that the packet's time ran out. Of a hello it is not known which router."""
    ARRIVED = "arrived"
    """The target itself said that the port of a datagram is closed."""
    OPEN = "open"
    """SYN-ACK."""
    REFUSED = "refused"
    """A reset in answer to a SYN."""
    UNREACHABLE = "unreachable"
    """Somebody said that it does not go on (RFC 792, Destination Unreachable)."""
    HANDSHAKE = "handshake"
    """Handshake messages of TLS: whoever sent them read the hello."""
    ALERT = "alert"
    """A TLS alert instead."""
    RESET = "reset"
    CLOSED = "closed"
    """FIN before anything else."""
    OTHER = "other"
    """Octets that are not TLS."""
    SILENCE = "silence"
    UNSENT = "unsent"
    """The packet was not sent: no connection was there to send it on, or this computer refused."""


HELLO_ANSWERS = frozenset({Answer.HANDSHAKE, Answer.ALERT, Answer.RESET, Answer.CLOSED, Answer.OTHER})
"""Answers to a hello itself."""
SYN_ANSWERS = frozenset({Answer.OPEN, Answer.REFUSED})
ENDS = HELLO_ANSWERS | SYN_ANSWERS | {Answer.ARRIVED}
"""Answers in the target's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One packet (or one hello with what TCP needed to repeat of it) and its answer.

    `flow` is our port: load balancers send packets with the same five-tuple the same way, so what is said
    of one path must be of one flow. `address` is of who answered, None where that is not told. `reply_ttl`
    is what was left of the answer's own TTL; `quoted_ttl` what was left of ours where it was quoted (RFC
    792 has the router quote our header). Times are seconds of the measurement's clock.
    """

    ttl: int
    flow: int
    answer: Answer
    address: str | None = None
    reply_ttl: int | None = None
    quoted_ttl: int | None = None
    opened_ttl: int | None = None
    """What was left of the SYN-ACK's TTL on the connection that carried a hello."""
    failure: str | None = None
    """OONI's word for how it ended, None for a handshake and for what is answered as it should be."""
    tls: TLSObservation | None = None
    """The handshake, where a hello was answered."""
    t0: float = 0.0
    t: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """All steps of one kind, in the order in which they were begun; `name` is the hello's."""

    kind: WalkKind
    port: int
    name: str | None = None
    steps: tuple[Step, ...] = ()


class TraceMethod(StrEnum):
    """How the packets were made and the answers read."""

    SOCKETS = "sockets"
    """Ordinary sockets and their error queues (ip(7), IP_RECVERR): no privileges."""
    RAW = "raw"
    """Packets of our own, with everything in one five-tuple."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceObservation:
    """All walks to one address. `is_on_link`: it is in this computer's own network, without any router.

    `is_complete` is False if a limit or the user ended it before its end.
    """

    endpoint: Endpoint
    method: TraceMethod
    walks: tuple[Walk, ...]
    is_on_link: bool = False
    is_complete: bool = True
    t0: float = 0.0
    t: float = 0.0

    def steps(self, kind: WalkKind) -> tuple[Step, ...]:
        """The steps of one kind, () if there are none."""
        return tuple(step for walk in self.walks if walk.kind is kind for step in walk.steps)
