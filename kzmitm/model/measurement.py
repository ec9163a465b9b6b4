"""A measurement: all observations of one target at one time. No verdict is inside."""

from dataclasses import dataclass
from datetime import datetime

from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.observation import DNSObservation, Role, TCPObservation, TLSObservation
from kzmitm.model.target import Target, Vantage
from kzmitm.model.trace import TraceObservation


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Everything observed of one target from one vantage.

    `started_at` is aware UTC; every `t0` and `t` inside counts from it. `clock_offset_s` is how far our
    clock runs ahead of independent witnesses (positive: ours is late in the day), None if none was asked.
    `local_trust` is what the trust stores of this computer say, None if they were not read. `trace` is what
    was seen of the way to its addresses, () if nobody walked it.
    """

    target: Target
    vantage: Vantage
    started_at: datetime
    dns: tuple[DNSObservation, ...] = ()
    tcp: tuple[TCPObservation, ...] = ()
    tls: tuple[TLSObservation, ...] = ()
    clock_offset_s: float | None = None
    runtime_s: float = 0.0
    software_version: str = ""
    local_trust: LocalTrust | None = None
    trace: tuple[TraceObservation, ...] = ()

    @property
    def first(self) -> TLSObservation | None:
        """The handshake that the verdict is about: the first one that showed a chain, else the first."""
        firsts = [o for o in self.tls if o.role is Role.FIRST]
        return next((o for o in firsts if o.presented_chain), firsts[0] if firsts else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlChain:
    """A chain seen at a clean place for a name: DER in the order presented, and when."""

    chain: tuple[bytes, ...]
    seen_at: datetime
    ip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlEntry:
    """What a name looked like at a clean place: the set of chains, addresses, or the failure instead.

    A name has several genuine leaves at once (RSA and ECDSA twins, keys per location, rotation), so
    this is a set and never "the" certificate.
    """

    hostname: str
    port: int = 443
    chains: tuple[ControlChain, ...] = ()
    ips: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
