"""The matrix: what was varied around a base case, what came of it, and what that says of the interceptor."""

from dataclasses import dataclass, field
from enum import StrEnum

from kzmitm.model.observation import Split
from kzmitm.model.target import Endpoint


class AskedName(StrEnum):
    """The server name in the hello."""

    WATCHED = "watched"
    OTHER_WATCHED = "other_watched"
    """Of another site that is thought to be watched."""
    BENIGN = "benign"
    NONSENSE = "nonsense"
    """Random, under a reserved suffix."""
    NONE = "none"
    UPPER_CASE = "upper_case"
    """The watched one in capitals."""
    DOT = "dot"
    """The watched one with the final dot that TLS forbids (RFC 6066, 3)."""
    REFLECTOR = "reflector"
    """The reflector's own."""


class Destination(StrEnum):
    """Whose address is connected to."""

    OWN = "own"
    OTHER_WATCHED = "other_watched"
    REFLECTOR = "reflector"
    """A server elsewhere with a publicly valid certificate of its own, which knows nothing of the name."""
    NOBODY = "nobody"
    """TEST-NET-1, where nobody is (RFC 5737)."""


class HelloManner(StrEnum):
    """What the hello offers, and how it leaves."""

    SMALL = "small"
    BROWSER = "browser"
    SEGMENTS = "segments"
    """`small` over three TCP segments, cut inside of the name."""
    RECORDS = "records"
    """`small` over two TLS records, cut inside of the name."""
    TLS12 = "tls12"
    ECH = "ech"
    """`small` with a GREASE encrypted_client_hello."""


class Carrier(StrEnum):
    """What carries it."""

    TCP = "tcp"
    """Port 443, or the target's own, over IPv4 where there is a choice."""
    OTHER_PORT = "other_port"
    QUIC = "quic"
    IPV6 = "ipv6"


@dataclass(frozen=True, slots=True)
class Cell:
    """A place in the matrix; the default is the base case."""

    name: AskedName = AskedName.WATCHED
    destination: Destination = Destination.OWN
    hello: HelloManner = HelloManner.SMALL
    carrier: Carrier = Carrier.TCP

    def __str__(self) -> str:
        return f"{self.name}@{self.destination}/{self.hello}/{self.carrier}"


BASE = Cell()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A cell with what is to be sent, and where."""

    cell: Cell
    sni: str | None
    endpoint: Endpoint
    profile: str = "small"
    split: Split = Split.NONE


class AnswerKind(StrEnum):
    """How one question was answered."""

    CERTIFICATE = "certificate"
    ALERT = "alert"
    RESET = "reset"
    CLOSED = "closed"
    """The peer ended the connection without a word."""
    SILENCE = "silence"
    """Connected, and then nothing came."""
    NOT_TLS = "not_tls"
    NO_CONNECTION = "no_connection"
    FAULT = "fault"
    """Ours, or the proxy's: it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One answer, as the matrix needs it."""

    kind: AnswerKind
    failure: str | None = None
    connected: bool = True
    leaf_sha256: str | None = None
    issuer: str | None = None
    """The issuer's name as DER, in hexadecimal. Not its key: error pages of one box may leave that out."""
    names: tuple[str, ...] = ()
    """DNS names of the leaf, else its common name; from a stranger."""
    vouched: bool | None = None
    """Whether a public authority vouches for the leaf, for whatever name; None without one."""
    self_signed: bool = False
    covers: bool | None = None
    """Whether the leaf names what was asked for; None where nothing was."""
    version: str = ""
    alpn: str = ""


class CellState(StrEnum):
    """What a cell came to over its repeats."""

    FORGED = "forged"
    """The interceptor's certificate."""
    PASSED = "passed"
    """A certificate that a public authority vouches for: somebody's own."""
    OTHER = "other"
    """A certificate that is neither, such as a server's own making."""
    FAILED = "failed"
    """No certificate."""
    MIXED = "mixed"
    """Not the same each time."""
    NOT_TOLD = "not_told"
    """Not asked, or a fault of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """A cell, what was asked there, and every answer in order."""

    question: Question
    readings: tuple[Reading, ...] = ()
    state: CellState = CellState.NOT_TOLD
    why_not: str = ""
    """A code, where it was not asked."""

    @property
    def cell(self) -> Cell:
        return self.question.cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """One thing the matrix says: `value` is a code of its subject, `cells` prove it."""

    subject: str
    value: str
    cells: tuple[Cell, ...] = ()
    names: tuple[str, ...] = field(default=())
    """Names in certificates that it rests on; from strangers."""


NOT_TOLD = "not_told"
"""The value of a conclusion for which nothing speaks."""
