"""An appeal to an authority: what its own recommendations ask for, filled in from a result.

What only the applicant knows stays blank. The first thing said is that an appeal tells the state who
measured, and to whom else one may turn.
"""

from collections.abc import Iterator, Sequence

from kzmitm.model.verdict import Outcome
from kzmitm.report import texts
from kzmitm.report.document import (
    Answer,
    Blank,
    Block,
    Document,
    Notice,
    Points,
    Section,
    Table,
    Terms,
    Text,
    Tone,
)
from kzmitm.report.language import _, ngettext
from kzmitm.report.locale_forms import language, moment, number, week
from kzmitm.report.results.groups import Finding, findings
from kzmitm.report.results.law import Body, facts_of
from kzmitm.report.results.view import ResultView
from kzmitm.report.safe import harmless
from kzmitm.report.text import how_sure, seen, who

COUNTRY = "KZ"
REPORTED = frozenset({Outcome.INTERCEPTION, Outcome.BLOCKED, Outcome.DNS_HIJACK, Outcome.TRUSTED_UNEXPECTED})
"""Outcomes that somebody can be asked to answer for."""
MAX_SITES = 60
"""Names of sites in one sentence of the letter; the rest is in the result."""


def appeal_document(view: ResultView) -> Document:
    """The appeal about one result, which was checked and is unaltered."""
    facts = facts_of(COUNTRY)
    found = tuple(each for each in findings(view.targets) if each.outcome in REPORTED)
    parts = {
        "applicant": _applicant(),
        "violation": _violation(found),
        "time": _time(view),
        "material": _material(view),
        "organisation": _organisation(view),
    }
    letter = tuple(
        Section(id=id_, title=str(facts.appeal[id_]), blocks=tuple(blocks)) for id_, blocks in parts.items()
    )
    return Document(
        title=_("Appeal about interference with connections"),
        language=language(),
        answer=_warning(),
        sections=(
            _alternatives(facts.bodies),
            *letter,
            _addressees(facts.bodies),
        ),
        foot=(
            *_on_the_hour(view),
            _("The parts of this appeal are those that the authority itself asks for: {source}.").format(
                source=facts.appeal_source
            ),
            _("This page is a draft to be read and signed by a person, and no legal advice."),
        ),
    )


def _on_the_hour(view: ResultView) -> tuple[str, ...]:
    if view.started_at is not None:
        return ()
    return (_("Only the week is told here; with --level partner it is the hour, if the result holds it."),)


def _warning() -> Answer:
    return Answer(
        word=_("READ THIS FIRST"),
        sentence=_(
            "An appeal identifies you: the authority that receives it learns your name, your network, and "
            "that you measured."
        ),
        tone=Tone.WARNING,
        notes=(
            _(
                "In some places that is a risk. Ask somebody you trust, best of all a lawyer, before you "
                "send it."
            ),
            _("You can have the same findings heard without your name: see whom else you can tell, below."),
        ),
    )


def _alternatives(bodies: Sequence[Body]) -> Section:
    others = tuple(f"{each.name}: {', '.join(each.contacts)}" for each in bodies if not each.is_state)
    return Section(
        id="alternatives",
        title=_("Whom else you can tell"),
        blocks=(
            Text(
                _("These are no state bodies. They can publish or use a finding without naming who made it:")
            ),
            Points(others),
            Text(
                _(
                    "Give them the result itself, reduced for the public: kzmitm share --level public "
                    "RESULT. It names no computer, address or hour."
                )
            ),
        ),
    )


def _applicant() -> Iterator[Block]:
    yield Blank(_("Name"))
    yield Blank(_("Postal address, telephone or e-mail"), _("to which the answer is to be sent"))


def _violation(found: Sequence[Finding]) -> Iterator[Block]:
    if not found:
        yield Text(_("The result holds no finding that an appeal could be about."))
    for each in found:
        judged = each.first.judged
        names = ", ".join(harmless(target.judged.target, 80) for target in each.targets[:MAX_SITES])
        more = len(each.targets) - MAX_SITES
        if more > 0:
            names += _(" and {n} more").format(n=number(more))
        told = ngettext("The site {names}: {seen}.", "The sites {names}: {seen}.", len(each.targets))
        yield Notice(_(texts.WORDS[each.outcome]), told.format(names=names, seen=seen(judged)), Tone.PLAIN)
        said = (*who(judged.verdict), *how_sure(judged.verdict))
        if said:
            yield Points(said)
    yield Blank(_("What it did to you"), _("in your own words: what you could not do, what you saw"))


def _time(view: ResultView) -> Iterator[Block]:
    if view.started_at is not None:
        told = _("Measured from {start} to {end}.")
        end = moment(view.finished_at) if view.finished_at else _("an unknown time")
        yield Text(told.format(start=moment(view.started_at), end=end))
    else:
        yield Terms(((_("Measured in the week"), week(harmless(view.week, 20))),))
    yield Blank(_("When you first and last noticed it"), _("the measurement shows one moment only"))


def _material(view: ResultView) -> Iterator[Block]:
    yield Text(_("Attached: the signed result of the measurement, an archive that anybody can check."))
    yield Table(
        caption=_("What names the archive"),
        columns=(_("What"), _("Value")),
        rows=(
            (_("Name"), f"{view.reference}.zip"),
            (_("SHA-256 of its list of files"), view.check.bundle_id),
            (_("Signed with the key"), view.check.key),
        ),
    )
    if view.check.statements:
        yield Points(view.check.statements)
    yield Text(
        _(
            "How to check it stands in readme.txt inside the archive. Attach a copy reduced for partners or "
            "the public (kzmitm share), and not your own: that one describes your computer."
        )
    )


def _organisation(view: ResultView) -> Iterator[Block]:
    if view.asn:
        name = harmless(view.network, 120) or _("an operator whose name is not known here")
        yield Text(
            _("The measurement was made in the network {asn}, {name}.").format(
                asn=harmless(view.asn, 20), name=name
            )
        )
    else:
        yield Text(_("The result does not say in which network it was measured."))
    yield Text(
        _(
            "The measurement shows what was done, and not who ordered it: the operator of the network is "
            "who can be asked first."
        )
    )
    yield Blank(_("Organisation"), _("your operator, as it stands on your contract or bill"))


def _addressees(bodies: Sequence[Body]) -> Section:
    rows = tuple((str(each.name), ", ".join(each.contacts)) for each in bodies if each.is_state)
    return Section(
        id="addressees",
        title=_("Where an appeal can be sent"),
        blocks=(
            Notice(
                _("State bodies."), _("A report to them identifies the person who makes it."), Tone.WARNING
            ),
            Table(
                caption=_("State bodies and their contacts"), columns=(_("Body"), _("Contacts")), rows=rows
            ),
        ),
    )
