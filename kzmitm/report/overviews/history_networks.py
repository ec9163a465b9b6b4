"""Networks in a history: in which of them each episode was seen, and how many users they serve."""

from collections.abc import Sequence

from kzmitm.pki.records import Incident
from kzmitm.pki.registry import Registry
from kzmitm.report.charts.shares import Share, picture
from kzmitm.report.document import Block, Grid, Notice, Section, Shade, Text, Tone
from kzmitm.report.language import _
from kzmitm.report.overviews import users
from kzmitm.report.overviews.episodes import when
from kzmitm.report.overviews.shown import as_block
from kzmitm.report.safe import harmless


def section(registry: Registry, incidents: Sequence[Incident]) -> Section | None:
    """None where no episode names a network."""
    placed = [each for each in incidents if each.asns]
    if not placed:
        return None
    asns = sorted({asn for each in placed for asn in each.asns})
    shares = tuple(
        Share(name=harmless(f"AS{each.asn} {each.name}"), percent=each.share, was_seen=each.asn in asns)
        for each in sorted(registry.networks.values(), key=lambda each: (-(each.share or 0), each.asn))
        if each.share
    )
    seen = sum(row.percent for row in shares if row.was_seen)
    blocks: list[Block] = [
        Text(
            _("Networks with interception serve at most {share} % of the users.").format(share=f"{seen:.1f}"),
            is_lead=True,
        ),
        Notice(_("An upper bound:"), users.bound(), Tone.PLAIN),
    ]
    drawn = picture("users", shares)
    if drawn is not None:
        blocks.append(as_block(drawn, _("Networks whose share of the country's users is known")))
    blocks.append(_grid(registry, placed, asns))
    blocks.append(
        Text(_("An empty cell says that no source names the network for this episode, not that it was free."))
    )
    return Section(id="networks", title=_("Networks"), blocks=tuple(blocks))


def _grid(registry: Registry, incidents: Sequence[Incident], asns: Sequence[int]) -> Grid:
    return Grid(
        caption=_("Networks by episode, as published sources name them"),
        corner=_("network"),
        columns=tuple(when(each) for each in incidents),
        rows=tuple(
            (
                _network(registry, incidents, asn),
                tuple(Shade(_("seen"), 4) if asn in each.asns else Shade("-", None) for each in incidents),
            )
            for asn in asns
        ),
    )


def _network(registry: Registry, incidents: Sequence[Incident], asn: int) -> str:
    known = registry.networks.get(asn)
    if known is not None:
        return harmless(f"AS{asn} {known.name}")
    entries = (entry for each in incidents for entry in each.document.get("asns", ()))
    return harmless(
        f"AS{asn} {next((entry.get('name', '') for entry in entries if entry['asn'] == asn), '')}"
    )
