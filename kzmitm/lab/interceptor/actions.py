"""What the inline interceptor decides, as values: the words between the state machine and the kernel."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from kzmitm.lab.interceptor.hello import Hello
from kzmitm.lab.interceptor.packets import Options


class FlowKey(NamedTuple):
    """A connection: packed addresses and ports of its client and its server."""

    client: bytes
    client_port: int
    server: bytes
    server_port: int


class Treatment(Enum):
    """What becomes of a packet."""

    PASS = auto()
    """It goes on; the connection stays undecided."""
    FRESH = auto()
    """It goes on and begins a connection: what was decided about an earlier one of these ports is void."""
    LEAVE = auto()
    """It goes on, and the connection is left alone from now on."""
    LOCAL = auto()
    """It is for the socket that took over."""
    DISCARD = auto()


@dataclass(frozen=True, slots=True)
class Opening:
    """What one end began with: its initial sequence number and options."""

    sequence: int
    options: Options
    seen_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a socket must know to stand in for the server (`hello` and `octets` are for the relay)."""

    key: FlowKey
    send_next: int
    receive_next: int
    """Behind all octets that have come without a gap."""
    window: int
    """The client's, as it is in the segment: not scaled."""
    client: Options
    server: Options
    opened_at: float
    """When the SYN-ACK came by, on the monotonic clock."""
    echoed: int | None
    """The server's timestamp that the client last had."""
    hello: Hello
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settle:
    """Let go of a packet."""

    number: int
    treatment: Treatment


@dataclass(frozen=True, slots=True)
class Inquire:
    """Ask whether the destination shows a valid certificate, and report to `FlowTable.answered`."""

    key: FlowKey
    hello: Hello


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Make the socket of `plan`, then turn packet `number` into `reset`, then let it have those held."""

    number: int
    reset: bytes = field(repr=False)
    held: tuple[int, ...]
    plan: Plan


@dataclass(frozen=True, slots=True)
class Left:
    """Why a connection is left alone, for the log."""

    key: FlowKey
    why: str


Action = Settle | Inquire | TakeOver | Left
