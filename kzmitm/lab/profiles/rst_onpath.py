"""The connection is reset, by a box beside the path, once the ClientHello names a watched site."""

from kzmitm.lab.control.commands import module_command
from kzmitm.lab.network.network import Network
from kzmitm.lab.network.processes import READY
from kzmitm.lab.network.topology import INSIDE, OUTSIDE
from kzmitm.lab.parts import on_path
from kzmitm.lab.parts.parameters import PATH
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.model.verdict import Outcome


def _on(network: Network, settings: Settings) -> None:
    rules = [rule.format(inside=INSIDE, outside=OUTSIDE) for rule in on_path.RULES]
    network.iptables(Place.OPERATOR, *rules, table="mangle")
    command = module_command(on_path.__name__, *settings.names("watched"))
    network.start("on-path", Place.OPERATOR, command, word=READY)


PROFILE = Profile(
    name="rst-onpath",
    title="an injector beside the path that resets connections to watched names",
    lesson="The box sees a copy of the traffic and cannot stop a packet; it sends a reset in the server's"
    " name, and wins if that comes before the server's answer. The hello reached the server all "
    "the same. No certificate was forged: it is blocking.",
    place=Place.OPERATOR,
    selective=True,
    expected=lambda _: expect(Outcome.BLOCKED),
    parameters=PATH,
    needs=("iptables",),
    network=_on,
)
