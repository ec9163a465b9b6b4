"""Nothing in the way."""

from kzmitm.lab.laboratory import Lab
from kzmitm.lab.profile import CLEAN, Place, Profile


def _nothing(_lab: Lab) -> None:
    """Nothing to switch."""


PROFILE = Profile(
    name="none",
    title="nothing in the way",
    place=Place.PATH,
    sites=("bank.lab.test",),
    expected=CLEAN,
    on=_nothing,
    off=_nothing,
)
