"""Filters in the path that strike when a watched name shows, on loopback: blocking, and no interception."""

from functools import partial

from kzmitm.lab.loopback.faults import Fault, NameFilter
from kzmitm.lab.loopback.laboratory import Lab
from kzmitm.lab.profile import Loopback


def path_fault(name: str, fault: Fault, *, site: str) -> Loopback:
    """A name filter in front of each site of a profile."""

    def on(lab: Lab) -> None:
        for hostname in lab.sites_of(name):
            origin = lab.origin(hostname)
            endpoint = lab.serve(partial(NameFilter, origin, lab.watched, fault), origin.ip)
            lab.route(name, hostname, endpoint)

    def off(_lab: Lab) -> None:
        """The filter is left without a route to it."""

    return Loopback(on=on, off=off, sites=(site,))
