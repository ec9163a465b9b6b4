"""Nothing in the way."""

from kzmitm.lab.loopback.laboratory import Lab
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.parameters import HIDDEN, sites
from kzmitm.lab.profile import CLEAN, Loopback, Place, Profile
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import STRUCK


def _nothing(_lab: Lab) -> None:
    """Nothing to switch."""


def _nothing_in_network(_network: Network, _settings: Settings) -> None:
    """Nothing to switch."""


PROFILE = Profile(
    name="none",
    title="nothing in the way",
    lesson="Every site shows the certificate that a public authority gave it. This is what a clean network "
    "looks like, and what the other cases are compared with.",
    place=Place.NOWHERE,
    expected=lambda _: CLEAN,
    parameters=(sites(*STRUCK, "bank.lab.test"), HIDDEN),
    network=_nothing_in_network,
    loopback=Loopback(on=_nothing, off=_nothing, sites=("bank.lab.test",)),
)
