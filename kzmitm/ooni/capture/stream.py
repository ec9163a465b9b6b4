"""One direction of a TCP connection put in order: late, doubled, overlapping and missing segments."""

MAX_WAITING = 1 << 20
"""Octets that may wait behind a gap; a flight of certificates is below 256 KiB."""
MAX_SEGMENTS = 1024
"""How many may wait, whatever their length: each is looked at when one comes."""
_HALF = 1 << 31
_ALL = (1 << 32) - 1


class Stream:
    """Takes segments in any order and gives octets in theirs. What came first stays, as receivers have it."""

    def __init__(self) -> None:
        self._next: int | None = None
        """The number of the octet that is to come."""
        self._waiting: dict[int, bytes] = {}
        """Segments behind a gap, by their number."""
        self._waiting_octets = 0
        self._end: int | None = None
        self.is_lost = False
        """So much waits that the gap will not be closed."""

    @property
    def has_gap(self) -> bool:
        """Octets are missing before some that came, or before the end."""
        return bool(self._waiting) or (self._end is not None and not self.is_ended)

    @property
    def is_ended(self) -> bool:
        """All came up to the end."""
        return self._end is not None and self._next == self._end

    def begin(self, seq: int) -> None:
        """Say which number the first octet has, as the SYN tells; a later one tells nothing."""
        if self._next is None:
            self._next = seq & _ALL

    def end(self, seq: int) -> None:
        """Say which number follows the last octet, as the FIN tells."""
        self._end = seq & _ALL

    def take(self, seq: int, payload: bytes) -> bytes:
        """The octets that are in order now, those of the segment and those that waited for it."""
        self.begin(seq)
        if payload and not self.is_lost:
            self._keep(seq & _ALL, payload)
        return self._in_order()

    def _keep(self, seq: int, payload: bytes) -> None:
        known = self._waiting.get(seq, b"")
        if len(payload) > len(known):
            self._waiting[seq] = known + payload[len(known) :]
            self._waiting_octets += len(payload) - len(known)

    def _in_order(self) -> bytes:
        pieces: list[bytes] = []
        while (found := self._ready()) is not None:
            seq, behind = found
            payload = self._waiting.pop(seq)
            self._waiting_octets -= len(payload)
            fresh = payload[behind:]
            assert self._next is not None  # noqa: S101 - `take` begins
            self._next = (self._next + len(fresh)) & _ALL
            pieces.append(fresh)
        if self._waiting_octets > MAX_WAITING or len(self._waiting) > MAX_SEGMENTS:
            self._waiting.clear()
            self._waiting_octets, self.is_lost = 0, True
        return b"".join(pieces)

    def _ready(self) -> tuple[int, int] | None:
        """(number, octets of it that are known) of a segment that does not lie behind the gap."""
        assert self._next is not None  # noqa: S101
        for seq in self._waiting:
            behind = (self._next - seq) & _ALL
            if behind < _HALF:
                return seq, behind
        return None
