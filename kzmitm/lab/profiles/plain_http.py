"""HTTP in the clear where TLS was asked for."""

from kzmitm.lab.faults import PlainHTTP
from kzmitm.lab.laboratory import Lab
from kzmitm.lab.profile import Place, Profile, expect
from kzmitm.model.verdict import Outcome

NAME = "plain_http"


def _on(lab: Lab) -> None:
    for hostname in lab.sites_of(NAME):
        lab.route(NAME, hostname, lab.serve(PlainHTTP))


def _off(_lab: Lab) -> None:
    """The server is left without a route to it."""


PROFILE = Profile(
    name=NAME,
    title="a server that answers in the clear instead of TLS",
    place=Place.PATH,
    sites=("kiosk.lab.test",),
    expected=expect(Outcome.BLOCKED, Outcome.INCONCLUSIVE),
    on=_on,
    off=_off,
)
