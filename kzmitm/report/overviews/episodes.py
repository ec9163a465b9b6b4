"""The section on what is known from elsewhere: episodes of the registry, and which was seen again here."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from kzmitm.pki.records import Incident
from kzmitm.report.charts.episodes import Episode, picture
from kzmitm.report.document import Block, Section, Table, Text
from kzmitm.report.language import _
from kzmitm.report.overviews.shown import as_block, moment_of, short
from kzmitm.report.overviews.values import Overview
from kzmitm.report.safe import harmless

INTERCEPTION = "interception"


def section(overview: Overview, incidents: Mapping[str, Incident], country: str) -> Section | None:
    """The episodes of a country beside the sightings; None where none is known."""
    known = of_country(incidents.values(), country)
    drawn = picture("episodes", [as_episode(each) for each in known], overview.days)
    if drawn is None:
        return None
    blocks: list[Block] = [
        as_block(
            drawn,
            _("Episodes known from published sources, and the days on which these measurements saw any"),
        ),
        _table(known, overview),
        Text(
            _(
                "That a sighting falls into an episode does not make it part of it; a name of a domain, a "
                "network or an authority that both have is a better sign."
            )
        ),
    ]
    return Section(id="episodes", title=_("Known episodes"), blocks=tuple(blocks))


def of_country(incidents: Iterable[Incident], country: str) -> tuple[Incident, ...]:
    """In the order in which they began."""
    found = [each for each in incidents if each.country == country]
    return tuple(sorted(found, key=lambda each: (moment_of(each.start), each.id)))


def as_episode(incident: Incident) -> Episode:
    """An incident of the registry as the picture has it."""
    start = moment_of(incident.start)
    end = moment_of(incident.end or incident.start, is_end=True)
    return Episode(
        title=harmless(incident.title),
        note=when(incident),
        start=start,
        end=max(start, end) + timedelta(days=1),
        is_interception=incident.kind == INTERCEPTION,
        is_continuous=incident.document.get("date_precision", "day") == "day",
    )


def when(incident: Incident) -> str:
    """The dates of an incident as the registry has them."""
    if incident.end is None or incident.end == incident.start:
        return incident.start
    return f"{incident.start} … {incident.end}"


def _table(incidents: Sequence[Incident], overview: Overview) -> Table:
    return Table(
        caption=_("What each episode has in common with these measurements"),
        columns=(
            _("episode"),
            _("when"),
            _("days with sightings"),
            _("authorities"),
            _("domains"),
            _("networks"),
        ),
        rows=tuple(
            (
                harmless(each.title),
                short(when(each)),
                short(_days_in(each, overview.days)),
                *_common(each, overview),
            )
            for each in incidents
        ),
    )


def _days_in(incident: Incident, days: Sequence[datetime]) -> int:
    episode = as_episode(incident)
    return sum(episode.start <= moment < episode.end for moment in days)


def _common(incident: Incident, overview: Overview) -> tuple[str, str, str]:
    authorities = {each.id for each in overview.authorities} & set(incident.authorities)
    domains = {each.name for each in overview.intercepted_domains}
    networks = {each.asn for each in overview.intercepting_networks}
    return (
        _of(len(authorities), len(incident.authorities)),
        _of(len(domains & set(incident.domains)), len(incident.domains)),
        _of(len(networks & set(incident.asns)), len(incident.asns)),
    )


def _of(number: int, known: int) -> str:
    return _("{n} of {all}").format(n=number, all=known) if known else _("not known")
