"""A path in memory: routers, load balancers, devices, losses; a Prober over it, as the network would answer.

Verified against the real network by tests/lab/test_trace_network.py, which has the same cases.
"""

from dataclasses import dataclass, field
from random import Random

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Hello, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.model.trace import FULL_TTL, HELLO_ANSWERS, Answer, Step, TraceMethod

ENDPOINT = Endpoint("203.0.113.10", 443)
WATCHED, HARMLESS = "watched.test", "harmless.test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A device at router `hop` (1 is the first), which acts before or after that router looks at the TTL."""

    hop: int
    acts: str
    """`forge`, `reset`, `drop`: by name. `proxy`, `refuse`, `block`: every connection to the port."""
    early: bool = False
    """It acts at its own hop; else a packet that runs out there never reaches it."""
    on_path: bool = False
    """It sees a copy: the packet goes on."""
    copies_ttl: bool = False

    @property
    def reached_with(self) -> int:
        """The lowest TTL that reaches it."""
        return self.hop if self.early else self.hop + 1

    @property
    def by_name(self) -> bool:
        return self.acts in ("forge", "reset", "drop")


@dataclass(slots=True, kw_only=True)
class World:
    """`lengths`: how many routers each of the parallel ways has; a flow always takes the same one."""

    lengths: tuple[int, ...] = (5,)
    boxes: tuple[Box, ...] = ()
    hidden: frozenset[int] = frozenset()
    """Routers that never say anything."""
    rewrites_at: int = 0
    """The router that gives every packet a new TTL; 0 for none."""
    icmp_budget: int = 10**9
    """Messages that each router sends in all."""
    udp_budget: int = 10**9
    """Closed ports that the server tells of."""
    loss: float = 0.0
    back: int = 0
    """Hops more on the way back than on the way there."""
    sticky: bool = True
    """False: a way is drawn for each connection, as for connections that differ in more than ports."""
    seed: int = 0
    spent: dict[object, int] = field(default_factory=dict)
    rng: Random = field(init=False)

    def __post_init__(self):
        self.rng = Random(self.seed)

    def way(self, key):
        if len(self.lengths) == 1:
            return 0
        return Random(f"{self.seed} {key}").randrange(len(self.lengths)) if self.sticky else self.draw()

    def draw(self):
        return self.rng.randrange(len(self.lengths))

    def is_lost(self):
        return self.rng.random() < self.loss

    def spend(self, who, budget):
        self.spent[who] = self.spent.get(who, 0) + 1
        return self.spent[who] <= budget

    def farthest(self, ttl):
        """The last router that a packet reaches, were the way endless: TTLs may be given anew."""
        return 10**6 if self.rewrites_at and ttl >= self.rewrites_at else ttl

    def expiry(self, ttl, way):
        """Who says that it ran out; None for silence."""
        hop = min(ttl, 10**6)
        if hop in self.hidden or not self.spend(hop, self.icmp_budget) or self.is_lost() or self.is_lost():
            return None
        return f"10.{way if len(self.lengths) > 1 else 0}.{hop}.1", 64 - (hop - 1)

    def reply_ttl(self, hops):
        return 64 - hops - self.back


class WorldProber:
    """Asks the world."""

    method = TraceMethod.SOCKETS
    flow = 0

    def __init__(self, world):
        self.world = world
        self.next_flow = 40000
        self.time = 0.0

    def close(self):
        pass

    def _step(self, ttl, flow, answer, address=None, reply_ttl=None, tls=None):
        self.time += 0.001
        failure = (
            None if answer in (Answer.OPEN, Answer.HANDSHAKE, Answer.ARRIVED) else Failure.GENERIC_TIMEOUT
        )
        return Step(
            ttl=ttl, flow=flow, answer=answer, address=address, reply_ttl=reply_ttl, failure=failure, tls=tls,
            t0=self.time - 0.001, t=self.time,
        )  # fmt: skip

    def _flow(self, flow):
        if flow:
            return flow
        self.next_flow += 1
        return self.next_flow

    def _plain(self, kind, port, ttl, flow):
        """A packet that no box reads by name."""
        world, flow = self.world, self._flow(flow)
        way = world.way((kind, port, flow))
        length, far = world.lengths[way], world.farthest(ttl)
        boxes = sorted((b for b in world.boxes if not b.by_name), key=lambda b: b.reached_with)
        for box in boxes if kind == "syn" and port == ENDPOINT.port else ():
            if far < box.reached_with:
                break
            if world.is_lost() or world.is_lost() or box.acts == "block":
                return self._step(ttl, flow, Answer.SILENCE)
            answer = Answer.OPEN if box.acts == "proxy" else Answer.REFUSED
            return self._step(ttl, flow, answer, ENDPOINT.ip)
        if world.is_lost():
            return self._step(ttl, flow, Answer.SILENCE)
        if far <= length:
            said = world.expiry(ttl, way)
            return (
                self._step(ttl, flow, Answer.EXPIRED, *said)
                if said
                else self._step(ttl, flow, Answer.SILENCE)
            )
        if world.is_lost():
            return self._step(ttl, flow, Answer.SILENCE)
        if kind == "udp":
            if not world.spend("server", world.udp_budget):
                return self._step(ttl, flow, Answer.SILENCE)
            return self._step(ttl, flow, Answer.ARRIVED, ENDPOINT.ip, world.reply_ttl(length))
        return self._step(ttl, flow, Answer.OPEN, ENDPOINT.ip)

    async def syn(self, port, ttl, flow, _wait_s):
        return self._plain("syn", port, ttl, flow)

    async def udp(self, port, ttl, flow, _wait_s):
        return self._plain("udp", port, ttl, flow)

    async def hello(self, name, ttl, flow, patience):
        opened = self._plain("syn", ENDPOINT.port, FULL_TTL, flow)
        if opened.answer is Answer.SILENCE and self.world.loss:
            opened = self._plain("syn", ENDPOINT.port, FULL_TTL, opened.flow)  # TCP repeats its SYN
        if opened.answer is not Answer.OPEN:
            return self._step(ttl, opened.flow, Answer.UNSENT)
        steps = [self._said(name, ttl, opened.flow, patience) for _ in range(3 if self.world.loss else 1)]
        answered = [step for step in steps if step.answer in HELLO_ANSWERS]
        expired = [step for step in steps if step.answer is Answer.EXPIRED]
        return (answered or expired or steps)[0]

    def _said(self, name, ttl, flow, patience):
        world = self.world
        way = world.way(("syn", ENDPOINT.port, flow))
        length, far = world.lengths[way], world.farthest(ttl)
        proxies = [b for b in world.boxes if b.acts == "proxy"]
        end = min([length + 1, *(b.reached_with for b in proxies)])
        for box in sorted((b for b in world.boxes if b.by_name), key=lambda b: b.reached_with):
            if box.reached_with > end or far < box.reached_with:
                break
            if name != WATCHED:
                continue
            acted = self._acted(box, ttl, flow, patience)
            if acted is not None:
                return acted
        if world.is_lost():
            return self._step(ttl, flow, Answer.SILENCE)
        if far < end:
            said = world.expiry(ttl, way)
            return self._step(ttl, flow, Answer.EXPIRED if said else Answer.SILENCE)
        if world.is_lost():
            return self._step(ttl, flow, Answer.SILENCE)
        return self._step(ttl, flow, Answer.HANDSHAKE, ENDPOINT.ip, tls=seen(name))

    def _acted(self, box, ttl, flow, patience):
        """What a box does about the watched name; None if it does nothing that is seen here."""
        if box.acts == "drop":
            return self._step(ttl, flow, Answer.SILENCE)
        left = ttl - (box.hop - 1) - (box.hop - 1) if box.copies_ttl else 64 - (box.hop - 1)
        if self.world.is_lost():
            return None if box.on_path else self._step(ttl, flow, Answer.SILENCE)
        if left < 1 or left < patience.floor_ttl:
            return None if box.on_path else self._step(ttl, flow, Answer.SILENCE)
        answer = Answer.HANDSHAKE if box.acts == "forge" else Answer.RESET
        return self._step(ttl, flow, answer, ENDPOINT.ip, tls=seen(name=WATCHED))


def seen(name):
    return TLSObservation(endpoint=ENDPOINT, sni=name, hello=Hello("small"))
