"""Where a target is, and one handshake after another there at a measured pace; for what is not a scan."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import DNSObservation, Role, TCPObservation, TLSObservation
from kzmitm.model.target import Endpoint, Target
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.pump import Limits
from kzmitm.netio.resolve import addresses
from kzmitm.probe.dns import look_up
from kzmitm.probe.jarm import ask_jarm
from kzmitm.probe.quic import shake_hands_quic
from kzmitm.probe.tls import Conditions, Offer, Probed, shake_hands
from kzmitm.scan.draft import NONSENSE_SUFFIX
from kzmitm.scan.judged import Pacer
from kzmitm.scan.shared import Network
from kzmitm.verdict.judge import Judge
from kzmitm.wire.jarm import HELLOS


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """By what, by whose judgement and how fast something is measured."""

    network: Network
    judge: Judge
    pace: Pacer
    limits: Limits
    now: Callable[[], datetime]
    rng: Random
    benign_sni: tuple[str, ...] = ()
    """Names that nobody on the way should touch."""


class Reach:
    """Makes handshakes, and keeps what was observed and when."""

    def __init__(self, manner: Manner, *, is_control: bool = False) -> None:
        """With `is_control`, from the second vantage, which must be there."""
        network = manner.network
        if is_control and network.control_link is not None:
            network = replace(network, link=network.control_link)
        self.network = network
        self.pace = manner.pace
        self.nonsense = f"n{manner.rng.getrandbits(48):012x}{NONSENSE_SUFFIX}"
        """A name that no server can have."""
        self._manner = manner
        self.watch = start_stopwatch(manner.now())
        self.dns: list[DNSObservation] = []
        self.tcp: list[TCPObservation] = []
        self.tls: list[TLSObservation] = []
        self.connections = 0
        """Made so far, whatever became of them."""
        self._conditions = Conditions(network.link, self.watch, manner.limits)

    async def locate(self, target: Target) -> Sequence[Endpoint]:
        """The endpoints of a target, IPv4 before IPv6, by the user's word or the resolvers'; () for none."""
        given = self.network.overrides.endpoints(target)
        if given:
            return given
        port = self.network.overrides.port(target)
        if not self.network.link.resolves_names:
            return (Endpoint(target.hostname, port),)
        if self.network.resolver is None:
            return ()
        found = await look_up(self.network.resolver, target.hostname, self.watch)
        self.dns += found
        return tuple(Endpoint(ip, port) for ip in addresses(found))

    async def shake(self, offer: Offer, endpoint: Endpoint, *, role: Role = Role.FIRST) -> Probed:
        """One handshake, when it is its turn; kept."""
        async with self.pace.turn(endpoint):
            self.connections += 1
            probed = await shake_hands(
                offer, endpoint, self._conditions, role=role, transaction_id=self.connections
            )
        self.tcp.append(probed.tcp)
        if probed.tls is not None:
            self.tls.append(probed.tls)
        return probed

    async def shake_over_quic(self, sni: str | None, endpoint: Endpoint) -> TLSObservation:
        """One handshake over QUIC, when it is its turn; not kept, as a measurement is of TCP."""
        async with self.pace.turn(endpoint):
            self.connections += 1
            return await shake_hands_quic(sni, endpoint, self._conditions)

    async def follow_up(self, target: Target, endpoint: Endpoint) -> None:
        """Ask what the judge wants to know of a suspicious target, but for what was asked already."""
        facts = self._manner.judge.facts(self.measurement(target), self.watch.started_at)
        steps = self._manner.judge.follow_ups(
            facts, benign_sni=self._manner.benign_sni, nonsense_sni=self.nonsense
        )
        for step in steps:
            place = endpoint if step.address is None else Endpoint(step.address, endpoint.port)
            offer = Offer(step.sni, step.profile, engine=step.engine)
            if step.role is not Role.CONTROL and not self._was_asked(offer, place):
                await self.shake(offer, place, role=step.role)

    def _was_asked(self, offer: Offer, endpoint: Endpoint) -> bool:
        return any(
            (o.sni, o.hello.profile, o.hello.engine, o.endpoint)
            == (offer.sni, offer.profile, offer.engine, endpoint)
            for o in self.tls[1:]
        )

    async def jarm(self, sni: str, endpoint: Endpoint) -> str | None:
        """The JARM of whoever answers there: ten connections."""
        found = await ask_jarm(sni, endpoint, self._conditions, turn=self.pace.turn)
        self.connections += HELLOS
        return found

    def measurement(self, target: Target) -> Measurement:
        """All that was observed so far, as of one target."""
        return Measurement(
            target=target,
            vantage=self.network.link.vantage,
            started_at=self.watch.started_at,
            dns=tuple(self.dns),
            tcp=tuple(self.tcp),
            tls=tuple(self.tls),
            runtime_s=self.watch.elapsed(),
        )
