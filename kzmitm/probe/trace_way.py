"""Whether distances can be measured on a way at all."""

from kzmitm.errors import UsageError
from kzmitm.netio import errqueue
from kzmitm.netio.routing import Route, route_to
from kzmitm.netio.vantage import VantageLink

ANYWHERE = "192.0.2.1"
"""Nobody's (RFC 5737): the route to it is the one to the Internet."""


def check_link(link: VantageLink) -> None:
    """Raise UsageError for a way on which the hops that are counted would not be those to the target."""
    if not errqueue.is_supported():
        raise UsageError(
            "a trace works on Linux only", hint="other systems do not tell who let a packet expire"
        )
    if not link.is_direct:
        raise UsageError(
            "no trace through {kind}: the hops would be those to the proxy",
            hint="leave out --via",
            kind=link.vantage.kind,
        )
    route = route_to(ANYWHERE, link)
    if route is not None:
        check_route(route)


def check_route(route: Route) -> None:
    """Raise UsageError for a route into a tunnel."""
    if route.is_tunnel:
        raise UsageError(
            "no trace through {interface} ({driver}): a VPN or tunnel hides the hops it crosses",
            hint="switch it off, or give --via interface:NAME of another way out",
            interface=route.interface,
            driver=route.driver,
        )
