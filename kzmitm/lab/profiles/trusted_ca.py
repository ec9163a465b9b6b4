"""A leaf by a CA that the scan trusts, which the site itself does not have."""

from kzmitm.lab.network.network import Network
from kzmitm.lab.parts import own_interceptor
from kzmitm.lab.parts.parameters import PATH
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.model.verdict import Outcome


def _on(network: Network, settings: Settings) -> None:
    own_interceptor.proxy(
        network,
        Place.OPERATOR,
        issuer=network.servers.other_public_ca.issuing,
        watched=settings.names("watched"),
    )


PROFILE = Profile(
    name="trusted-ca",
    title="interception with a certificate of a public authority",
    lesson="A trusted authority gave somebody a certificate for a site that is not theirs, by error or by"
    " force (DigiNotar 2011, jabber.ru 2023). No browser warns. Another key and issuer than "
    "elsewhere, and no log that knows it: that is unexpected, and more than that one cannot say "
    "from here.",
    place=Place.OPERATOR,
    intercepts=True,
    selective=True,
    expected=lambda _: expect(Outcome.TRUSTED_UNEXPECTED),
    parameters=PATH,
    network=_on,
)
