"""Nothing comes any more once the ClientHello names a watched site."""

from kzmitm.lab.loopback.faults import Fault
from kzmitm.lab.loopback.path_fault import path_fault
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.filters import strike_by_name
from kzmitm.lab.parts.parameters import PATH
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.model.verdict import Outcome

NAME = "drop"


def _on(network: Network, settings: Settings) -> None:
    strike_by_name(network, settings, "-j DROP")


PROFILE = Profile(
    name=NAME,
    title="a filter that swallows connections to watched names",
    lesson="The connection opens, and after the name was sent nothing comes back: most blocking in "
    "Kazakhstan looks like this. Nobody showed a certificate, so nobody read anything: it is "
    "blocking, not interception.",
    place=Place.OPERATOR,
    selective=True,
    expected=lambda _: expect(Outcome.BLOCKED),
    parameters=PATH,
    needs=("iptables",),
    network=_on,
    loopback=path_fault(NAME, Fault.DROP, site="radio.lab.test"),
)
