"""The sites of the laboratory. All are under `lab.test`, which no resolver of the Internet answers for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Site:
    """A site, and whether the interceptors and filters of the laboratory watch its name."""

    hostname: str
    watched: bool = False


SITES = (
    Site("social.lab.test", watched=True),
    Site("video.lab.test", watched=True),
    Site("mail.lab.test", watched=True),
    Site("news.lab.test"),
    Site("bank.lab.test"),
    Site("expired.lab.test"),
    Site("notyet.lab.test"),
    Site("wronghost.lab.test"),
    Site("selfsigned.lab.test"),
    Site("nochain.lab.test"),
    Site("forum.lab.test", watched=True),
    Site("radio.lab.test", watched=True),
    Site("cafe.lab.test"),
    Site("hotel.lab.test"),
    Site("kiosk.lab.test"),
)

WATCHED = tuple(site.hostname for site in SITES if site.watched)
