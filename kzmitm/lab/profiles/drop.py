"""Nothing comes any more once the ClientHello names a watched site."""

from functools import partial

from kzmitm.lab.faults import Fault, NameFilter
from kzmitm.lab.laboratory import Lab
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.sites import WATCHED
from kzmitm.model.verdict import Outcome

NAME = "drop"


def _on(lab: Lab) -> None:
    for hostname in lab.sites_of(NAME):
        connection = partial(NameFilter, lab.origin(hostname), WATCHED, Fault.DROP)
        lab.route(NAME, hostname, lab.serve(connection))


def _off(_lab: Lab) -> None:
    """The filter is left without a route to it."""


PROFILE = Profile(
    name=NAME,
    title="a filter that swallows connections to watched names",
    place=Place.PATH,
    sites=("radio.lab.test",),
    expected=expect(Outcome.BLOCKED),
    on=_on,
    off=_off,
    selective=True,
)
