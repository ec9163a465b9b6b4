"""The Internet Impact Assessment of what was measured: what the data show beside a published view."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from kzmitm.pki.registry import Registry
from kzmitm.report.document import Answer, Block, Cell, Data, Document, Heading, Section, Table, Text, Tone
from kzmitm.report.language import _
from kzmitm.report.locale_forms import language
from kzmitm.report.overviews import country, users
from kzmitm.report.overviews.impact_evidence import WORDS, Evidence, Standing, evidence
from kzmitm.report.overviews.impact_facts import Assessed, assessment
from kzmitm.report.overviews.values import Overview

TONES = {
    Standing.SHOWN: Tone.ALARM,
    Standing.POSSIBLE: Tone.WARNING,
    Standing.NOT_SEEN: Tone.PLAIN,
    Standing.NO_DATA: Tone.PLAIN,
}


def document(overview: Overview, registry: Registry, *, now: datetime) -> Document:
    """The assessment, made at `now`."""
    published = assessment()
    judged = [(each, evidence(each.item, overview)) for each in (*published.properties, *published.enablers)]
    return Document(
        title=_("Impact on the Internet: what the measurements show"),
        language=language(),
        answer=_answer([found for _each, found in judged]),
        about=country.about(overview, now),
        sections=(
            Section(
                id="enablers",
                title=_("What enables an open, connected, secure and trustworthy Internet"),
                blocks=tuple(_by_goal(overview)),
            ),
            Section(
                id="properties",
                title=_("Critical properties of the Internet"),
                blocks=(_table(_("Properties"), published.properties, overview),),
            ),
            _reading(overview),
        ),
        foot=(
            *country.foot(registry),
            _("Method: {toolkit}. Published view: {source}.").format(
                toolkit=published.toolkit, source=published.source
            ),
        ),
        data=Data(
            columns=("item", "goal", "published_affected", "standing", "evidence"),
            rows=tuple(
                (
                    each.item.value,
                    each.goal,
                    "yes" if each.because else "no",
                    found.standing.value,
                    found.text,
                )
                for each, found in judged
            ),
        ),
    )


def _answer(found: Sequence[Evidence]) -> Answer:
    numbers = {standing: sum(each.standing is standing for each in found) for standing in Standing}
    sentence = _(
        "Of {all} items the data show {shown}, make {possible} more possible, and say nothing of {none}."
    ).format(
        all=len(found),
        shown=numbers[Standing.SHOWN],
        possible=numbers[Standing.POSSIBLE],
        none=numbers[Standing.NO_DATA],
    )
    return Answer(
        word=_("Impact seen") if numbers[Standing.SHOWN] else _("No impact seen"),
        sentence=sentence,
        tone=Tone.ALARM if numbers[Standing.SHOWN] else Tone.PLAIN,
        notes=(_("What nobody measured is marked as such, and not as unaffected."),),
    )


def _by_goal(overview: Overview) -> Iterator[Block]:
    published = assessment()
    for goal, name in published.goals.items():
        yield Heading(_("Goal: {goal}").format(goal=name))
        items = [each for each in published.enablers if each.goal == goal]
        yield _table(_("Enablers of this goal"), items, overview)


def _table(caption: str, items: Sequence[Assessed], overview: Overview) -> Table:
    return Table(
        caption=caption,
        columns=(_("item"), _("published view, 2025"), _("what these data show")),
        rows=tuple(_row(each, evidence(each.item, overview)) for each in items),
    )


def _row(each: Assessed, found: Evidence) -> tuple[str | Cell, ...]:
    published = _("affected: {why}").format(why=each.because) if each.because else _("not affected")
    shown = Cell(text=found.text, mark=_(WORDS[found.standing]), tone=TONES[found.standing])
    return str(each.name), published, shown


def _reading(overview: Overview) -> Section:
    told = [
        _(
            "Shown: these measurements show it. Made possible: what was seen allows it, and that it "
            "happened was not seen."
        ),
        _(
            "Not seen: it was looked for and not seen, which proves nothing. No data: a TLS measurement "
            "cannot tell."
        ),
        _("The published view is that of the source, and is not changed by these data."),
    ]
    if overview.share_of_users:
        told.append(_("An upper bound:") + " " + users.bound())
    return Section(id="reading", title=_("How to read this"), blocks=tuple(Text(each) for each in told))
