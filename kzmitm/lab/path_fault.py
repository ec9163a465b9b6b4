"""Profiles of filters in the path that strike when a watched name shows: blocking, and no interception."""

from functools import partial

from kzmitm.lab.faults import Fault, NameFilter
from kzmitm.lab.laboratory import Lab
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.sites import WATCHED
from kzmitm.model.verdict import Outcome


def path_fault(name: str, *, title: str, site: str, fault: Fault) -> Profile:
    """A profile with a name filter in front of each of its sites."""

    def on(lab: Lab) -> None:
        for hostname in lab.sites_of(name):
            origin = lab.origin(hostname)
            endpoint = lab.serve(partial(NameFilter, origin, WATCHED, fault), origin.ip)
            lab.route(name, hostname, endpoint)

    def off(_lab: Lab) -> None:
        """The filter is left without a route to it."""

    return Profile(
        name=name,
        title=title,
        place=Place.PATH,
        sites=(site,),
        expected=expect(Outcome.BLOCKED),
        on=on,
        off=off,
        selective=True,
    )
