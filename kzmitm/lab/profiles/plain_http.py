"""A page in the clear comes instead of TLS once the ClientHello names a watched site."""

from kzmitm.lab.loopback.faults import Fault
from kzmitm.lab.loopback.path_fault import path_fault
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.own_interceptor import proxy
from kzmitm.lab.parts.parameters import PATH
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.model.verdict import Outcome

NAME = "plain-http"


def _on(network: Network, settings: Settings) -> None:
    proxy(network, Place.OPERATOR, action="plain", watched=settings.names("watched"))


PROFILE = Profile(
    name=NAME,
    title="a filter that answers for watched names, in the clear",
    lesson="The filter answers the TLS hello with a page that is not encrypted, which no browser will show. "
    "Somebody speaks in the site's place, but without a certificate there is nothing to be fooled by.",
    place=Place.OPERATOR,
    selective=True,
    expected=lambda _: expect(Outcome.BLOCKED),
    parameters=PATH,
    network=_on,
    loopback=path_fault(NAME, Fault.PLAIN, site="archive.lab.test"),
)
