"""The laboratory as the page draws it: hops, sites, profiles, what is on. Every string is harmless."""

from collections.abc import Sequence
from typing import Any

from kzmitm.lab.products import how_to_get
from kzmitm.lab.profile import Expected, Profile
from kzmitm.lab.session import Active, Hop, Offer, Session
from kzmitm.lab.settings import Parameter
from kzmitm.model.verdict import Outcome
from kzmitm.report.language import _
from kzmitm.report.safe import harmless

JSON = dict[str, Any]

MAX_TEXT = 2000
"""Characters of a lesson, which is one paragraph."""
MAX_STRUCK = 4
"""Sites of a profile that are scanned after switching: more would not fit a screen, and each takes time."""
CONTROLS = 2
"""Sites beside them that show what passes untouched."""

CUTTING = frozenset({Outcome.BLOCKED, Outcome.UNREACHABLE})
"""What is expected where connections end at the profile."""
PASSING = frozenset({Outcome.CLEAN, Outcome.TRUSTED_UNEXPECTED, Outcome.ORIGIN_MISCONFIGURED})
"""One of which is expected where the site itself still answers."""


def laboratory(session: Session, offers: Sequence[Offer]) -> JSON:
    """What does not change while the laboratory is up."""
    return {
        "kind": session.kind,
        "hops": [_hop(hop) for hop in session.hops],
        "sites": [{"hostname": site.hostname, "watched": site.watched} for site in session.sites],
        "offers": [_offer(offer) for offer in offers],
    }


def _hop(hop: Hop) -> JSON:
    return {
        "name": harmless(hop.name),
        "title": harmless(_(hop.title)),
        "place": str(hop.place),
        "addresses": [harmless(address) for address in hop.addresses],
    }


def _offer(offer: Offer) -> JSON:
    profile = offer.profile
    needs = how_to_get(offer.missing) if offer.missing else ""
    return {
        "name": profile.name,
        "title": harmless(_(profile.title)),
        "lesson": harmless(" ".join(_(profile.lesson).split()), MAX_TEXT),
        "place": str(profile.place),
        "intercepts": profile.intercepts,
        "needs": _("needs {}").format(harmless(needs)) if needs else "",
        "parameters": [_parameter(parameter) for parameter in profile.parameters],
    }


def _parameter(parameter: Parameter) -> JSON:
    return {
        "name": parameter.name,
        "about": harmless(_(parameter.about)),
        "default": parameter.default,
        "choices": list(parameter.choices),
        "is_list": parameter.is_list,
    }


def switched_on(active: Active | None) -> JSON | None:
    """What is on, as the map needs it."""
    if active is None:
        return None
    profile, settings = active.profile, active.settings
    return {
        "name": profile.name,
        "title": harmless(_(profile.title)),
        "lesson": harmless(" ".join(_(profile.lesson).split()), MAX_TEXT),
        "place": str(profile.place),
        "intercepts": profile.intercepts,
        "selective": profile.selective,
        "end": _end(profile.expected(settings)),
        "struck": [harmless(name) for name in _struck(profile, active)],
        "settings": {name: harmless(value, MAX_TEXT) for name, value in settings.values.items()},
    }


def _end(expected: Expected) -> str:
    """What becomes of connections that are struck: `cut`, `answered` in the way, or `passes`."""
    if expected.outcomes <= CUTTING:
        return "cut"
    return "passes" if expected.outcomes & PASSING else "answered"


def _struck(profile: Profile, active: Active) -> tuple[str, ...]:
    stands_before = profile.loopback.sites if profile.loopback else ()
    return profile.struck(active.settings) or stands_before


def to_scan(session: Session, active: Active | None) -> tuple[str, ...]:
    """The sites that tell the class what is on: some that it strikes and, if it chooses, some others.

    With nothing on, some watched sites take the place of the first.
    """
    known = {site.hostname: site for site in session.sites}
    watched = [name for name, site in known.items() if site.watched]
    struck = [name for name in (_struck(active.profile, active) if active else ()) if name in known]
    if active and struck and not active.profile.selective:
        return tuple(struck[:MAX_STRUCK])
    others = [name for name, site in known.items() if not (site.watched or site.flaw or name in struck)]
    return (*(struck or watched)[:MAX_STRUCK], *others[:CONTROLS])
