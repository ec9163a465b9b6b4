"""`direct:`: this computer, by whatever way it takes."""

from dataclasses import dataclass, field

from kzmitm.model.target import DNSPlace, Vantage
from kzmitm.netio.links._local import LocalLink
from kzmitm.netio.vantage import AddressError

FORM = "direct:"
NAMES_RESOLVED = DNSPlace.HERE


@dataclass(frozen=True, slots=True)
class DirectLink(LocalLink):
    """Plain sockets of this computer."""

    vantage: Vantage = field(default_factory=lambda: Vantage(dns=DNSPlace.HERE))


def open_link(rest: str, vantage: Vantage) -> DirectLink:
    if rest:
        raise AddressError("nothing may follow the colon")
    return DirectLink(vantage)
