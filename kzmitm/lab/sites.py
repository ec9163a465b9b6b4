"""The sites of the laboratory, all under `.test`, which no resolver of the Internet knows (RFC 6761)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Site:
    """A site, and whether the interceptors and filters of the laboratory watch its name."""

    hostname: str
    watched: bool = False


SITES = (
    Site("social.lab.test", watched=True),
    Site("video.lab.test", watched=True),
    Site("music.lab.test", watched=True),
    Site("mail.lab.test", watched=True),
    Site("chat.lab.test", watched=True),
    Site("news.lab.test"),
    Site("bank.lab.test"),
    Site("expired.lab.test"),
    Site("notyet.lab.test"),
    Site("wronghost.lab.test"),
    Site("selfsigned.lab.test"),
    Site("nochain.lab.test"),
    Site("forum.lab.test", watched=True),
    Site("radio.lab.test", watched=True),
    Site("archive.lab.test", watched=True),
    # of three operators, as one portal for the hosts of one operator would be that operator's own doing
    Site("www.weather.test"),
    Site("www.maps.test"),
    Site("www.timetable.test"),
)

WATCHED = tuple(site.hostname for site in SITES if site.watched)
