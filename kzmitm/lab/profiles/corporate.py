"""A company's gateway at the access router: mitmproxy with the company's own CA, for every name."""

from kzmitm.lab.certificates.look_alike import CANames
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.parameters import HIDDEN, ca_names, of_ca, sites
from kzmitm.lab.parts.stock import run_mitmproxy
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import UNRELATED
from kzmitm.model.verdict import Confidence, Outcome, Scope

ACME = CANames(
    country="ZZ", organization="ACME", root="ACME Web Gateway Root CA", intermediate="ACME Web Gateway CA"
)


def _on(network: Network, settings: Settings) -> None:
    ca = network.look_alike(ca_names(settings))
    network.announce(ca.root, known=False, name="")
    run_mitmproxy(network, Place.ACCESS, ca, {})


PROFILE = Profile(
    name="corporate",
    title="a company's gateway that opens every connection",
    lesson="The company reads what its computers send, and has installed its root on them. It forges for "
    "every name, even for one that does not exist, and already at the first router; a state's "
    "system picks its sites and sits farther away. It is interception, by somebody whom the user "
    "can ask.",
    place=Place.ACCESS,
    intercepts=True,
    expected=lambda _: expect(
        Outcome.INTERCEPTION, confidence=Confidence.LIKELY, scope=Scope.MIDDLEBOX, forger="mitmproxy-eager"
    ),
    parameters=(sites(*UNRELATED), *of_ca(ACME), HIDDEN),
    needs=("mitmproxy",),
    network=_on,
)
