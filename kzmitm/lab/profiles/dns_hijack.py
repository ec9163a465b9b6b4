"""The operator's name server sends watched names to a block page."""

from functools import partial

from kzmitm.lab.network import names
from kzmitm.lab.network.network import Network
from kzmitm.lab.network.topology import BLOCK_PAGE, NAMESERVER
from kzmitm.lab.parts.parameters import PATH
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.model.verdict import Outcome

PORT = 5353


def _on(network: Network, settings: Settings) -> None:
    argv = partial(
        names.lying, names=settings.names("watched"), to=BLOCK_PAGE, upstream=NAMESERVER[0], port=PORT
    )
    network.serve_names("operator", argv, port=PORT)


PROFILE = Profile(
    name="dns-hijack",
    title="a name server that sends watched names to a block page",
    lesson="The name leads to a wrong address, whose server shows a certificate of its own that names the"
    " operator and not the site. At the site's true address its genuine certificate is still "
    "there: the way to the site was swapped, not the certificate on the way.",
    place=Place.OPERATOR,
    selective=True,
    expected=lambda _: expect(Outcome.DNS_HIJACK),
    parameters=PATH,
    network=_on,
)
