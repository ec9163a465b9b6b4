"""The section on times: when each authority and each network was first and last seen intercepting."""

from collections.abc import Sequence

from kzmitm.report.document import Section, Table
from kzmitm.report.language import _
from kzmitm.report.overviews.shown import MOST_ROWS, authority_name, day, first, last, named, short
from kzmitm.report.overviews.values import Overview, SeenAuthority, SeenNetwork


def section(overview: Overview) -> Section | None:
    """None where nothing was intercepted."""
    if not overview.authorities:
        return None
    networks = overview.intercepting_networks[:MOST_ROWS]
    return Section(
        id="seen",
        title=_("First and last seen"),
        blocks=(_authorities(overview.authorities[:MOST_ROWS]), _networks(networks)),
    )


def _authorities(rows: Sequence[SeenAuthority]) -> Table:
    return Table(
        caption=_("Who intercepted, and how that is known"),
        columns=(
            _("authority"), _("recognised"), _("first seen"), _("last seen"), _("sightings"), _("domains"),
            _("networks"),
        ),
        rows=tuple(
            (
                authority_name(each.name), way(each.match), short(day(each.span.first)),
                short(day(each.span.last)),
                short(each.sightings), short(each.domains), short(each.networks),
            )
            for each in rows
        ),
    )  # fmt: skip


def way(match: str) -> str:
    """How an authority was recognised, in words."""
    words = {
        "certificate": _("by its certificate"),
        "key": _("by its key"),
        "signature": _("by its signature"),
        "family": _("by the traits of its family"),
        "name": _("by a name, which anybody can write"),
    }
    return words.get(match) or _("each measurement says how")


def _networks(rows: Sequence[SeenNetwork]) -> Table:
    return Table(
        caption=_("Networks in which interception was seen"),
        columns=(
            _("network"), _("first seen"), _("last seen"), _("intercepted"), _("measured"), _("domains"),
        ),
        rows=tuple(
            (
                named(each.label), short(first(each.span)),
                short(last(each.span)), short(each.counts.intercepted),
                short(each.counts.measurements), short(each.domains),
            )
            for each in rows
        ),
    )  # fmt: skip
