"""The situations of a corpus by name, each with what is true of it whoever looks."""

from collections.abc import Callable
from dataclasses import dataclass

from corpora import rows
from corpora.rows import Era, Handshake
from corpora.scene import Made, Scene
from corpora.sites import Site
from corpora.web import Endpoint, Plan, Visit, document

WEB = "web_connectivity"
ALL: tuple[Era, ...] = ("old", "v04", "v05")
NEW: tuple[Era, ...] = ("v04", "v05")
"""Since the helper tells of TLS handshakes; before, many things cannot be told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A class of the truth. `outcome`, `scope` and `match` are words of `kzmitm.model.verdict`."""

    name: str
    about: str
    make: Callable[[Scene], Made]
    outcome: str
    accept: tuple[str, ...] = ()
    """Outcomes that would not be wrong either."""
    cause: str | None = None
    """The innocent cause, a word of `kzmitm.model.verdict.Cause`."""
    authority: str | None = None
    match: str | None = None
    """By what the authority is told at best, with the overlay that is written beside the corpus."""
    scope: str | None = None
    eras: tuple[Era, ...] = ALL
    test_name: str = WEB
    weight: float = 1.0
    watched: bool = False
    """It befalls the names that are watched, not any name."""

    @property
    def is_interception(self) -> bool:
        return self.outcome == "interception"


SITUATIONS: dict[str, Situation] = {}


def situation(outcome: str, **known: object) -> Callable[[Callable[[Scene], Made]], Callable[[Scene], Made]]:
    """Register a function as the situation of its name, its docstring as what it is about."""

    def register(make: Callable[[Scene], Made]) -> Callable[[Scene], Made]:
        name = make.__name__
        SITUATIONS[name] = Situation(
            name=name, about=(make.__doc__ or "").strip(), make=make, outcome=outcome, **known
        )  # type: ignore[arg-type]
        return make

    return register


def visit(
    scene: Scene,
    handshake: Handshake | None,
    *,
    site: Site | None = None,
    control_tls: str | None = None,
    path: str = "/",
    scheme: str = "https",
) -> Visit:
    """A fetch of the site at all its addresses, where every handshake ends alike."""
    one = site or scene.site
    port = 443 if scheme == "https" else 80
    endpoints = [Endpoint(ip, handshake, control_tls=control_tls, port=port) for ip in one.addresses]
    failure = handshake.failure if handshake else None
    return Visit(f"{scheme}://{one.domain}{path}", one, endpoints, failure=failure)


def failing(scene: Scene, handshake: Handshake, certificate: str | None = None, **plan: object) -> Made:
    """A fetch that ends with the handshake's failure, while the control is content."""
    known: dict[str, object] = {"blocking": "http-failure", "accessible": False} | plan
    return Made(document(scene, Plan([visit(scene, handshake)], **known)), certificate)  # type: ignore[arg-type]


def broken_origin(scene: Scene, handshake: Handshake, control: str | None = None) -> Made:
    """A fetch that fails, and the control's fails alike at the same address."""
    failure = control or handshake.failure
    plan = Plan(
        [visit(scene, handshake, control_tls=failure)],
        control_http_failure=failure,
        blocking=False,
        accessible=False,
    )
    return Made(document(scene, plan))


def good(scene: Scene, site: Site | None = None, variant: int = 0) -> Handshake:
    """A handshake that the probe verified: the whole chain is stored."""
    return Handshake(None, scene.genuine(site, variant))


def stored(failure: str, certificate: str) -> Handshake:
    """A handshake whose chain the probe refused: it stores one certificate."""
    return Handshake(failure, [certificate])


UNKNOWN = rows.UNKNOWN_AUTHORITY
INVALID = rows.INVALID_CERTIFICATE
HOSTNAME = rows.INVALID_HOSTNAME
