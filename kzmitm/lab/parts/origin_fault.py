"""Profiles of origins that are broken by themselves: the same from every network, so no interception."""

from kzmitm.lab.loopback.laboratory import Lab
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.parameters import HIDDEN, sites
from kzmitm.lab.profile import Loopback, Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import Flaw
from kzmitm.model.verdict import Outcome


def origin_fault(flaw: Flaw, *, title: str, lesson: str, site: str) -> Profile:
    """A profile in which sites present a certificate with a flaw of their own."""
    name = str(flaw)

    def on_loopback(lab: Lab) -> None:
        for hostname in lab.sites_of(name):
            lab.show(hostname, lab.broken(flaw, hostname))

    def off_loopback(lab: Lab) -> None:
        for hostname in lab.sites_of(name):
            lab.show_ordinary(hostname)

    def on_network(network: Network, settings: Settings) -> None:
        for hostname in settings.names("sites"):
            network.show(hostname, (network.servers.broken(flaw, hostname),))

    return Profile(
        name=name,
        title=title,
        lesson=lesson,
        place=Place.SERVER,
        seen_by_control=True,
        expected=lambda _: expect(Outcome.ORIGIN_MISCONFIGURED),
        parameters=(sites(site), HIDDEN),
        network=on_network,
        loopback=Loopback(on=on_loopback, off=off_loopback, sites=(site,)),
    )
