"""All connections of which nothing is decided yet, or was only just; bounded in number, memory and time."""

from collections import OrderedDict

from kzmitm.lab.interceptor.actions import Action, FlowKey, Settle, Treatment
from kzmitm.lab.interceptor.flow import Flow, Policy, State
from kzmitm.lab.interceptor.packets import ACK, SYN, Segment, parse_segment

HTTPS_PORT = 443

MAX_FLOWS = 8192
"""Connections at once; a flood of SYNs pushes the idle ones out, which are then left alone."""

MAX_OCTETS = 16 << 20
"""Of unfinished hellos: as many connections, each with one of a browser's size."""

IDLE_S = 60.0
"""Undecided and silent for so long, a connection is forgotten, and left alone when it speaks again."""


class FlowTable:
    """Packets in, actions out. Knows no clock and no kernel: `now` is seconds on any monotonic clock."""

    def __init__(self, policy: Policy, *, max_flows: int = MAX_FLOWS, max_octets: int = MAX_OCTETS) -> None:
        self._policy = policy
        self._max_flows = max_flows
        self._max_octets = max_octets
        self._flows: OrderedDict[FlowKey, tuple[Flow, float]] = OrderedDict()
        self._octets = 0

    def __len__(self) -> int:
        return len(self._flows)

    @property
    def octets(self) -> int:
        """Octets of clients in memory."""
        return self._octets

    def packet(self, number: int, packet: bytes, now: float) -> list[Action]:
        """What to do about a packet. What is not TCP, or not to or from HTTPS, passes."""
        segment = parse_segment(packet)
        if segment is None:
            return [Settle(number, Treatment.PASS)]
        if segment.has(SYN, ACK):
            return self._synack(number, segment, now)
        if segment.destination_port != HTTPS_PORT:
            return [Settle(number, Treatment.PASS)]
        if segment.has(SYN):
            return self._syn(number, segment, now)
        key = _key(segment)
        if key not in self._flows:
            return [Settle(number, Treatment.LEAVE)]
        flow = self._touch(key, now)
        before = flow.kept
        actions = flow.segment(number, packet, segment)
        return [*actions, *self._account(key, flow, before)]

    def answered(self, key: FlowKey, *, is_valid: bool) -> list[Action]:
        """What to do now that the origin was asked."""
        if key not in self._flows:
            return []
        flow, _ = self._flows[key]
        before = flow.kept
        return [*flow.answer(is_valid=is_valid), *self._account(key, flow, before)]

    def forget(self, key: FlowKey) -> list[Action]:
        """Drop a connection; what is held of it goes on."""
        found = self._flows.pop(key, None)
        if found is None:
            return []
        self._octets -= found[0].kept
        return found[0].leave()

    def expire(self, now: float) -> list[Action]:
        """Forget what has been silent for too long."""
        actions: list[Action] = []
        while self._flows:
            key, (_, seen_at) = next(iter(self._flows.items()))
            if now - seen_at < IDLE_S:
                break
            actions += self.forget(key)
        return actions

    def _syn(self, number: int, segment: Segment, now: float) -> list[Action]:
        key = _key(segment)
        if segment.payload:
            # TCP Fast Open (RFC 7413): the server may have the hello before us.
            return [*self.forget(key), Settle(number, Treatment.LEAVE)]
        actions: list[Action] = []
        known = self._flows.get(key)
        if known is None or not known[0].is_opened_by(segment):
            actions = self.forget(key)
            self._flows[key] = (Flow(key, segment, self._policy), now)
            actions += self._make_room()
        return [*actions, Settle(number, Treatment.FRESH)]

    def _synack(self, number: int, segment: Segment, now: float) -> list[Action]:
        key = FlowKey(segment.destination, segment.destination_port, segment.source, segment.source_port)
        if key not in self._flows:
            return [Settle(number, Treatment.PASS)]
        return self._touch(key, now).synack(number, segment, now)

    def _touch(self, key: FlowKey, now: float) -> Flow:
        flow, _ = self._flows[key]
        self._flows[key] = (flow, now)
        self._flows.move_to_end(key)
        return flow

    def _account(self, key: FlowKey, flow: Flow, before: int) -> list[Action]:
        self._octets += flow.kept - before
        if flow.state is State.LEFT:
            return self.forget(key)
        return self._make_room()

    def _make_room(self) -> list[Action]:
        actions: list[Action] = []
        while len(self._flows) > self._max_flows or self._octets > self._max_octets:
            actions += self.forget(next(iter(self._flows)))
        return actions


def _key(segment: Segment) -> FlowKey:
    return FlowKey(segment.source, segment.source_port, segment.destination, segment.destination_port)
