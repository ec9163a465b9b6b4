"""A client's octets put back in order, however they were cut, repeated and shuffled (RFC 9293, 3.10.7.4)."""

from bisect import insort

SEQUENCE_SPACE = 1 << 32

MAX_KEPT = 1 << 15
"""Octets kept of one stream: a record holds 16 KiB and browsers' hellos have 2; the rest is slack."""

MAX_PENDING = 2048
"""Pieces kept before a gap: a browser's hello in reverse order, one octet in each."""


def distance(start: int, end: int) -> int:
    """How far `end` lies behind `start`, negative if before it (RFC 9293, 3.4: numbers wrap)."""
    return (end - start + SEQUENCE_SPACE // 2) % SEQUENCE_SPACE - SEQUENCE_SPACE // 2


class Stream:
    """One direction of a connection from its first octet on, which has the number `first`.

    Where pieces overlap, what came first stays, as with the receiver that was given it first.
    """

    __slots__ = ("_data", "_first", "_pending", "_waiting")

    def __init__(self, first: int) -> None:
        self._first = first % SEQUENCE_SPACE
        self._data = bytearray()
        self._pending: list[tuple[int, bytes]] = []
        self._waiting = 0

    @property
    def data(self) -> bytes:
        """All octets up to the first gap."""
        return bytes(self._data)

    @property
    def next(self) -> int:
        """The number of the first octet that is missing."""
        return (self._first + len(self._data)) % SEQUENCE_SPACE

    @property
    def kept(self) -> int:
        """Octets in memory."""
        return len(self._data) + self._waiting

    def add(self, sequence: int, payload: bytes) -> bool:
        """Put a segment's octets in their place; False if that is farther than is kept."""
        offset = distance(self._first, sequence)
        if offset + len(payload) > MAX_KEPT or len(self._pending) >= MAX_PENDING:
            return False
        known = len(self._data) - offset
        if known >= len(payload):
            return True
        if known < 0:
            if self._waiting + len(payload) > MAX_KEPT:
                return False
            insort(self._pending, (offset, payload))
            self._waiting += len(payload)
            return True
        self._data += payload[known:]
        self._close_gaps()
        return True

    def _close_gaps(self) -> None:
        joined = 0
        for offset, piece in self._pending:
            if offset > len(self._data):
                break
            self._data += piece[len(self._data) - offset :]
            self._waiting -= len(piece)
            joined += 1
        del self._pending[:joined]
