"""Connections that name a watched site become too slow to use."""

from kzmitm.lab.network.network import Network
from kzmitm.lab.network.topology import INSIDE
from kzmitm.lab.parts.filters import shows
from kzmitm.lab.parts.parameters import PATH
from kzmitm.lab.profile import CLEAN, Place, Profile
from kzmitm.lab.settings import Settings

MARK = "0x77"


def _on(network: Network, settings: Settings) -> None:
    for hostname in settings.names("watched"):
        network.iptables(
            "operator", f"PREROUTING {shows(hostname)} -j CONNMARK --set-mark {MARK}", table="mangle"
        )
    network.iptables(
        "operator",
        f"FORWARD -o {INSIDE} -m connmark --mark {MARK} -m hashlimit --hashlimit-above 8kb/s "
        "--hashlimit-burst 12kb --hashlimit-name slow -j DROP",
    )


PROFILE = Profile(
    name="throttle",
    title="a filter that slows watched names down",
    lesson="The page takes a minute instead of a second. The certificate is the genuine one: the connection "
    "is slow, and as private as ever. What a scan of certificates has to say is that they are clean.",
    place=Place.OPERATOR,
    selective=True,
    expected=lambda _: CLEAN,
    parameters=PATH,
    needs=("iptables",),
    network=_on,
)
