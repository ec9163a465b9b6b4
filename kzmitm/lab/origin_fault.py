"""Profiles of origins that are broken by themselves: the same from every network, so no interception."""

from collections.abc import Callable

from kzmitm.lab.laboratory import Lab
from kzmitm.lab.pki import Credential
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.model.verdict import Outcome


def origin_fault(name: str, *, title: str, site: str, broken: Callable[[Lab, str], Credential]) -> Profile:
    """A profile in which the sites themselves present what `broken` makes for each."""

    def on(lab: Lab) -> None:
        for hostname in lab.sites_of(name):
            lab.show(hostname, broken(lab, hostname))

    def off(lab: Lab) -> None:
        for hostname in lab.sites_of(name):
            lab.show_ordinary(hostname)

    return Profile(
        name=name,
        title=title,
        place=Place.ORIGIN,
        sites=(site,),
        expected=expect(Outcome.ORIGIN_MISCONFIGURED),
        on=on,
        off=off,
    )
