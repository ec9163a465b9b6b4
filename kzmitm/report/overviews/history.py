"""The history of interception in a country, from the registry alone: what, where, with which keys."""

from collections.abc import Sequence
from datetime import datetime

from kzmitm.pki.entries import KnownAuthority
from kzmitm.pki.kinds import CARRIERS
from kzmitm.pki.records import Incident
from kzmitm.pki.registry import Registry
from kzmitm.report import counts
from kzmitm.report.charts.episodes import picture
from kzmitm.report.document import Answer, Block, Data, Document, Points, Section, Table, Terms, Text, Tone
from kzmitm.report.language import _, ngettext
from kzmitm.report.locale_forms import date, language, number
from kzmitm.report.overviews import history_certificates, history_networks
from kzmitm.report.overviews.country import foot
from kzmitm.report.overviews.episodes import INTERCEPTION, as_episode, of_country, when
from kzmitm.report.overviews.shown import as_block, short
from kzmitm.report.safe import harmless

MOST_NAMES = 60
"""Domains of one episode that are listed."""


def document(registry: Registry, country: str, *, now: datetime) -> Document | None:
    """The whole history, made at `now`; None if the registry knows no episode of the country."""
    incidents = of_country(registry.incidents.values(), country)
    if not incidents:
        return None
    known = (
        each
        for each in registry.authorities.values()
        if each.country == country and _matters(each, incidents)
    )
    authorities = tuple(sorted(known, key=lambda each: (str(each.document.get("first_seen", "9")), each.id)))
    sections = (
        _episodes(incidents),
        history_certificates.section(registry, authorities, incidents),
        history_certificates.gaps_section(registry, authorities),
        _domains(incidents),
        history_networks.section(registry, incidents),
        _open_questions(incidents),
        _sources(incidents),
    )
    return Document(
        title=_("Interception of TLS in {country}, from the registry").format(country=_name(country)),
        language=language(),
        answer=_answer(incidents, authorities),
        about=(
            (_("Episodes"), number(len(incidents))),
            (_("From"), incidents[0].start),
            (_("To"), max(each.end or each.start for each in incidents)),
            (_("Made"), date(now)),
        ),
        sections=tuple(each for each in sections if each is not None),
        foot=foot(registry),
        data=Data(
            columns=("authority", "role", "sha256", "sha1", "not_before", "not_after", "blocked_by_mozilla"),
            rows=tuple(history_certificates.data(authorities)),
        ),
    )


def _name(country: str) -> str:
    names = {"KZ": _("Kazakhstan")}
    return names.get(country) or country


def _matters(authority: KnownAuthority, incidents: Sequence[Incident]) -> bool:
    return authority.kind in CARRIERS or any(authority.id in each.authorities for each in incidents)


def _answer(incidents: Sequence[Incident], authorities: Sequence[KnownAuthority]) -> Answer:
    interceptions = [each for each in incidents if each.kind == INTERCEPTION]
    if not interceptions:
        return Answer(
            word=_("No interception known"),
            sentence=_("The registry knows of announcements, and of no interception."),
            tone=Tone.PLAIN,
        )
    roots = sum(
        each.role == "root"
        for authority in authorities
        if authority.kind in CARRIERS
        for each in authority.certificates
    )
    first, last = interceptions[0].start, max(each.end or each.start for each in interceptions)
    sentence = ngettext(
        "{n} episode of interception is known, between {first} and {last}, {with_roots}.",
        "{n} episodes of interception are known, between {first} and {last}, {with_roots}.",
        len(interceptions),
    ).format(
        n=len(interceptions),
        first=first,
        last=last,
        with_roots=ngettext("with {n} published root", "with {n} published roots", roots).format(n=roots),
    )
    domains = {name for each in interceptions for name in each.domains}
    networks = {asn for each in interceptions for asn in each.asns}
    names = ngettext("{n} name of a site", "{n} names of sites", len(domains)).format(n=len(domains))
    seen = _("{names} and {networks} are documented; neither list is complete.").format(
        names=names, networks=counts.networks(len(networks))
    )
    return Answer(word=_("Interception, again and again"), sentence=sentence, tone=Tone.ALARM, notes=(seen,))


def _episodes(incidents: Sequence[Incident]) -> Section:
    blocks: list[Block] = []
    drawn = picture("episodes", [as_episode(each) for each in incidents])
    if drawn is not None:
        blocks.append(as_block(drawn, _("What was announced and what was seen, by published sources")))
    blocks.append(
        Table(
            caption=_("The episodes"),
            columns=(_("episode"), _("when"), _("what is known")),
            rows=tuple(
                (harmless(each.title), short(when(each)), _one_line(each.document.get("summary", "")))
                for each in incidents
            ),
        )
    )
    return Section(id="episodes", title=_("Episodes"), blocks=tuple(blocks))


def _domains(incidents: Sequence[Incident]) -> Section | None:
    named = [each for each in incidents if each.domains]
    if not named:
        return None
    items = tuple((f"{harmless(each.title)} ({when(each)})", _names(each)) for each in named)
    unnamed = [harmless(each.title) for each in incidents if each.kind == INTERCEPTION and not each.domains]
    blocks: list[Block] = [Terms(items)]
    if unnamed:
        blocks.append(
            Text(_("No list of names is published for: {episodes}.").format(episodes="; ".join(unnamed)))
        )
    blocks.append(
        Text(
            _(
                "Names outside of the lists that were measured were never tested: more may have been "
                "intercepted."
            )
        )
    )
    return Section(id="domains", title=_("Sites"), blocks=tuple(blocks))


def _names(incident: Incident) -> str:
    shown = ", ".join(map(harmless, incident.domains[:MOST_NAMES]))
    left = len(incident.domains) - MOST_NAMES
    more = _(" and {n} more").format(n=left) if left > 0 else ""
    return ngettext("{n} name: {names}", "{n} names: {names}", len(incident.domains)).format(
        n=len(incident.domains), names=shown + more
    )


def _open_questions(incidents: Sequence[Incident]) -> Section | None:
    items = [
        f"{harmless(each.title)}: {_one_line(question)}"
        for each in incidents
        for question in each.document.get("open_questions", ())
    ]
    if not items:
        return None
    return Section(id="open", title=_("What is not known"), blocks=(Points(tuple(items)),))


def _sources(incidents: Sequence[Incident]) -> Section:
    found = dict.fromkeys(source for each in incidents for source in each.document.get("sources", ()))
    items = tuple(_one_line(each) for each in found)
    return Section(id="sources", title=_("Sources"), blocks=(Points(items),))


def _one_line(text: str) -> str:
    """Words of the registry, which folds long lines."""
    return harmless(" ".join(text.split()), 1000)
