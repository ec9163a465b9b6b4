"""Network events (df-008), and what they tell of handshakes that do not tell their address."""

from collections.abc import Sequence

import msgspec


class Event(msgspec.Struct, gc=False):
    """A df-008 row, of old documents only: newer handshakes tell their address themselves."""

    address: str | None = None
    failure: str | None = None
    operation: str | None = None
    t: float | None = None
    transaction_id: int | None = None
    conn_id: int | None = None


decode_events = msgspec.json.Decoder(list[Event] | None).decode


def address_from(
    events: Sequence[Event], numbers: tuple[int | None, int | None], t: float | None, place: int
) -> str:
    """The address of a handshake from before 2022-05, which only the events of its connection have.

    They are joined by number (`transaction_id`, or the `conn_id` of early 2020), or where there is none by
    the time at which the handshake ended, or by order.
    """
    transaction, connection = numbers
    if transaction or connection:
        mine = (
            event.address
            for event in events
            if (event.transaction_id == transaction if transaction else event.conn_id == connection)
        )
        return next((address for address in mine if address), "")
    connects, done = [], 0
    for event in events:
        if event.operation == "connect" and event.failure is None:
            connects.append(event.address or "")
        elif event.operation == "tls_handshake_done" and event.t == t:
            done = len(connects)
            break
    if done:
        return connects[done - 1]
    return connects[place] if place < len(connects) else ""
