"""A trace as the decision looks at it: by port, by hop, and whether its distances mean anything."""

from kzmitm.model.location import Device, Finding, Hop, HopAddress, Segment
from kzmitm.model.trace import Answer, TraceObservation, WalkKind
from kzmitm.model.trace_table import BESIDE_KINDS, TraceTable, reached

INITIAL_TTLS = (64, 128, 255)
"""Of all systems in use, when they send."""

_SYN, _CONTROL, _WATCHED = WalkKind.SYN, WalkKind.HELLO_CONTROL, WalkKind.HELLO_WATCHED


class TraceView:
    """A trace and what is asked of it again and again."""

    def __init__(self, trace: TraceObservation) -> None:
        self.trace = trace
        self.table = TraceTable({kind: trace.steps(kind) for kind in WalkKind}, trace.endpoint.ip)
        self.why_unmeasurable = "flat"
        self.has_parallel_ways = _has_parallel_ways(self.table)
        self.is_uneven = any(map(self._differs, (_SYN, *BESIDE_KINDS, _CONTROL)))
        """Ways of different length lead to the target."""

    def _differs(self, kind: WalkKind) -> bool:
        end = self.table.nearest(kind, reached(kind))
        return end is not None and self.table.farthest_expiry(kind) >= end

    def flows(self, kind: WalkKind, ttl: int) -> dict[int, list[Answer]]:
        """The answers at a distance by port."""
        found: dict[int, list[Answer]] = {}
        for step in self.table.at(kind, ttl):
            found.setdefault(step.flow, []).append(step.answer)
        return found

    def hop(self, ttl: int) -> Hop:
        """Whoever answered at a distance; several on parallel ways, as nobody tells which one was taken."""
        kinds = (_SYN, *BESIDE_KINDS, _CONTROL, _WATCHED)
        steps = (step for kind in kinds for step in self.table.at(kind, ttl))
        told = (step.address for step in steps if step.answer is Answer.EXPIRED and step.address)
        return Hop(ttl, tuple(HopAddress(ip) for ip in dict.fromkeys(told)))

    def segment(self, lower: int, upper: int | None) -> Segment:
        at = None if upper is None else self.hop(upper)
        after = None if upper is None else self.hop(upper + 1)
        return Segment(lower, upper, self.hop(lower), at, after)

    def is_flat(self, found: list[Finding]) -> bool:
        """The target seems to be the first hop, and is not in this computer's network."""
        if self.table.opening() != 1 or self.trace.is_on_link:
            return False
        return all(f.device is Device.SNI_DROP for f in found)

    def is_stretched(self, found: list[Finding]) -> bool:
        """Answers of the target come from farther away than it seems to be, those of the last router not.

        So a router in front of it gave our packets a new TTL: whatever is behind is as near as the target.
        """
        distance = self.table.opening()
        if distance is None or any(f.segment and f.segment.upper != distance for f in found):
            return False
        if self.is_uneven or self.has_parallel_ways:
            return False
        if any(f.device is not Device.SNI_DROP for f in found):
            return False
        here, before = self.way_back(distance), self.way_back(distance - 1)
        self.why_unmeasurable = "stretched"
        return here is not None and here > distance and before == distance - 1

    def way_back(self, ttl: int) -> int | None:
        """How far answers to packets of a distance came, the least of them."""
        kinds = (_SYN, *BESIDE_KINDS)
        return min(
            (
                _length(step.reply_ttl)
                for kind in kinds
                for step in self.table.at(kind, ttl)
                if step.reply_ttl is not None and self.table.is_heard(kind, step)
            ),
            default=None,
        )


def _length(reply_ttl: int) -> int:
    """The hops that an answer took, from what is left of its TTL."""
    return next(initial for initial in INITIAL_TTLS if reply_ttl <= initial) - reply_ttl + 1


def _has_parallel_ways(table: TraceTable) -> bool:
    """At one distance, packets ran out at different routers."""
    heard: dict[int, set[str]] = {}
    for kind in (_SYN, *BESIDE_KINDS):
        for step in table.walked(kind):
            if step.answer is Answer.EXPIRED and step.address:
                heard.setdefault(step.ttl, set()).add(step.address)
    return any(len(addresses) > 1 for addresses in heard.values())
