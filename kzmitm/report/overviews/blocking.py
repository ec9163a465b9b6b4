"""The section on blocking: what is intercepted, beside what is simply cut off."""

from collections.abc import Sequence
from typing import Final

from kzmitm.report.charts.outcomes import Ended, picture
from kzmitm.report.document import Block, Fold, Section, Table, Text
from kzmitm.report.language import _
from kzmitm.report.locale_forms import number
from kzmitm.report.overviews.shown import MOST_ROWS, as_block, first, last, named, short
from kzmitm.report.overviews.values import Overview, SeenDomain

MOST_DRAWN: Final = 20


def section(overview: Overview) -> Section | None:
    """None where nothing was intercepted or blocked."""
    if not overview.domains:
        return None
    both = [each for each in overview.domains if each.counts.intercepted and each.counts.blocked]
    blocks: list[Block] = [
        Text(
            _(
                "Measurements intercepted: {intercepted}; blocked: {blocked}. Domains that met both: {both}."
            ).format(
                intercepted=number(overview.intercepted),
                blocked=number(overview.blocked),
                both=number(len(both)),
            ),
            is_lead=True,
        ),
        Text(
            _(
                "Who has not installed the root sees an error in both cases. Blocked means: the connection "
                "was cut off or fell silent here, and not where the control measured."
            )
        ),
    ]
    drawn = picture("blocking", [_ended(each) for each in overview.domains[:MOST_DRAWN]])
    if drawn is not None:
        caption = _(
            "How the measurements of the most affected domains ended; on the right: intercepted / blocked"
        )
        blocks.append(as_block(drawn, caption))
    blocks.append(Fold(_("The domains as a table"), (_table(overview.domains[:MOST_ROWS]),)))
    return Section(id="blocking", title=_("Intercepted and blocked"), blocks=tuple(blocks))


def _ended(each: SeenDomain) -> Ended:
    return Ended(
        name=named(each.name),
        intercepted=each.counts.intercepted,
        blocked=each.counts.blocked,
        clean=each.counts.clean,
        measurements=each.counts.measurements,
    )


def _table(domains: Sequence[SeenDomain]) -> Table:
    return Table(
        caption=_("Domains with interception or blocking; first and last are of interception"),
        columns=(
            _("domain"), _("measured"), _("intercepted"), _("blocked"), _("clean"),
            _("first seen"), _("last seen"),
        ),
        rows=tuple(
            (
                named(each.name), short(each.counts.measurements), short(each.counts.intercepted),
                short(each.counts.blocked), short(each.counts.clean),
                short(first(each.span)), short(last(each.span)),
            )
            for each in domains
        ),
    )  # fmt: skip
