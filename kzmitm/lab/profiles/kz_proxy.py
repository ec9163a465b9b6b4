"""The same selection and the same leaves by a proxy that ends every TCP connection."""

from kzmitm.lab.network.network import Network
from kzmitm.lab.parts import own_interceptor
from kzmitm.lab.parts.parameters import FORGING
from kzmitm.lab.parts.stock import forging_ca
from kzmitm.lab.profile import Place, Profile
from kzmitm.lab.profiles.kz_inline import EXPIRED, RULE, expected
from kzmitm.lab.settings import Settings


def _on(network: Network, settings: Settings) -> None:
    ca = forging_ca(network, settings, has_expired=settings.is_on(EXPIRED.name))
    own_interceptor.proxy(
        network,
        Place.OPERATOR,
        issuer=ca.intermediate,
        rule=settings["rule"],
        watched=settings.names("watched"),
    )


PROFILE = Profile(
    name="kz-proxy",
    title="interception by a proxy at the operator's gateway",
    lesson="Every connection to port 443 ends at the gateway, which then decides by the name: watched "
    "sites get a forged leaf, all others are passed on. The certificates are those of kz-inline; "
    "only the path tells the two apart, since here somebody near answers before the server could.",
    place=Place.OPERATOR,
    intercepts=True,
    selective=True,
    expected=expected,
    parameters=(*FORGING, RULE, EXPIRED),
    network=_on,
)
