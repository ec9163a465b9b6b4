"""The section on networks and domains: who intercepts what, as a heat map of words."""

from collections.abc import Mapping, Sequence
from typing import Final

from kzmitm.report.document import Block, Grid, Section, Shade, Text
from kzmitm.report.language import _
from kzmitm.report.overviews.shown import domains, named, networks
from kzmitm.report.overviews.values import Counts, Overview, SeenDomain, SeenNetwork

MOST_COLUMNS: Final = 24
MOST_ROWS: Final = 40
LEVELS: Final = 5


def section(overview: Overview) -> Section | None:
    """None where nothing was intercepted."""
    rows, columns = overview.intercepting_networks, overview.intercepted_domains
    if not rows or not columns:
        return None
    blocks: list[Block] = [
        Text(
            _(
                "Each cell says in how many of the measurements of a domain from a network a forged "
                "certificate was seen. The darker, the larger the share; a dash means that nobody "
                "measured, which is not the same as none."
            )
        ),
        grid(overview.cells, rows[:MOST_ROWS], columns[:MOST_COLUMNS]),
    ]
    left = _left_out(overview.domains_intercepted - MOST_COLUMNS, len(rows) - MOST_ROWS)
    if left:
        blocks.append(Text(left))
    return Section(id="where", title=_("Networks and domains"), blocks=tuple(blocks))


def grid(
    cells: Mapping[tuple[int, str], Counts], rows: Sequence[SeenNetwork], columns: Sequence[SeenDomain]
) -> Grid:
    """The heat map of these networks and domains, in their order."""
    return Grid(
        caption=_("Intercepted / measured, by network and domain"),
        corner=_("network"),
        columns=tuple(named(each.name) for each in columns),
        rows=tuple(
            (named(each.label), tuple(_shade(cells.get((each.asn, domain.name))) for domain in columns))
            for each in rows
        ),
    )


def _shade(counts: Counts | None) -> Shade:
    if counts is None or not counts.measurements:
        return Shade("-", None)
    share = counts.intercepted / counts.measurements
    level = 0 if not counts.intercepted else min(LEVELS, 1 + int(share * LEVELS))
    return Shade(
        f"{counts.intercepted}/{counts.measurements}",
        level,
    )


def _left_out(more_domains: int, more_networks: int) -> str:
    told = []
    if more_domains > 0:
        told.append(domains(more_domains))
    if more_networks > 0:
        told.append(networks(more_networks))
    return _("Left out here: {what}. The CSV has more of them.").format(what=", ".join(told)) if told else ""
