"""One TCP connection through the inline interceptor, as a state machine: segments in, actions out.

    SYN          SYN-ACK         hello of a watched site       the origin's certificate is valid
    ----> OPENING ----> UNDECIDED -----------------------> ASKING ------------------------> TAKEN

Until something is decided every segment goes on to the server, else a client that waits for an
acknowledgement (RFC 896) would never send the rest of its hello. Only the segment that completes the hello
is held while the origin is asked, so that the server never has a whole one. Every other way ends in LEFT:
the connection goes on from end to end, and the kernel is told not to show us any more of it.
"""

from dataclasses import dataclass
from enum import Enum, auto

from kzmitm.lab.interceptor.actions import (
    Action,
    FlowKey,
    Inquire,
    Left,
    Opening,
    Plan,
    Settle,
    TakeOver,
    Treatment,
)
from kzmitm.lab.interceptor.hello import Hello, Unread, parse_hello
from kzmitm.lab.interceptor.packets import FIN, RST, Options, Segment, build_reset, parse_options
from kzmitm.lab.interceptor.stream import SEQUENCE_SPACE, Stream
from kzmitm.lab.interceptor.watch import Watch

MAX_HELD = 64
"""Segments held for one connection while its origin is asked; a client sends what its window of ten allows
(RFC 6928), and what is dropped it sends again."""


class State(Enum):
    OPENING = auto()
    UNDECIDED = auto()
    ASKING = auto()
    TAKEN = auto()
    LEFT = auto()


@dataclass(frozen=True, slots=True)
class Policy:
    """What is decided by configuration."""

    watch: Watch
    asks_origin: bool
    """True if only a destination that shows a publicly valid certificate is intercepted."""


class Flow:
    """The state of one connection; `number` is the packet's in its queue."""

    __slots__ = ("_client", "_deciding", "_held", "_key", "_policy", "_server", "_stream", "state")

    def __init__(self, key: FlowKey, syn: Segment, policy: Policy) -> None:
        self.state = State.OPENING
        self._key = key
        self._policy = policy
        self._client = Opening(syn.sequence, parse_options(syn.options))
        self._server: Opening | None = None
        self._stream = Stream(syn.sequence + 1)
        self._deciding: tuple[int, bytes, Plan] | None = None
        self._held: list[int] = []

    @property
    def kept(self) -> int:
        """Octets of the client in memory."""
        return self._stream.kept

    def is_opened_by(self, syn: Segment) -> bool:
        """True for a repetition of the SYN that this began with."""
        return syn.sequence == self._client.sequence

    def synack(self, number: int, segment: Segment, now: float) -> list[Action]:
        """The server's answer to the SYN."""
        if self.state is State.TAKEN:
            return [Settle(number, Treatment.DISCARD)]
        if self.state in {State.OPENING, State.UNDECIDED}:
            self._server = Opening(segment.sequence, parse_options(segment.options), now)
            self.state = State.UNDECIDED
        return [Settle(number, Treatment.PASS)]

    def segment(self, number: int, packet: bytes, segment: Segment) -> list[Action]:
        """Anything of the client but a SYN."""
        match self.state:
            case State.TAKEN:
                return [Settle(number, Treatment.LOCAL)]
            case State.ASKING:
                if len(self._held) >= MAX_HELD:
                    return [Settle(number, Treatment.DISCARD)]
                self._held.append(number)
                return []
            case State.UNDECIDED if self._server is not None:
                return self._undecided(number, packet, segment, self._server)
            case _:
                return self._leave(number, "its beginning was not seen")

    def _undecided(self, number: int, packet: bytes, segment: Segment, server: Opening) -> list[Action]:
        first = (server.sequence + 1) % SEQUENCE_SPACE
        is_over = bool(segment.flags & (RST | FIN))
        if is_over or segment.acknowledged != first:
            return self._leave(number, "it ended early" if is_over else "the server spoke first")
        if not segment.payload:
            return [Settle(number, Treatment.PASS)]
        server_has = self._stream.next
        if not self._stream.add(segment.sequence, segment.payload):
            return self._leave(number, "too much came")
        hello = parse_hello(self._stream.data)
        if hello is Unread.INCOMPLETE:
            return [Settle(number, Treatment.PASS)]
        if isinstance(hello, Unread):
            return self._leave(number, hello.value)
        if not self._policy.watch.matches(hello.sni):
            return self._leave(number, f"{hello.sni!a} is not watched")
        plan = self._plan(segment, hello, server)
        self._deciding = number, build_reset(packet, segment, server_has), plan
        if not self._policy.asks_origin:
            return self._take()
        self.state = State.ASKING
        return [Inquire(self._key, hello)]

    def _plan(self, segment: Segment, hello: Hello, server: Opening) -> Plan:
        echo = parse_options(segment.options).timestamps
        return Plan(
            key=self._key,
            send_next=(server.sequence + 1) % SEQUENCE_SPACE,
            receive_next=self._stream.next,
            window=segment.window,
            client=self._client.options,
            server=server.options,
            opened_at=server.seen_at,
            echoed=None if echo is None else echo[1],
            hello=hello,
            octets=self._stream.data,
        )

    def answer(self, *, is_valid: bool) -> list[Action]:
        """What asking the origin came to."""
        if self.state is not State.ASKING:
            return []
        return self._take() if is_valid else self.leave()

    def _take(self) -> list[Action]:
        if self._deciding is None:  # only ever called with one
            return []
        number, reset, plan = self._deciding
        held = tuple(self._held)
        self._release()
        self.state = State.TAKEN
        return [TakeOver(number, reset, held, plan)]

    def leave(self) -> list[Action]:
        """Give the connection up, in whatever state: what was held goes on in its order."""
        numbers = [] if self._deciding is None else [self._deciding[0]]
        numbers += self._held
        self._release()
        self.state = State.LEFT
        return [Settle(number, Treatment.LEAVE) for number in numbers]

    def _leave(self, number: int, why: str) -> list[Action]:
        return [*self.leave(), Settle(number, Treatment.LEAVE), Left(self._key, why)]

    def _release(self) -> None:
        self._deciding = None
        self._held = []
        self._stream = Stream(0)


def agreed(client: Options, server: Options) -> Options:
    """The options in force: those of the client that the server has as well (RFC 7323, 1.3; RFC 2018, 2).

    The segment size is what the client takes (RFC 9293, 3.7.1); each end has its own.
    """
    both_scale = client.window_scale is not None and server.window_scale is not None
    both_stamp = client.timestamps is not None and server.timestamps is not None
    return Options(
        mss=client.mss,
        window_scale=client.window_scale if both_scale else None,
        sack=client.sack and server.sack,
        timestamps=server.timestamps if both_stamp else None,
    )
