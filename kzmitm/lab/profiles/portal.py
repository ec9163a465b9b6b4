"""A captive portal at the access router: one certificate for every name, until one has logged in."""

from kzmitm.lab.certificates.pki import Leaf
from kzmitm.lab.loopback.laboratory import Lab
from kzmitm.lab.loopback.origin import TLSOrigin
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.login_page import LOGIN, run_login_page
from kzmitm.lab.parts.parameters import HIDDEN, sites
from kzmitm.lab.profile import Loopback, Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import UNRELATED
from kzmitm.model.verdict import Outcome

NAME = "portal"


def _on_network(network: Network, _settings: Settings) -> None:
    run_login_page(network, with_https=True)


def _on_loopback(lab: Lab) -> None:
    credential = lab.public_ca.issue(Leaf(hostname=LOGIN))
    for hostname in lab.sites_of(NAME):
        endpoint = lab.serve(
            lambda: TLSOrigin(lambda _sni: credential, hostname=LOGIN), lab.origin(hostname).ip
        )
        lab.route(NAME, hostname, endpoint)


def _off_loopback(_lab: Lab) -> None:
    """The portal is left without a route to it."""


PROFILE = Profile(
    name=NAME,
    title="a captive portal that wants a login first",
    lesson="The hotel answers for every site with its own certificate, which names none of them, until "
    "somebody logs in. An interceptor copies names; a portal does not. Log in, and scan again.",
    place=Place.ACCESS,
    expected=lambda _: expect(Outcome.CAPTIVE_PORTAL),
    parameters=(sites(*UNRELATED), HIDDEN),
    network=_on_network,
    loopback=Loopback(on=_on_loopback, off=_off_loopback, sites=UNRELATED),
)
