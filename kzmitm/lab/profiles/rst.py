"""The connection is reset, by a box in the path, once the ClientHello names a watched site."""

from kzmitm.lab.loopback.faults import Fault
from kzmitm.lab.loopback.path_fault import path_fault
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.filters import strike_by_name
from kzmitm.lab.parts.parameters import PATH
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.model.verdict import Outcome

NAME = "rst"


def _on(network: Network, settings: Settings) -> None:
    strike_by_name(network, settings, "-j REJECT --reject-with tcp-reset")


PROFILE = Profile(
    name=NAME,
    title="a filter that resets connections to watched names",
    lesson="A box in the path keeps the hello for itself and answers it with a reset. It only ends "
    "connections: no certificate was shown, so nothing was read.",
    place=Place.OPERATOR,
    selective=True,
    expected=lambda _: expect(Outcome.BLOCKED),
    parameters=PATH,
    needs=("iptables",),
    network=_on,
    loopback=path_fault(NAME, Fault.RESET, site="forum.lab.test"),
)
