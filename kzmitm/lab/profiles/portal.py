"""A captive portal: one certificate for every name, until one has logged in."""

from kzmitm.lab.laboratory import Lab
from kzmitm.lab.origin import TLSOrigin
from kzmitm.lab.pki import Leaf
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.model.verdict import Outcome

NAME = "portal"
LOGIN = "login.wifi.lab.test"


def _on(lab: Lab) -> None:
    credential = lab.public_ca.issue(Leaf(hostname=LOGIN))
    for hostname in lab.sites_of(NAME):
        endpoint = lab.serve(
            lambda: TLSOrigin(lambda _sni: credential, hostname=LOGIN), lab.origin(hostname).ip
        )
        lab.route(NAME, hostname, endpoint)


def _off(_lab: Lab) -> None:
    """The portal is left without a route to it."""


PROFILE = Profile(
    name=NAME,
    title="a captive portal that wants a login first",
    place=Place.PATH,
    sites=("www.weather.test", "www.maps.test", "www.timetable.test"),
    expected=expect(Outcome.CAPTIVE_PORTAL),
    on=_on,
    off=_off,
)
