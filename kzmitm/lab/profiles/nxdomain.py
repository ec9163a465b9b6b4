"""The operator's name server says that watched names do not exist."""

from functools import partial

from kzmitm.lab.network import names
from kzmitm.lab.network.network import Network
from kzmitm.lab.network.topology import NAMESERVER
from kzmitm.lab.parts.parameters import PATH
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.model.verdict import Outcome

PORT = 5353


def _on(network: Network, settings: Settings) -> None:
    watched = settings.names("watched")
    argv = partial(names.denying, names=watched, upstream=NAMESERVER[0], port=PORT)
    network.serve_names("operator", argv, port=PORT)


PROFILE = Profile(
    name="nxdomain",
    title="a name server that denies watched names",
    lesson="The name is said not to exist, although a clean place finds it. No connection was made, so no "
    "certificate was seen: blocking by name, and no interception.",
    place=Place.OPERATOR,
    selective=True,
    expected=lambda _: expect(Outcome.BLOCKED),
    parameters=PATH,
    network=_on,
)
