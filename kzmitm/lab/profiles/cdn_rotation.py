"""A site with several genuine leaves: other keys than before, by address and by algorithm."""

from kzmitm.lab.certificates.pki import Credential, Leaf
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.parameters import HIDDEN, sites
from kzmitm.lab.profile import CLEAN, Place, Profile
from kzmitm.lab.settings import Settings


def _on(network: Network, settings: Settings) -> None:
    def twins(hostname: str) -> tuple[Credential, ...]:
        return tuple(network.public_ca.issue(Leaf(hostname=hostname, is_rsa=rsa)) for rsa in (False, True))

    for hostname in settings.names("sites"):
        network.show(hostname, twins(hostname), twins(hostname))


PROFILE = Profile(
    name="cdn-rotation",
    title="a big site with several genuine certificates",
    lesson="The site shows another key than last week, another at its second address, and a third to "
    "clients that want RSA. A comparison alone would cry wolf; but each has a public authority "
    "behind it, and a forged one has none.",
    place=Place.SERVER,
    expected=lambda _: CLEAN,
    parameters=(sites("social.lab.test"), HIDDEN),
    network=_on,
)
