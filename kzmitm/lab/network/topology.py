"""The hosts, wires and addresses of the network. Data, and the words of `ip` that make it.

    client ── access ── operator ── transit ── server

Addresses are for documentation (RFC 5737) and unique local (RFC 4193, 3849 has no room for five subnets):
none of them can be a real host, and no route leads out of the namespaces.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kzmitm.lab.profile import Place
from kzmitm.lab.session import Hop
from kzmitm.wording import Wording

INSIDE, OUTSIDE = "inside", "outside"
"""The two interfaces of a router: towards the client, and towards the server."""

HOSTS = ("client", "access", "operator", "transit", "server")
ROUTERS = ("access", "operator", "transit")


@dataclass(frozen=True, slots=True)
class Wire:
    """A pair of virtual interfaces; `near` is the end towards the client."""

    near: str
    near_interface: str
    far: str
    far_interface: str
    near_addresses: tuple[str, str]
    far_addresses: tuple[str, str]


WIRES = (
    Wire("client", OUTSIDE, "access", INSIDE, ("10.77.0.2/24", "fd77::2/64"), ("10.77.0.1/24", "fd77::1/64")),
    Wire(
        "access",
        OUTSIDE,
        "operator",
        INSIDE,
        ("198.51.100.1/30", "fd77:12::1/64"),
        ("198.51.100.2/30", "fd77:12::2/64"),
    ),
    Wire(
        "operator",
        OUTSIDE,
        "transit",
        INSIDE,
        ("198.51.100.5/30", "fd77:23::1/64"),
        ("198.51.100.6/30", "fd77:23::2/64"),
    ),
    Wire(
        "transit",
        OUTSIDE,
        "server",
        INSIDE,
        ("203.0.113.1/24", "fd77:34::1/64"),
        ("203.0.113.10/24", "fd77:34::10/64"),
    ),
)

SITE_ADDRESSES = tuple((f"203.0.113.{n}", f"fd77:34::{n}") for n in (10, 11, 12, 13))
"""Every site answers at every one of these, chosen by SNI; the name server gives each site its own."""
NAMESERVER = ("203.0.113.53", "fd77:34::53")
BLOCK_PAGE = ("203.0.113.66", "fd77:34::66")
"""Where hijacked names lead to."""

SERVER_ADDRESSES = (*SITE_ADDRESSES[1:], NAMESERVER, BLOCK_PAGE)
"""What the server has besides the address of its wire."""

ROUTES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("client", ("default via 10.77.0.1", "default via fd77::1")),
    ("access", ("default via 198.51.100.2", "default via fd77:12::2")),
    (
        "operator",
        (
            "default via 198.51.100.6",
            "default via fd77:23::2",
            "10.77.0.0/24 via 198.51.100.1",
            "fd77::/64 via fd77:12::1",
        ),
    ),
    (
        "transit",
        (
            "10.77.0.0/24 via 198.51.100.5",
            "198.51.100.0/30 via 198.51.100.5",
            "fd77::/64 via fd77:23::1",
            "fd77:12::/64 via fd77:23::1",
        ),
    ),
    ("server", ("default via 203.0.113.1", "default via fd77:34::1")),
)
"""No host has a route to anything but the others."""

HOST_SETTINGS = (
    # Nobody else can have an address here; looking for one who has would keep IPv6 waiting for two seconds.
    ("net/ipv6/conf/all/accept_dad", "0"),
    ("net/ipv6/conf/default/accept_dad", "0"),
)
"""Of every host, before it has an interface. Names are files below /proc/sys."""

ROUTER_SETTINGS = (
    ("net/ipv4/ip_forward", "1"),
    ("net/ipv6/conf/all/forwarding", "1"),
    # Several walks at once would otherwise be told nothing at most hops (six messages, then one a second).
    ("net/ipv4/icmp_ratelimit", "0"),
    ("net/ipv6/icmp/ratelimit", "0"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    # What an interceptor sends in another's name comes back by a way that the routes do not tell.
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
)

_TITLES = {
    "client": Wording("the client's computer"),
    "access": Wording("the access router"),
    "operator": Wording("the operator's gateway"),
    "transit": Wording("the transit router"),
    "server": Wording("the servers of the sites"),
}


def hops() -> tuple[Hop, ...]:
    """The hosts in the order of the way, with the addresses by which a client meets them."""
    met = {
        "client": tuple(_bare(WIRES[0].near_addresses)),
        **{wire.far: tuple(_bare(wire.far_addresses)) for wire in WIRES},
    }
    return tuple(
        Hop(name=name, title=_TITLES[name], place=Place(name), addresses=met[name]) for name in HOSTS
    )


def links(wire: Wire, near_fd: int, far_fd: int) -> str:
    """The words of `ip -batch` that make a wire between two namespaces that process 1 holds open."""
    # Two ends with one number, as first interfaces have, are one device to the kernel, which then is
    # in no hurry to tell IPv6 that there is a carrier (net/core/link_watch.c): a second is lost.
    near, far = (10 * (WIRES.index(wire) + 1) + end for end in (1, 2))
    return (
        f"link add {wire.near_interface} index {near} netns /proc/1/fd/{near_fd} type veth "
        f"peer name {wire.far_interface} index {far} netns /proc/1/fd/{far_fd}\n"
    )


def addressing(host: str) -> str:
    """The words of `ip -batch`, inside a host, that give it its addresses and bring it up."""
    lines = ["link set lo up"]
    for interface, addresses in _interfaces(host):
        # Nobody else has the address, so looking for one who has (DAD) would cost a second.
        lines += [f"addr add {address} dev {interface}{_nodad(address)}" for address in addresses]
        lines.append(f"link set {interface} up")
    if host == "server":
        for v4, v6 in SERVER_ADDRESSES:
            lines += [f"addr add {v4}/24 dev {INSIDE}", f"addr add {v6}/64 dev {INSIDE} nodad"]
    routes = dict(ROUTES)[host]
    lines += [f"route add {route}" for route in routes]
    return "".join(f"{line}\n" for line in lines)


def _interfaces(host: str) -> Iterator[tuple[str, Sequence[str]]]:
    for wire in WIRES:
        if wire.near == host:
            yield wire.near_interface, wire.near_addresses
        if wire.far == host:
            yield wire.far_interface, wire.far_addresses


def _nodad(address: str) -> str:
    return " nodad" if ":" in address else ""


def _bare(addresses: Sequence[str]) -> Iterator[str]:
    return (address.partition("/")[0] for address in addresses)
