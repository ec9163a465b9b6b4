"""A hole in the path for big packets: whatever is longer than 1,200 octets never arrives."""

from kzmitm.lab.network.network import Network
from kzmitm.lab.network.topology import INSIDE
from kzmitm.lab.parts.parameters import HIDDEN, sites
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import UNRELATED
from kzmitm.model.verdict import Outcome

LONGEST = 1200


def _on(network: Network, _settings: Settings) -> None:
    network.nft(
        "operator",
        "table inet kzmitm-hole {\n"
        "  chain forward {\n"
        "    type filter hook forward priority filter;\n"
        f'    oifname "{INSIDE}" meta length > {LONGEST} drop\n'
        "  }\n}\n",
    )


PROFILE = Profile(
    name="mtu-hole",
    title="a broken link that loses big packets",
    lesson="The connection opens, the hello is sent, and the certificate, a big packet, never comes: it "
    "looks like a filter that swallows. But every name fares alike, the harmless ones too, so "
    "nobody chooses.",
    place=Place.OPERATOR,
    expected=lambda _: expect(Outcome.INCONCLUSIVE),
    parameters=(sites(*UNRELATED), HIDDEN),
    network=_on,
)
