"""The sites of the laboratory, all under `.test`, which no resolver of the Internet knows (RFC 6761)."""

import enum
from dataclasses import dataclass


class Flaw(enum.StrEnum):
    """What is wrong with a site's certificate by its owner's doing."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_NAME = "wrong-name"
    SELF_SIGNED = "self-signed"
    MISSING_INTERMEDIATE = "missing-intermediate"


@dataclass(frozen=True, slots=True)
class Site:
    """A site, whether the interceptors and filters of the laboratory watch its name, and its own flaw."""

    hostname: str
    watched: bool = False
    flaw: Flaw | None = None


SITES = (
    Site("social.lab.test", watched=True),
    Site("video.lab.test", watched=True),
    Site("music.lab.test", watched=True),
    Site("mail.lab.test", watched=True),
    Site("chat.lab.test", watched=True),
    Site("news.lab.test"),
    Site("bank.lab.test"),
    Site("expired.lab.test", flaw=Flaw.EXPIRED),
    Site("notyet.lab.test", flaw=Flaw.NOT_YET_VALID),
    Site("wronghost.lab.test", flaw=Flaw.WRONG_NAME),
    Site("selfsigned.lab.test", flaw=Flaw.SELF_SIGNED),
    Site("nochain.lab.test", flaw=Flaw.MISSING_INTERMEDIATE),
    Site("forum.lab.test", watched=True),
    Site("radio.lab.test", watched=True),
    Site("archive.lab.test", watched=True),
    # of three operators, as one portal for the hosts of one operator would be that operator's own doing
    Site("www.weather.test"),
    Site("www.maps.test"),
    Site("www.timetable.test"),
)

WATCHED = tuple(site.hostname for site in SITES if site.watched)

STRUCK = ("social.lab.test", "video.lab.test", "mail.lab.test")
"""What the interceptors and filters of the network watch unless they are told otherwise."""
UNWATCHED = ("news.lab.test", "bank.lab.test")
"""What is scanned beside them, to see that it is left alone."""
UNRELATED = ("www.weather.test", "www.maps.test", "www.timetable.test")
"""Sites of three operators: what all of them show is nobody's own doing."""
