"""One name, asked of every resolver there is."""

from kzmitm.model.observation import DNSObservation
from kzmitm.model.target import is_ip
from kzmitm.netio.clock import Stopwatch
from kzmitm.netio.resolve import Resolver


async def look_up(resolver: Resolver, hostname: str, stopwatch: Stopwatch) -> tuple[DNSObservation, ...]:
    """One observation per question asked; none for an address, which nobody needs to be asked about."""
    return () if is_ip(hostname) else await resolver.resolve(hostname, stopwatch)
