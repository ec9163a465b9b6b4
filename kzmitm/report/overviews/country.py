"""The report of an archive or a campaign: who intercepted what, where and when, in sections one file each."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from kzmitm.pki.registry import Registry
from kzmitm.report.document import Answer, Data, Document, Section, Text, Tone
from kzmitm.report.language import _, ngettext
from kzmitm.report.locale_forms import date, language, number
from kzmitm.report.overviews import blocking, episodes, heat, spans, users, validity
from kzmitm.report.overviews.shown import day, domains, named, networks, span
from kzmitm.report.overviews.values import Overview, Span

_COLUMNS: Final = (
    "asn", "operator", "domain", "measurements", "intercepted", "blocked", "clean", "domain_seen",
)  # fmt: skip
HOME: Final = "KZ"
"""The country whose networks and episodes the registry knows best: taken where measurements name none."""


def document(overview: Overview, registry: Registry, *, now: datetime) -> Document:
    """The whole report, made at `now`."""
    country = overview.countries[0] if overview.countries else HOME
    told = (
        validity.section(overview),
        heat.section(overview),
        blocking.section(overview),
        spans.section(overview),
        users.section(overview, registry.networks) if country == HOME else None,
        episodes.section(overview, registry.incidents, country),
        _limits(overview),
    )
    return Document(
        title=title(overview),
        language=language(),
        answer=_answer(overview),
        about=about(overview, now),
        sections=tuple(section for section in told if section is not None),
        foot=foot(registry),
        data=_data(overview),
    )


def title(overview: Overview) -> str:
    if not overview.is_campaign:
        return _("Interception in an archive of measurements")
    if overview.name:
        return _("Interception in the campaign {name}").format(name=named(overview.name))
    return _("Interception in a campaign of measurements")


def about(overview: Overview, now: datetime) -> tuple[tuple[str, str], ...]:
    """Short facts: what was measured, when, and when this was made."""
    return (
        (_("Measured, by the probes' clocks"), f"{day(overview.first)} … {day(overview.last)}"),
        (_("Measurements"), number(overview.measurements)),
        (_("Domains"), number(overview.domains_measured)),
        (_("Networks"), number(overview.networks_measured)),
        (_("Made"), date(now)),
    )


def foot(registry: Registry) -> tuple[str, ...]:
    return (_("Judged and told with the registry {version}.").format(version=registry.version),)


def _answer(overview: Overview) -> Answer:
    if not overview.measurements:
        return Answer(
            word=_("Nothing measured"),
            sentence=_("There is no measurement here, so nothing can be said."),
            tone=Tone.WARNING,
        )
    undecided = overview.outcomes.get("inconclusive", 0)
    if overview.intercepted:
        return _found(overview, undecided)
    sentence = ngettext(
        "No interception was found in {n} measurement.",
        "No interception was found in {n} measurements.",
        overview.measurements,
    ).format(n=number(overview.measurements))
    if not undecided:
        return Answer(
            word=_("No interception found"), sentence=sentence, tone=Tone.GOOD, notes=_failed(overview)
        )
    note = _("{n} of them could not be decided: that is not the same as clean.").format(n=number(undecided))
    is_all = undecided == overview.measurements
    word = _("Nothing could be decided") if is_all else _("No interception found")
    tone = Tone.WARNING if is_all else Tone.PLAIN
    return Answer(word=word, sentence=sentence, tone=tone, notes=(note, *_failed(overview)))


def _found(overview: Overview, undecided: int) -> Answer:
    sentence = ngettext(
        "{n} of {all} measurement met a forged certificate: {domains}, {networks}.",
        "{n} of {all} measurements met a forged certificate: {domains}, {networks}.",
        overview.measurements,
    ).format(
        n=number(overview.intercepted),
        all=number(overview.measurements),
        domains=domains(overview.domains_intercepted),
        networks=networks(len(overview.intercepting_networks)),
    )
    notes = []
    if overview.days:
        notes.append(
            _("First seen on {first}, last seen on {last}.").format(
                first=date(overview.days[0]), last=date(overview.days[-1])
            )
        )
    if undecided:
        told = ngettext(
            "{n} measurement could not be decided.", "{n} measurements could not be decided.", undecided
        )
        notes.append(told.format(n=number(undecided)))
    return Answer(
        word=_("Interception"), sentence=sentence, tone=Tone.ALARM, notes=(*notes, *_failed(overview))
    )


def _failed(overview: Overview) -> tuple[str, ...]:
    if not overview.failed:
        return ()
    told = ngettext(
        "{n} target could not be measured, by a failure of the vantage.",
        "{n} targets could not be measured, by a failure of the vantage.",
        overview.failed,
    )
    return (told.format(n=number(overview.failed)),)


def _limits(overview: Overview) -> Section:
    told = [
        _("Where nobody measured nothing is known: absence here is no proof of absence."),
        _("What was blocked or undecided may have been intercepted as well; it is not counted as clean."),
    ]
    if not overview.is_campaign:
        told.append(
            _(
                "OONI's probes keep one certificate of a chain that fails, often not the site's own: who "
                "forged is known from it, what the site's forged certificate looked like mostly is not."
            )
        )
    return Section(id="limits", title=_("What this cannot say"), blocks=tuple(Text(each) for each in told))


def _data(overview: Overview) -> Data:
    """A row for each network and domain with interception or without, of the domains somebody intercepts."""
    names = {each.asn: each.name for each in overview.networks}
    spans_of = {each.name: each.span for each in overview.domains}
    return Data(
        columns=_COLUMNS,
        rows=tuple(_rows(overview, names, spans_of)),
    )


def _rows(
    overview: Overview, names: dict[int, str], spans_of: dict[str, Span | None]
) -> Iterator[tuple[str, ...]]:
    for (asn, domain), counts in sorted(overview.cells.items()):
        yield (
            str(asn), names.get(asn, ""), domain, str(counts.measurements), str(counts.intercepted),
            str(counts.blocked), str(counts.clean), span(spans_of.get(domain)),
        )  # fmt: skip
