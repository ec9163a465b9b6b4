"""What every TLS engine of ours can do; neither touches a socket."""

from typing import Protocol

from kzmitm.model.observation import NetworkEvent, Role, TLSObservation
from kzmitm.model.target import Endpoint


class Conversation(Protocol):
    """What is said on one connection, as a state machine: octets in, octets out.

    `t` is the caller's clock in seconds. Nothing that a peer sends makes any of these raise.
    """

    def start(self) -> tuple[bytes, ...]:
        """The hello; each element is to be a send of its own."""
        ...

    def receive(self, data: bytes, t: float) -> bytes:
        """Take what arrived; returns what to write now, mostly nothing or the parting alert."""
        ...

    def receive_eof(self, t: float) -> None:
        """The peer closed."""
        ...

    def fail(self, failure: str, t: float, detail: str = "") -> None:
        """The connection failed with an OONI failure string (reset, timeout); no effect once done."""
        ...

    @property
    def done(self) -> bool:
        """Whether there is nothing more to learn: write what `receive` returned, then close."""
        ...


class HandshakeDriver(Conversation, Protocol):
    """One handshake, with an observation at the end."""

    def observation(
        self,
        *,
        endpoint: Endpoint,
        role: Role,
        t0: float,
        t: float,
        transaction_id: int,
        events: tuple[NetworkEvent, ...] = (),
    ) -> TLSObservation:
        """What was learnt so far, at any time."""
        ...
