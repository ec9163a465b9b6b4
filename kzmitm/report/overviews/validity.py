"""The section on certificates: their dates against the days on which they were seen."""

from collections.abc import Sequence
from typing import Final

from kzmitm.report.charts.validity import Valid, picture
from kzmitm.report.document import Block, Cell, Fold, Notice, Section, Table, Text, Tone
from kzmitm.report.language import _, ngettext
from kzmitm.report.overviews.shown import MOST_ROWS, as_block, authority_name, day, named, short
from kzmitm.report.overviews.values import Overview, SeenCertificate

MOST_DRAWN: Final = 24


def section(overview: Overview) -> Section | None:
    """None where no certificate intercepted."""
    if not overview.certificates:
        return None
    blocks: list[Block] = [Text(_lead(overview), is_lead=True)]
    drawn = picture("validity", rows_of(overview.certificates))
    if drawn is not None:
        blocks.append(
            as_block(drawn, _("When each certificate was valid, and the days on which it was seen"))
        )
    if overview.outside:
        blocks.append(_late(overview.outside))
    if overview.is_campaign:
        blocks.append(Text(_of_a_campaign()))
    blocks.append(Fold(_("The certificates as a table"), (_table(overview.certificates),)))
    return Section(id="certificates", title=_("Certificates: valid and seen"), blocks=tuple(blocks))


def _lead(overview: Overview) -> str:
    if overview.is_campaign:
        return ngettext(
            "{n} authority intercepted connections.",
            "{n} authorities intercepted connections.",
            len(overview.certificates),
        ).format(n=len(overview.certificates))
    return ngettext(
        "{n} certificate was shown in the place of the sites' own.",
        "{n} certificates were shown in the place of the sites' own.",
        len(overview.certificates),
    ).format(n=len(overview.certificates))


def _late(number: int) -> Notice:
    told = ngettext(
        "{n} sighting shows a certificate outside of its validity. Even who had installed the root saw an "
        "error then.",
        "{n} sightings show a certificate outside of its validity. Even who had installed the root saw an "
        "error then.",
        number,
    )
    return Notice(_("Not valid when seen:"), told.format(n=number), Tone.WARNING)


def _of_a_campaign() -> str:
    return _(
        "The log of a campaign keeps who intercepted, and no dates of forged certificates: the dates here "
        "are those of the authority's published certificates. kzmitm ooni analyze reads the certificates "
        "themselves."
    )


def rows_of(certificates: Sequence[SeenCertificate]) -> tuple[Valid, ...]:
    """Those with dates, the most telling ones; their order is kept."""
    dated = [each for each in certificates if each.not_before is not None and each.not_after is not None]
    ranked = sorted(dated, key=lambda each: (not each.is_carrier, -each.sightings))[:MOST_DRAWN]
    kept = {id(each) for each in ranked}
    return tuple(
        Valid(
            name=named(each.name),
            group=authority_name(each.authority),
            not_before=each.not_before,
            not_after=each.not_after,
            seen=each.days,
        )
        for each in dated
        if id(each) in kept and each.not_before is not None and each.not_after is not None
    )


def _table(certificates: Sequence[SeenCertificate]) -> Table:
    shown = certificates[:MOST_ROWS]
    caption = _("Dates are of the certificate; first and last are when it was seen.")
    if len(certificates) > len(shown):
        caption += " " + _("{n} more are in the tables.").format(n=len(certificates) - len(shown))
    columns = (
        _("certificate"),
        _("authority"),
        _("valid from"),
        _("until"),
        _("first seen"),
        _("last seen"),
        _("times"),
    )
    return Table(caption=caption, columns=columns, rows=tuple(map(_row, shown)))


def _row(each: SeenCertificate) -> tuple[str | Cell, ...]:
    days = [moment for moment, _number in each.days]
    times = str(each.sightings)
    if each.outside:
        times = _("{n}, of them {outside} outside").format(n=each.sightings, outside=each.outside)
    return (
        Cell(text=named(each.name), is_exact=bool(each.sha256), is_short=bool(each.sha256)),
        authority_name(each.authority),
        short(day(each.not_before)),
        short(day(each.not_after)),
        short(day(min(days, default=None))),
        short(day(max(days, default=None))),
        times,
    )
