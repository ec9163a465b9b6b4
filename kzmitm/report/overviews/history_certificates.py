"""Certificates in a history: roots and what they signed, their dates, sightings, and the gaps between."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from kzmitm.pki.entries import KnownAuthority, KnownCertificate
from kzmitm.pki.kinds import CARRIERS
from kzmitm.pki.records import Incident
from kzmitm.pki.registry import Registry
from kzmitm.report.charts.validity import Valid, gaps, picture
from kzmitm.report.document import Block, Cell, Notice, Section, Table, Text, Tone
from kzmitm.report.language import _, ngettext
from kzmitm.report.overviews.episodes import INTERCEPTION
from kzmitm.report.overviews.shown import as_block, day, moment_of, short
from kzmitm.report.safe import harmless

SHORT: Final = 16
_Seen = Mapping[str, Sequence[datetime]]


def section(
    registry: Registry, authorities: Sequence[KnownAuthority], incidents: Sequence[Incident]
) -> Section | None:
    """The picture of all certificates with dates, and the table; None where none is known."""
    rows = [*roots(authorities, _seen(registry, incidents)), *measured(registry, authorities)]
    if not rows:
        return None
    blocks: list[Block] = []
    drawn = picture("certificates", rows)
    if drawn is not None:
        caption = _(
            "When each certificate was valid, and days on which it is known to have been used: the first "
            "and the last day of an episode, and one published example of each certificate that was "
            "measured"
        )
        blocks.append(as_block(drawn, caption))
    late = [row for row in rows if row.outside]
    blocks += [_late(row) for row in late]
    blocks.append(_table(authorities))
    return Section(id="certificates", title=_("Certificates: valid and seen"), blocks=tuple(blocks))


def _late(row: Valid) -> Notice:
    moment = max(each for each, _number in row.outside)
    days = (moment - row.not_after).days
    told = ngettext(
        "{name} was seen on {day}, {n} day after it had expired.",
        "{name} was seen on {day}, {n} days after it had expired.",
        days,
    ).format(name=row.name, day=day(moment), n=days)
    return Notice(_("Expired and in use:"), told, Tone.WARNING)


def _seen(registry: Registry, incidents: Sequence[Incident]) -> dict[str, list[datetime]]:
    """By the SHA-256 of a root: when it or what it signed is known to have been in use."""
    found: dict[str, list[datetime]] = {}
    for each in incidents:
        if each.kind != INTERCEPTION or each.document.get("date_precision") != "day":
            continue
        for root in each.document.get("root_sha256", ()):
            found.setdefault(root, []).append(moment_of(each.start))
            if each.end and each.end != each.start:
                found[root].append(moment_of(each.end))
    for one in _published(registry):
        root = one.get("signed_by", {}).get("root_sha256")
        if root:
            found.setdefault(root, []).append(one["example_measured_at"])
    return found


def roots(authorities: Sequence[KnownAuthority], seen: _Seen) -> Iterator[Valid]:
    """The published roots with dates, by authority and age."""
    for authority in authorities:
        dated = [
            each
            for each in authority.certificates
            if each.role == "root" and each.not_before and each.not_after
        ]
        for each in sorted(dated, key=lambda each: (str(each.not_before), each.sha256 or "")):
            if each.not_before and each.not_after:  # said again for the type checker
                yield Valid(
                    name=each.sha256[:SHORT] if each.sha256 else _("hash not known"),
                    group=authority.name,
                    not_before=each.not_before,
                    not_after=each.not_after,
                    seen=tuple((moment, 1) for moment in sorted(seen.get(each.sha256 or "", ()))),
                    note=_("blocked {day}").format(day=blocked(each)[:10]) if blocked(each) else "",
                )


def measured(registry: Registry, authorities: Sequence[KnownAuthority]) -> Iterator[Valid]:
    """The certificates that somebody measured, each with its published example."""
    names = {each.id: each.name for each in authorities}
    for document in registry.observations.values():
        authority = document.get("authority")
        if authority not in names:
            continue
        for one in document.get("intermediates", ()):
            yield Valid(
                name=str(one["sha1"])[:SHORT],
                group=_("Signed by them, as measured (SHA-1)"),
                not_before=one["not_before"],
                not_after=one["not_after"],
                seen=((one["example_measured_at"], 1),),
                note=_("one example"),
            )


def _published(registry: Registry) -> Iterator[Mapping[str, Any]]:
    for document in registry.observations.values():
        yield from document.get("intermediates", ())


def gaps_section(registry: Registry, authorities: Sequence[KnownAuthority]) -> Section | None:
    """When no certificate that was measured was valid; None where there was no such time."""
    rows = list(measured(registry, authorities))
    found = list(gaps(rows))
    if not found:
        return None
    days = sum((end - start).days for start, end in found)
    return Section(
        id="gaps",
        title=_("Gaps"),
        blocks=(
            Text(
                ngettext(
                    "There is {n} time, of {days} days, when no measured certificate was valid.",
                    "There are {n} times, of {days} days together, when no measured certificate was valid.",
                    len(found),
                ).format(n=len(found), days=days),
                is_lead=True,
            ),
            Text(
                _(
                    "Interception may have gone on with an expired certificate, with one that nobody "
                    "measured, or not at all. Who had installed the root would have seen an error with an "
                    "expired one."
                )
            ),
            Table(
                caption=_("Times without a valid certificate among those measured"),
                columns=(_("from"), _("to"), _("days"), _("seen in that time")),
                rows=tuple(_gap(start, end, rows) for start, end in found),
            ),
        ),
    )


def _gap(start: datetime, end: datetime, rows: Sequence[Valid]) -> tuple[str | Cell, ...]:
    inside = [
        f"{row.name} ({day(moment)})" for row in rows for moment, _number in row.seen if start <= moment < end
    ]
    return (
        short(day(start)),
        short(day(end)),
        short((end - start).days),
        ", ".join(inside) or _("nothing published"),
    )


def _table(authorities: Sequence[KnownAuthority]) -> Table:
    return Table(
        caption=_("Authorities and their published roots"),
        columns=(_("root (SHA-256)"), _("authority"), _("valid from"), _("until"), _("blocked by Mozilla")),
        rows=tuple(
            (
                Cell(text=(each.sha256 or _("not known"))[:SHORT], is_exact=bool(each.sha256), is_short=True),
                harmless(authority.name)
                + ("" if authority.kind in CARRIERS else " " + _("(not seen intercepting)")),
                short(day(each.not_before)),
                short(day(each.not_after)),
                blocked(each) or "-",
            )
            for authority in authorities
            for each in authority.certificates
            if each.role == "root"
        ),
    )


def blocked(certificate: KnownCertificate) -> str:
    """When Mozilla's OneCRL blocked it, as far as the registry knows."""
    return str(certificate.document.get("blocked_by", {}).get("onecrl", {}).get("effective", ""))


def data(authorities: Sequence[KnownAuthority]) -> Iterator[tuple[str, ...]]:
    """A row for each published certificate."""
    for authority in authorities:
        for each in authority.certificates:
            dates = (
                f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else ""
                for moment in (each.not_before, each.not_after)
            )
            yield (authority.id, each.role, each.sha256 or "", each.sha1 or "", *dates, blocked(each))
