"""An antivirus program on the client's computer: its root in the local store, every name opened at hop 0."""

from kzmitm.lab.certificates.look_alike import CANames
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts import own_interceptor
from kzmitm.lab.parts.parameters import HIDDEN, ca_names, of_ca, sites
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import UNRELATED
from kzmitm.model.verdict import Outcome, Scope

LOOK = CANames(
    country="ZZ",
    organization="AO Kaspersky Lab",
    root="Kaspersky Anti-Virus Personal Root Certificate",
    intermediate="Kaspersky Anti-Virus Personal Certificate",
)
"""As the real one calls itself (`fingerprints/authorities/av-kaspersky.toml`); the mark is in the unit."""


def _on(network: Network, settings: Settings) -> None:
    ca = network.look_alike(ca_names(settings))
    network.announce(ca.root, known=False, name="")
    network.trust_locally(ca.root)
    own_interceptor.proxy(network, Place.CLIENT, issuer=ca.root, watched=None)


PROFILE = Profile(
    name="antivirus",
    title="an antivirus program that opens every connection",
    lesson="The program reads web traffic on the user's own computer, and its root is in the local store,"
    " so no browser warns. It forges for every name under the product's name, and no hop of the "
    "network is involved: the commonest innocent reason for a forged certificate.",
    place=Place.CLIENT,
    intercepts=True,
    expected=lambda _: expect(Outcome.INTERCEPTION, scope=Scope.LOCAL, authority="av-kaspersky"),
    parameters=(sites(*UNRELATED), *of_ca(LOOK), HIDDEN),
    network=_on,
)
