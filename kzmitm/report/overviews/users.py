"""The section on users: how many the networks with sightings serve, an upper bound of whom it could meet."""

from collections.abc import Mapping

from kzmitm.pki.records import Network
from kzmitm.report.charts.shares import Share, picture
from kzmitm.report.document import Block, Fold, Notice, Section, Table, Text, Tone
from kzmitm.report.language import _
from kzmitm.report.overviews.shown import as_block, named, networks
from kzmitm.report.overviews.values import Overview, SeenNetwork


def section(overview: Overview, known: Mapping[int, Network]) -> Section | None:
    """`known` are the networks of the registry; None where no share is known or nothing was intercepted."""
    shared = sorted(
        (each for each in known.values() if each.share), key=lambda each: (-(each.share or 0), each.asn)
    )
    if not shared or not overview.intercepted:
        return None
    seen = {each.asn: each for each in overview.networks}
    rows = tuple(_share(each, seen.get(each.asn)) for each in shared)
    blocks: list[Block] = [
        Text(
            _(
                "The networks in which a state's or a provider's interception was seen serve at most "
                "{share} % of the users."
            ).format(
                share=f"{overview.share_of_users:.1f}"
            ),
            is_lead=True,
        ),
        Notice(_("An upper bound:"), bound(), Tone.PLAIN),
    ]  # fmt: skip
    drawn = picture("users", rows)
    if drawn is not None:
        blocks.append(as_block(drawn, _("Networks whose share of the country's users is known")))
    blocks.append(Fold(_("The networks as a table"), (table(rows),)))
    without = sum(1 for each in overview.networks if each.by_network and not each.share)
    if without:
        blocks.append(
            Text(
                _("With sightings and without a known share, so that nothing is added for them: {n}.").format(
                    n=networks(without)
                )
            )
        )
    return Section(id="users", title=_("Share of the users"), blocks=tuple(blocks))


def bound() -> str:
    """What the share is not."""
    return _(
        "this is who could be exposed, never a count of who was. One sighting counts the whole network, "
        "and interception is known to be selective by site, by time and by path. The shares are an "
        "estimate of December 2024 (APNIC, quoted by the Internet Society), whenever the measurements were "
        "made."
    )


def _share(network: Network, seen: SeenNetwork | None) -> Share:
    return Share(
        name=named(f"AS{network.asn} {network.name}"),
        percent=network.share or 0.0,
        was_seen=bool(seen and seen.by_network),
        was_measured=seen is not None,
    )


def table(rows: tuple[Share, ...]) -> Table:
    """The same in words."""
    words = {True: _("seen"), False: _("not seen")}
    return Table(
        caption=_("Networks by their share of the users"),
        columns=(_("network"), _("share of users"), _("interception")),
        rows=tuple(
            (
                row.name,
                f"{row.percent:g} %",
                words[row.was_seen] if row.was_measured is not False else _("not measured"),
            )
            for row in rows
        ),
    )
