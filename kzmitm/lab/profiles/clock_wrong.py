"""The client's clock is ten months ahead: every certificate seems to have run out."""

from kzmitm.lab.network.network import Network
from kzmitm.lab.parts.parameters import HIDDEN, sites
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import UNRELATED
from kzmitm.model.verdict import Outcome

DAYS = 300


def _on(network: Network, _settings: Settings) -> None:
    network.set_environment(
        "client",
        LD_PRELOAD=network.program("libfaketime"),
        FAKETIME=f"+{DAYS}d",
        # Only the date is wrong; how long things take is not.
        FAKETIME_DONT_FAKE_MONOTONIC="1",
        DONT_FAKE_MONOTONIC="1",
    )


PROFILE = Profile(
    name="clock-wrong",
    title="a computer whose clock is ten months ahead",
    lesson="Every certificate seems to have run out, on every site at once: the commonest certificate "
    "warning of all. When only time is wrong, and wrong everywhere, it is the clock of this "
    "computer.",
    place=Place.CLIENT,
    expected=lambda _: expect(Outcome.INCONCLUSIVE),
    parameters=(sites(*UNRELATED), HIDDEN),
    needs=("libfaketime",),
    network=_on,
)
