"""A captive portal that refuses encrypted connections until one has logged in."""

from kzmitm.lab.network.network import Network
from kzmitm.lab.network.topology import INSIDE
from kzmitm.lab.parts.login_page import run_login_page
from kzmitm.lab.parts.parameters import HIDDEN, sites
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import UNRELATED
from kzmitm.model.verdict import Outcome


def _on(network: Network, _settings: Settings) -> None:
    run_login_page(network, with_https=False)
    network.nft(
        Place.ACCESS,
        "table inet kzmitm-closed {\n"
        "  chain forward {\n"
        "    type filter hook forward priority filter;\n"
        f'    iifname "{INSIDE}" tcp dport 443 reject with tcp reset\n'
        "  }\n}\n",
    )


PROFILE = Profile(
    name="portal-reject",
    title="a captive portal that refuses encrypted connections",
    lesson="Until somebody logs in, every connection to port 443 is refused at the first router, while "
    "pages in the clear lead to the login. Every site fares alike, and no certificate is shown.",
    place=Place.ACCESS,
    expected=lambda _: expect(Outcome.INCONCLUSIVE),
    parameters=(sites(*UNRELATED), HIDDEN),
    network=_on,
)
