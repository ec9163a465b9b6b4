"""Packet filters that strike when a name shows in a packet, as cheap boxes do: they parse nothing."""

from kzmitm.lab.network.network import Network
from kzmitm.lab.network.topology import INSIDE
from kzmitm.lab.settings import Settings

FROM, TO = 40, 2000
"""Where in a packet the name is looked for: behind the headers, up to the longest packet of the wires."""


def strike_by_name(network: Network, settings: Settings, verdict: str) -> None:
    """Apply a verdict of iptables to every packet of the client that shows a watched name."""
    for hostname in settings.names("watched"):
        network.iptables("operator", f"FORWARD {shows(hostname)} {verdict}")


def shows(hostname: str) -> str:
    """The words of iptables for a packet from the client to port 443 with a name in it."""
    text = f"-m string --algo bm --from {FROM} --to {TO} --string {hostname}"
    return f"-i {INSIDE} -p tcp --dport 443 {text}"
