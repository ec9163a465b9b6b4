"""The report of one scan's result or of several: the answer, then each finding, then how to check it."""

from collections import Counter
from collections.abc import Iterator, Sequence

from kzmitm.model.verdict import Outcome
from kzmitm.report import texts
from kzmitm.report.document import Answer, Block, Document, Notice, Points, Section, Table, Terms, Text, Tone
from kzmitm.report.language import N_, _, ngettext
from kzmitm.report.locale_forms import language, moment, number, week
from kzmitm.report.results.by_hand import check_section
from kzmitm.report.results.groups import findings, quiet
from kzmitm.report.results.law import has_facts, law_section
from kzmitm.report.results.sections import TONES, finding_section
from kzmitm.report.results.table import data_of
from kzmitm.report.results.view import ReportedTarget, ResultView
from kzmitm.report.safe import harmless
from kzmitm.report.text import STYLES, gravity, how_sure, who

MAX_FINDINGS = 60
"""Findings of one result that are explained; a network has a few manners and not hundreds."""
MAX_QUIET = 400
"""Targets without a finding that are listed; a scan of a long list has thousands."""

ANSWERS = {
    Outcome.INTERCEPTION: N_(
        "Somebody between the computer that measured and {sites} answered in the place of the site with a "
        "forged certificate. The connection could be read and changed on its way."
    ),
    Outcome.TRUSTED_UNEXPECTED: N_(
        "On {sites} a public authority vouches for a certificate that the site does not show elsewhere. "
        "That may be new, or wrong; it is not decided."
    ),
    Outcome.DNS_HIJACK: N_("The names of {sites} led to addresses that are not the site's."),
    Outcome.CAPTIVE_PORTAL: N_(
        "The network answered in the place of {sites}, as the login page of a hotel or café does."
    ),
    Outcome.BLOCKED: N_("Connections to {sites} were cut or silenced on their way."),
    Outcome.INCONCLUSIVE: N_("What was seen on {sites} does not decide it. This is not an all-clear."),
    Outcome.ORIGIN_MISCONFIGURED: N_(
        "On {sites} the site's own certificate is broken; nothing speaks for interception."
    ),
    Outcome.UNREACHABLE: N_("No connection to {sites} came about, so no certificate was seen."),
    Outcome.CLEAN: N_("On {sites} the certificate was the genuine one."),
}
"""The answer by the gravest outcome; `{sites}` says on how many."""


def results_document(views: Sequence[ResultView]) -> Document:
    """The report of some results, in the order in which they were given."""
    sections: list[Section] = []
    for position, view in enumerate(views, 1):
        sections += _sections(view, f"r{position}-" if len(views) > 1 else "", position)
    countries = {country for view in views for country in _countries(view)}
    sections += [law_section(country) for country in sorted(countries)]
    return Document(
        title=_("Were the connections intercepted?"),
        language=language(),
        answer=_answer(views),
        about=_about(views),
        sections=tuple(sections),
        foot=tuple(_foot(views)),
        data=data_of(views),
    )


def _answer(views: Sequence[ResultView]) -> Answer:
    altered = sum(view.check.is_altered is True for view in views)
    if not altered:
        return _found(views)
    if len(views) == 1:
        told = _("This result was changed after it was signed. Do not rely on it; nothing of it is shown.")
    else:
        told = ngettext(
            "{n} of {total} results was changed after it was signed. Do not rely on it; nothing of it is "
            "shown.",
            "{n} of {total} results were changed after they were signed. Do not rely on them; nothing of "
            "them is shown.",
            altered,
        ).format(n=number(altered), total=number(len(views)))
    rest = (_found(views).sentence,) if altered < len(views) else ()
    return Answer(word=_("ALTERED"), sentence=told, tone=Tone.ALARM, notes=rest)


def _found(views: Sequence[ResultView]) -> Answer:
    good = [view for view in views if view.check.is_altered is not True]
    outcomes: Counter[Outcome] = Counter()
    for view in good:
        outcomes.update(view.outcomes)
    told = [target.judged.verdict for view in good for target in view.targets]
    worst = min(told, key=gravity, default=None)
    if worst is None:
        return Answer(word=_("NOTHING"), sentence=_("No site was measured."), tone=Tone.WARNING)
    total = sum(outcomes.values())
    return Answer(
        word=_(texts.WORDS[worst.outcome]),
        sentence=_(ANSWERS[worst.outcome]).format(sites=_sites(outcomes[worst.outcome], total)),
        tone=TONES[STYLES[worst.outcome]],
        notes=tuple(_notes(good, outcomes, worst.outcome)),
    )


def _sites(count: int, total: int) -> str:
    text = ngettext("{n} of {total} site", "{n} of {total} sites", total)
    return text.format(n=number(count), total=number(total))


def _notes(views: Sequence[ResultView], outcomes: Counter[Outcome], worst: Outcome) -> Iterator[str]:
    others = [
        f"{_(texts.WORDS[outcome])}: {number(outcomes[outcome])}"
        for outcome in Outcome
        if outcome is not worst and outcomes[outcome]
    ]
    first = next(
        target.judged.verdict
        for view in views
        for target in view.targets
        if target.judged.verdict.outcome is worst
    )
    for label, told in ((_("Who"), who(first)), (_("How sure"), how_sure(first))):
        if told and worst is not Outcome.CLEAN:
            yield f"{label}: {told[0]}."
    if others:
        yield _("The others: {told}.").format(told=", ".join(others))
    if any(not view.is_complete for view in views):
        yield _("A scan was stopped before its end; what it did not reach was not measured.")
    if any(view.check.is_altered is None for view in views):
        yield _("A result was never signed, as its scan did not end: it proves nothing to others.")


def _about(views: Sequence[ResultView]) -> tuple[tuple[str, str], ...]:
    if len(views) > 1:
        return ((_("Results"), number(len(views))),)
    view = views[0]
    return () if view.check.is_altered else tuple(_facts(view))


def _facts(view: ResultView) -> Iterator[tuple[str, str]]:
    if view.started_at is not None:
        yield _("When"), moment(view.started_at)
    elif view.week:
        yield _("Week"), week(harmless(view.week, 20))
    if view.asn or view.country:
        name = f"{view.asn} ({view.network})" if view.network else view.asn
        yield _("Network"), ", ".join(filter(None, (name, view.country)))
    yield _("Sites"), number(view.total)
    if view.reference:
        yield _("Result"), view.reference


def _sections(view: ResultView, prefix: str, position: int) -> Iterator[Section]:
    """Of one result; `prefix` keeps the addresses of several apart."""
    if prefix:
        yield _result_section(view, f"{prefix}result", position)
    if view.check.is_altered:
        yield _altered_section(view, f"{prefix}altered")
        return
    found = findings(view.targets)
    for number_, finding in enumerate(found[:MAX_FINDINGS], 1):
        yield finding_section(finding, f"{prefix}finding-{number_}")
    rest = quiet(view.targets)
    left = len(found) - MAX_FINDINGS
    if rest or left > 0:
        yield _quiet_section(rest, left, f"{prefix}others")
    if view.check.is_altered is False:
        yield check_section(view, f"{prefix}check")
    if view.versions or view.computer:
        yield _made_section(view, f"{prefix}made")


def _result_section(view: ResultView, id_: str, position: int) -> Section:
    facts = () if view.check.is_altered else tuple(_facts(view))
    blocks: tuple[Block, ...] = (Terms(facts),) if facts else (Text(_("Nothing of it is shown.")),)
    return Section(id=id_, title=_("Result {n}").format(n=number(position)), blocks=blocks)


def _altered_section(view: ResultView, id_: str) -> Section:
    return Section(
        id=id_,
        title=_("What is wrong with the result"),
        mark=_("ALTERED"),
        tone=Tone.ALARM,
        blocks=(
            Notice(_("Do not rely on it."), _("What stands in it is not what was signed."), Tone.ALARM),
            Points(view.check.problems),
            Text(_("Ask whoever gave it to you for the result as it was made.")),
        ),
    )


def _quiet_section(rest: Sequence[ReportedTarget], left: int, id_: str) -> Section:
    blocks: list[Block] = []
    if rest:
        rows = tuple(
            (
                harmless(target.judged.target),
                _(texts.WORDS[target.judged.verdict.outcome]),
                harmless(target.tls) or _("no answer"),
            )
            for target in rest[:MAX_QUIET]
        )
        blocks.append(
            Table(
                caption=_("CLEAN holds for this network and this moment, and for nothing else."),
                columns=(_("Site"), _("Result"), _("TLS")),
                rows=rows,
            )
        )
    more = max(len(rest) - MAX_QUIET, 0) + max(left, 0)
    if more:
        blocks.append(Text(_("and {n} more; kzmitm show RESULT lists all").format(n=number(more))))
    return Section(id=id_, title=_("The other sites"), blocks=tuple(blocks))


def _made_section(view: ResultView, id_: str) -> Section:
    blocks: list[Block] = [Terms(view.versions)]
    if view.computer:
        blocks += [Notice(_("For you alone."), _("This describes your computer."), Tone.WARNING)]
        blocks += [Terms(view.computer)]
    return Section(id=id_, title=_("How this was made"), blocks=tuple(blocks))


def _foot(views: Sequence[ResultView]) -> Iterator[str]:
    if any(view.is_reduced for view in views):
        yield _(
            "Reduced for the public: it tells the week and not the hour, and leaves out addresses, "
            "certificates that were made for one connection, and all that is known of the computer."
        )
    yield _("Made by kzmitm without a network. This file loads nothing and sends nothing.")


def _countries(view: ResultView) -> Iterator[str]:
    """Countries whose certificate is in question."""
    for target in view.targets:
        verdict = target.judged.verdict
        authority = verdict.authority
        if authority is None or view.check.is_altered:
            continue
        if has_facts(authority.country) and str(authority.kind).startswith("state_"):
            yield str(authority.country)
