"""A bad line: one packet in seven is lost."""

from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.parameters import HIDDEN, sites
from kzmitm.lab.profile import CLEAN, Place, Profile
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import STRUCK

ONE_IN = 7
"""Counted and not drawn: so no packet is lost twice in a row, and the verdict does not depend on luck."""


def _on(network: Network, _settings: Settings) -> None:
    network.nft(
        "operator",
        "table inet kzmitm-loss {\n"
        "  chain forward {\n"
        "    type filter hook forward priority filter;\n"
        f"    numgen inc mod {ONE_IN} == 0 drop\n"
        "  }\n}\n",
    )


PROFILE = Profile(
    name="loss",
    title="a bad line that loses packets",
    lesson="Some packets are lost and sent again. It is slow and uneven, and a connection may fail; "
    "another try succeeds, with the genuine certificate. Nobody chooses what is lost.",
    place=Place.OPERATOR,
    expected=lambda _: CLEAN,
    parameters=(sites(*STRUCK[:2], "news.lab.test"), HIDDEN),
    network=_on,
)
