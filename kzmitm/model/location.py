"""Where on a path somebody acts, as far as a trace can tell."""

from dataclasses import dataclass
from enum import StrEnum

from kzmitm.model.target import Endpoint


class Device(StrEnum):
    """What is on the path, by how it acts. That somebody reads along, only a certificate tells."""

    TERMINATING_PROXY = "terminating_proxy"
    """Answers every connection to the port in the target's name, whatever name is asked for."""
    SNI_INTERCEPTOR = "sni_interceptor"
    """Takes a connection over, with a handshake, once the hello names the watched site."""
    SNI_INJECTOR = "sni_injector"
    """Ends it with a reset, an alert or the like then."""
    SNI_DROP = "sni_drop"
    """Lets nothing through any more then."""
    TCP_BLOCK = "tcp_block"
    """Lets no connection to the port be opened."""
    ENDPOINT = "endpoint"
    """Nothing nearer than the target answers: whatever there is, is at it or behind it."""
    UNMEASURABLE = "unmeasurable"
    """Distances mean nothing on this path: TTLs are rewritten on it."""
    UNLOCATED = "unlocated"
    """Nothing was proven."""


LOCATED = frozenset(
    {
        Device.TERMINATING_PROXY,
        Device.SNI_INTERCEPTOR,
        Device.SNI_INJECTOR,
        Device.SNI_DROP,
        Device.TCP_BLOCK,
    }
)
"""What has a place on the path."""


@dataclass(frozen=True, slots=True)
class System:
    """An autonomous system (RFC 1930) and who runs it, "" where that is not known."""

    asn: int
    operator: str = ""


@dataclass(frozen=True, slots=True)
class HopAddress:
    """An address that answered for a hop, and whose it is, None if nobody was asked or knew."""

    ip: str
    system: System | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """A distance, and who answered there: nobody where routers keep silent, several on parallel ways."""

    ttl: int
    addresses: tuple[HopAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """Behind `lower` hops and not behind `upper`: (lower, upper]; `upper` None: as far as may be.

    A device that looks at packets before their TTL is lowered acts at its own hop, one that looks later at
    the next: hence never a single hop. `before`, `at` and `after` are the hops lower, upper and upper + 1.
    """

    lower: int
    upper: int | None
    before: Hop
    at: Hop | None = None
    after: Hop | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A device and its segment; `proof` are codes of `kzmitm.report.trace`, each with its detail."""

    device: Device
    segment: Segment | None = None
    proof: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """What a trace came to: the finding that the watched name met first, then others on the same path.

    `untold` are codes of what could not be told. `distance` is that of the target, None if unknown.
    """

    endpoint: Endpoint
    finding: Finding
    others: tuple[Finding, ...] = ()
    untold: tuple[str, ...] = ()
    distance: int | None = None
