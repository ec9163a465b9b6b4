"""The model of Kazakhstan's system: the live connection is taken over once it names a watched site."""

from kzmitm.lab.certificates.forging import LeafRule
from kzmitm.lab.network.network import Network
from kzmitm.lab.parts import own_interceptor
from kzmitm.lab.parts.parameters import FORGING, forged
from kzmitm.lab.parts.stock import forging_ca
from kzmitm.lab.profile import Expected, Place, Profile
from kzmitm.lab.settings import NO, YES, Parameter, Settings
from kzmitm.wording import Wording

RULE = Parameter(
    "rule",
    LeafRule.LATE_2019,
    Wording("how the leaf is forged: as in which year"),
    choices=tuple(map(str, LeafRule)),
)
EXPIRED = Parameter(
    "expired-intermediate",
    NO,
    Wording("whether the intermediate ran out, as those of 2021 to 2024"),
    choices=(YES, NO),
)

FORGERS = {
    LeafRule.EARLY_2019: "kazakhstan-2019-early",
    LeafRule.LATE_2019: "kazakhstan-2019-late",
}
"""Of 2024 nothing is known that would tell a forger."""


def expected(settings: Settings) -> Expected:
    """By the rule of the leaf."""
    return forged(settings, FORGERS.get(LeafRule(settings["rule"])))


def _on(network: Network, settings: Settings) -> None:
    ca = forging_ca(network, settings, has_expired=settings.is_on(EXPIRED.name))
    own_interceptor.inline(
        network, issuer=ca.intermediate, rule=settings["rule"], watched=settings.names("watched")
    )


PROFILE = Profile(
    name="kz-inline",
    title="interception as in Kazakhstan, on the live connection",
    lesson="The connection reaches the real server. Only when the hello names a watched site, and only if"
    " the site shows a publicly valid certificate, the operator's box takes it over and answers "
    "with a leaf that it forged from the genuine one. Every other site is left alone, which is how"
    " such a box is told from an office proxy.",
    place=Place.OPERATOR,
    intercepts=True,
    selective=True,
    expected=expected,
    parameters=(*FORGING, RULE, EXPIRED),
    needs=("iptables",),
    network=_on,
)
