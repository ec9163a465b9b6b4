"""The address of a site is closed, whatever name is asked there."""

from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.parameters import HIDDEN, sites
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.model.verdict import Outcome


def _on(network: Network, settings: Settings) -> None:
    for hostname in settings.names("sites"):
        for address in network.servers.addresses_of(hostname):
            family = "ip6" if ":" in address else "ip"
            network.nft(
                "operator",
                "table inet kzmitm-block {\n"
                "  chain forward {\n"
                "    type filter hook forward priority filter;\n"
                f"    {family} daddr {address} tcp dport 443 drop\n"
                "  }\n}\n",
            )


PROFILE = Profile(
    name="ip-block",
    title="a filter that closes the addresses of a site",
    lesson="Nothing answers at the site's addresses, whatever name is asked: "
    "not even the connection opens. A clean place reaches them. Blocking, and no certificate in sight.",
    place=Place.OPERATOR,
    expected=lambda _: expect(Outcome.BLOCKED),
    parameters=(sites("video.lab.test"), HIDDEN),
    network=_on,
)
