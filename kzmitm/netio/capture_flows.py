"""Which packets belong to connections of ours: told apart by both ends, and by when the connection began.

A connection is known by its two addresses and ports *and* by the SYN that opened it, since another program
may be given the same ports once we have let them go. Its SYN is usually seen before anybody can tell us
that it is ours; so packets wait, unclaimed, until somebody does.
"""

import ipaddress
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from kzmitm.netio.opened import Opened

MAX_OCTETS = 16 << 20
"""Octets of packets kept. A handshake is about 7 KiB with its headers, so these are over two thousand: a scan
of more is a campaign. Scapy writes so many small packets in a quarter of a second, and the user waits."""

MAX_UNCLAIMED = 8 << 20
"""Octets that may wait to be claimed. Ours wait as long as a connect takes, at most; what other programs
begin fills this, and its oldest is forgotten."""

MAX_UNCLAIMED_EACH = 256 << 10
"""Those of one connection: a download of another program must not push ours out."""

CLAIM_S = 5.0
"""How long a claim waits for its SYN, which a queue of the system may hold back. A later one is not meant."""

PER_PACKET = 44
"""Octets that the file adds to a packet (an enhanced packet block, padded); in memory it costs more."""

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_TCP = 6
_V6_HEADER = 40


class Packet(NamedTuple):
    """One packet from its IP header on."""

    number: int
    """In the order in which the packets came."""
    t_ns: int
    """Nanoseconds since 1970, by the system."""
    octets: bytes


class Seen(NamedTuple):
    """Where and when the system saw a packet."""

    t_ns: int
    place: str
    """The interface; it tells copies of a packet apart and goes no further."""
    may_open: bool
    """It goes out from here, or stays here: only then can its SYN be ours."""


class Segment(NamedTuple):
    """What of a TCP segment tells to which connection it belongs, and whether that ends."""

    source: bytes
    target: bytes
    seq: int
    ack: int
    flags: int
    end: int
    """The number after its last octet."""


@dataclass(slots=True)
class _Flow:
    isn: int
    is_ours: bool
    waiting: list[Packet] = field(default_factory=list)
    waiting_octets: int = 0
    places: list[str | None] = field(default_factory=lambda: [None, None])
    """Where each direction is taken from: one packet passes a bridge, a bond or a VLAN more than once."""
    fins: list[int | None] = field(default_factory=lambda: [None, None])
    acked: list[bool] = field(default_factory=lambda: [False, False])
    ended: bool = False


class Flows:
    """The connections of this computer that began since, and the packets of those that were claimed.

    All of it belongs to one thread, but `claim`.
    """

    def __init__(self, *, max_octets: int = MAX_OCTETS, max_unclaimed: int = MAX_UNCLAIMED) -> None:
        self.truncated = False
        """There was more than `max_octets`."""
        self._kept: list[Packet] = []
        self._flows: dict[bytes, _Flow] = {}
        self._unclaimed: dict[bytes, _Flow] = {}
        self._claims: deque[bytes] = deque()
        """Not looked at yet."""
        self._awaited: dict[bytes, float] = {}
        """Claims whose SYN was not seen yet, and until when they wait for it."""
        self._room = max_octets
        self._unclaimed_room = max_unclaimed
        self._running = 0
        self._count = 0

    @property
    def all_ended(self) -> bool:
        """No more packets are to be expected: every connection claimed was closed by both sides, or reset."""
        return not self._running and not self._awaited

    @property
    def missed(self) -> int:
        """How many connections were claimed and never seen: none left, or they bear other addresses."""
        return len(self._awaited)

    def packets(self) -> list[Packet]:
        """The packets of the connections claimed, in the order in which they came."""
        return sorted(self._kept)

    def claim(self, opened: Opened) -> None:
        """Say, from any thread, that a connection is ours. It is settled once earlier packets are taken."""
        self._claims.append(key_of(opened))

    def count_claims(self) -> int:
        """How many have to be settled."""
        return len(self._claims)

    def settle(self, count: int, now: float) -> None:
        """Look at so many claims: each means the last connection seen with its ends, or the next."""
        for _ in range(min(count, len(self._claims))):
            self._settle(self._claims.popleft(), now)

    def _settle(self, key: bytes, now: float) -> None:
        flow = self._unclaimed.pop(key, None)
        if flow is None:
            self._awaited[key] = now + CLAIM_S
            return
        flow.is_ours = True
        self._running += not flow.ended
        waiting, flow.waiting = flow.waiting, []
        self._unclaimed_room += flow.waiting_octets
        for packet in waiting:
            self._keep(packet)

    def take(self, octets: bytes, seen: Seen, now: float) -> None:
        """Look at one packet, from its IP header on, whosever it is."""
        octets = without_padding(octets)
        segment = read_segment(octets)
        if segment is None:
            return
        if segment.flags & (_SYN | _ACK) == _SYN and seen.may_open:
            self._open(segment, now)
        direction, key = 0, segment.source + segment.target
        flow = self._flows.get(key)
        if flow is None:
            direction, key = 1, segment.target + segment.source
            flow = self._flows.get(key)
        if flow is None:
            return
        place = flow.places[direction]
        if place is None:
            flow.places[direction] = seen.place
        elif place != seen.place:
            return
        self._count += 1
        packet = Packet(self._count, seen.t_ns, octets)
        if flow.is_ours:
            self._keep(packet)
        else:
            self._let_wait(key, flow, packet, now)
        self._follow(flow, segment, direction)

    def _open(self, segment: Segment, now: float) -> None:
        key = segment.source + segment.target
        flow = self._flows.get(key)
        if flow is not None:
            if flow.isn == segment.seq:
                return  # sent again, or the copy of another interface
            self._drop(key, flow)
        until = self._awaited.pop(key, None)
        is_ours = until is not None and now <= until
        self._flows[key] = new = _Flow(segment.seq, is_ours)
        if is_ours:
            self._running += 1
        else:
            self._unclaimed[key] = new

    def _drop(self, key: bytes, flow: _Flow) -> None:
        """Follow a connection no longer; what was kept of it stays."""
        del self._flows[key]
        if flow.is_ours:
            self._running -= not flow.ended
        else:
            del self._unclaimed[key]
            self._unclaimed_room += flow.waiting_octets

    def _let_wait(self, key: bytes, flow: _Flow, packet: Packet, now: float) -> None:
        flow.waiting.append(packet)
        flow.waiting_octets += _cost(packet)
        self._unclaimed_room -= _cost(packet)
        if flow.waiting_octets > MAX_UNCLAIMED_EACH or self._unclaimed_room < 0:
            self.settle(len(self._claims), now)  # lest one be forgotten whose claim is here already
            if key in self._unclaimed and flow.waiting_octets > MAX_UNCLAIMED_EACH:
                self._drop(key, flow)
        while self._unclaimed_room < 0:
            oldest = next(iter(self._unclaimed))
            self._drop(oldest, self._unclaimed[oldest])

    def _keep(self, packet: Packet) -> None:
        # What is kept is the beginning, without holes of small packets that would still fit.
        if self.truncated or _cost(packet) > self._room:
            self.truncated = True
            return
        self._room -= _cost(packet)
        self._kept.append(packet)

    def _follow(self, flow: _Flow, segment: Segment, direction: int) -> None:
        if segment.flags & _FIN:
            flow.fins[direction] = segment.end
        if segment.flags & _ACK and segment.ack == flow.fins[1 - direction]:
            flow.acked[1 - direction] = True
        if not flow.ended and (segment.flags & _RST or all(flow.acked)):
            flow.ended = True
            self._running -= flow.is_ours


def _cost(packet: Packet) -> int:
    return len(packet.octets) + PER_PACKET


def key_of(opened: Opened) -> bytes:
    """Both ends as the packets have them, the opening side first."""
    return b"".join(_packed(end.ip) + end.port.to_bytes(2, "big") for end in (opened.local, opened.remote))


def _packed(text: str) -> bytes:
    ip = ipaddress.ip_address(text)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped.packed  # such a socket sends IPv4
    return ip.packed


def without_padding(octets: bytes) -> bytes:
    """The packet alone: Ethernet fills short frames up, with anything (RFC 894)."""
    if octets[:1] and octets[0] >> 4 == 6:
        length = int.from_bytes(octets[4:6], "big")
        return octets[: _V6_HEADER + length] if length else octets
    length = int.from_bytes(octets[2:4], "big")
    # 0 stands for "too long for this field", before the network card cuts it into packets.
    return octets[:length] if length else octets


def read_segment(octets: bytes) -> Segment | None:
    """The TCP segment in an IP packet; None if there is none, or not its beginning.

    Extension headers of IPv6 are not looked behind: no system puts one before TCP unasked.
    """
    if len(octets) < 20:
        return None
    version = octets[0] >> 4
    if version == 4:
        start = (octets[0] & 15) * 4
        is_tcp = octets[9] == _TCP and not int.from_bytes(octets[6:8], "big") & 0x1FFF
        source, target = octets[12:16], octets[16:20]
    else:
        start = _V6_HEADER
        is_tcp = version == 6 and octets[6] == _TCP
        source, target = octets[8:24], octets[24:40]
    tcp = octets[start : start + 20]
    if not is_tcp or len(tcp) < 20:
        return None
    seq, flags = int.from_bytes(tcp[4:8], "big"), tcp[13]
    length = len(octets) - start - (tcp[12] >> 4) * 4 + bool(flags & _SYN) + bool(flags & _FIN)
    return Segment(
        source + tcp[0:2],
        target + tcp[2:4],
        seq,
        int.from_bytes(tcp[8:12], "big"),
        flags,
        (seq + length) & 0xFFFFFFFF,
    )
