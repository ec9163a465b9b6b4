"""Parameters that several profiles have, and what they mean."""

from dataclasses import replace

from kzmitm.lab.certificates.look_alike import QAZNET, CANames
from kzmitm.lab.profile import LOOK_ALIKE, Expected, expect
from kzmitm.lab.settings import NO, YES, Parameter, Settings
from kzmitm.lab.sites import STRUCK
from kzmitm.model.verdict import Confidence, Outcome, Scope
from kzmitm.wording import Wording

HIDDEN = Parameter(
    "hidden",
    "",
    Wording("routers that do not say when a packet's time ran out"),
    choices=("access", "operator", "transit", "all"),
    is_list=True,
)
"""Every profile of the network has it."""

WATCHED = Parameter("watched", ",".join(STRUCK), Wording("the sites whose names it strikes"), is_list=True)

KNOWN = Parameter(
    "known", YES, Wording("whether the scan's registry knows the root's key"), choices=(YES, NO)
)

PATH = (WATCHED, HIDDEN)
"""Of whatever strikes by name."""


def sites(*hostnames: str) -> Parameter:
    """The sites that a profile is about, where nothing is struck by name."""
    return Parameter("sites", ",".join(hostnames), Wording("the sites that are looked at"), is_list=True)


def of_ca(names: CANames = QAZNET) -> tuple[Parameter, ...]:
    """The names of a forging CA; the mark of the laboratory is added to them."""
    return (
        Parameter("root", names.root, Wording("the common name of the forging root")),
        Parameter("intermediate", names.intermediate, Wording("the common name of the forging intermediate")),
        Parameter("country", names.country, Wording("the country in both names")),
        Parameter("organization", names.organization, Wording("the organisation in both names")),
    )


FORGING = (WATCHED, *of_ca(), KNOWN, HIDDEN)
"""Of the look-alikes of a state's interception."""


def ca_names(settings: Settings) -> CANames:
    """The names that the settings give to a forging CA."""
    return CANames(
        root=settings["root"],
        intermediate=settings["intermediate"],
        country=settings["country"],
        organization=settings["organization"],
    )


def forged(settings: Settings, forger: str | None) -> Expected:
    """Interception by the look-alike: confirmed by its key where that is known, else likely by contrast."""
    known = expect(
        Outcome.INTERCEPTION,
        confidence=Confidence.CONFIRMED,
        scope=Scope.STATE,
        authority=LOOK_ALIKE,
        forger=forger,
    )
    if settings.is_on("known"):
        return known
    return replace(known, confidence=Confidence.LIKELY, scope=None, authority=None, is_anyone=True)
