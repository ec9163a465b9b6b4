"""The section of one finding: what was seen, what was ruled out, how sure, and what it proves."""

from collections.abc import Iterable, Iterator

from kzmitm.model.verdict import Cause, Outcome, Scope
from kzmitm.report import texts
from kzmitm.report.advice import limits
from kzmitm.report.document import (
    Block,
    Cell,
    Fold,
    Heading,
    Points,
    Section,
    Stop,
    Table,
    Terms,
    Text,
    Tone,
    Way,
)
from kzmitm.report.findings import grounds
from kzmitm.report.language import N_, _, ngettext
from kzmitm.report.line import Style
from kzmitm.report.locale_forms import moment, number
from kzmitm.report.reasons import evidence_text, relation_text, undecided_text
from kzmitm.report.results.comparison import comparison, hashes
from kzmitm.report.results.groups import Finding
from kzmitm.report.results.view import ReportedTarget
from kzmitm.report.safe import harmless
from kzmitm.report.text import STYLES, how_sure, on_this_computer, seen, steps, who

MAX_NAMED = 100
"""Targets of one finding that are named; all of them are in the result."""
MAX_COMPARED = 40
"""Targets of one finding whose certificates are laid side by side."""
MAX_OPEN = 3
"""Up to so many rows or comparisons stand open; of more, only the first comparison does."""

TONES = {
    Style.ALARM: Tone.ALARM,
    Style.WARNING: Tone.WARNING,
    Style.GOOD: Tone.GOOD,
    Style.PLAIN: Tone.PLAIN,
    Style.HEADING: Tone.PLAIN,
}

PROVES = {
    Outcome.INTERCEPTION: N_(
        "that whoever answered in the place of the site, at this time and on this network, showed a "
        "certificate that the site's own authority did not make"
    ),
    Outcome.TRUSTED_UNEXPECTED: N_(
        "that a certificate was shown which a public authority made, and which was not seen elsewhere for "
        "this site"
    ),
    Outcome.CAPTIVE_PORTAL: N_("that this network answered in the place of the sites that were asked for"),
    Outcome.DNS_HIJACK: N_("that the name led to an address at which the site does not answer"),
    Outcome.ORIGIN_MISCONFIGURED: N_("that the site itself showed a certificate that browsers refuse"),
    Outcome.BLOCKED: N_("that connections to this site were cut or silenced at this time, on this network"),
    Outcome.INCONCLUSIVE: N_("nothing yet: what was seen has more than one explanation"),
}
"""Stands under `What this proves`."""

PROVEN = N_(
    "that whoever answered held the key of the certificate shown: it signed a number that was made up for "
    "this very connection, so the certificate was not merely copied from somewhere"
)


def finding_section(finding: Finding, id_: str) -> Section:
    """What a reader is told of a finding; `id_` is its address in the page."""
    verdict = finding.first.judged.verdict
    return Section(
        id=id_,
        title=_title(finding),
        mark=_(texts.WORDS[verdict.outcome]),
        tone=TONES[STYLES[verdict.outcome]],
        blocks=(
            *_seen(finding),
            *_sites(finding),
            *_sureness(finding),
            *_causes(finding),
            *_certificates(finding),
            *_proof(finding),
            *_next(finding),
        ),
    )


def _title(finding: Finding) -> str:
    name = harmless(finding.first.judged.target, 80)
    more = len(finding.targets) - 1
    if not more:
        return name
    text = ngettext("{name} and {n} more site", "{name} and {n} more sites", more)
    return text.format(name=name, n=number(more))


def _sentence(text: str) -> str:
    """A clause of the tables as a sentence."""
    return text[:1].upper() + text[1:] + "."


def _seen(finding: Finding) -> Iterator[Block]:
    first = finding.first
    yield Text(_sentence(seen(first.judged)), is_lead=True)
    if finding.outcome is Outcome.INTERCEPTION:
        yield _way(finding)
    located = next((each.location for each in finding.targets if each.location is not None), None)
    if located is not None:
        yield located


def _way(finding: Finding) -> Way:
    """Who answered, drawn without a place: that would have to be traced."""
    verdict = finding.first.judged.verdict
    if verdict.authority is not None:
        name = harmless(verdict.authority.name, 80)
    else:
        name = _(texts.SCOPES[verdict.scope or Scope.UNKNOWN])
    site = harmless(finding.first.hostname, 80) if len(finding.targets) == 1 else _("the sites")
    computer, note = _("the computer that measured"), _("answered in the place of the site")
    meaning = _("{computer} asked for {site}; {interceptor} answered in its place.").format(
        computer=computer, site=site, interceptor=name
    )
    return Way(
        _sentence(meaning.removesuffix(".")),
        (
            Stop(_sentence(computer).removesuffix("."), _("asked for the site")),
            Stop(_sentence(name).removesuffix("."), note, Tone.ALARM),
            Stop(site, _("showed no certificate of its own to this computer")),
        ),
    )


def _sites(finding: Finding) -> Iterator[Block]:
    """Which sites it is about; where and when each was reached, if the level tells it."""
    named = finding.targets[:MAX_NAMED]
    left = len(finding.targets) - len(named)
    if len(finding.targets) > 1:
        yield Heading(_("The sites"))
        names = ", ".join(harmless(each.judged.target) for each in named)
        yield Text(
            names + (_(" and {n} more; kzmitm show RESULT lists all").format(n=number(left)) if left else "")
        )
    if all(each.address is None and each.seen_at is None for each in named):
        return
    reached = Table(
        caption=_("Where it was reached, and when"),
        columns=(_("Site"), _("Address"), _("When"), _("TLS")),
        rows=tuple(_site_row(each) for each in named),
    )
    yield reached if len(named) <= MAX_OPEN else Fold(_("Where and when each site was reached"), (reached,))


def _site_row(target: ReportedTarget) -> tuple[str, ...]:
    address = harmless(target.address) if target.address else _("not known")
    when = moment(target.seen_at) if target.seen_at else _("not known")
    return harmless(target.judged.target), address, when, harmless(target.tls) or _("no answer")


def _sureness(finding: Finding) -> Iterator[Block]:
    judged = finding.first.judged
    named = zip((_("Who"), _("Manner")), who(judged.verdict), strict=False)
    facts = [
        *((label, _sentence(said)) for label, said in named),
        *((_("How sure"), _sentence(said)) for said in how_sure(judged.verdict)),
        *((_("On that computer"), _sentence(said)) for said in on_this_computer(judged)),
    ]
    if facts:
        yield Heading(_("Who, and how sure"))
        yield Terms(tuple(facts))
    yield from _list(_("Because"), (harmless(each) for each in grounds(judged.verdict.rule_ids)))


def _causes(finding: Finding) -> Iterator[Block]:
    """Which innocent causes were excluded and by what; those that were not are said to be open."""
    verdict = finding.first.judged.verdict
    excluded = {each.cause: each for each in verdict.ruled_out}
    if not excluded and verdict.outcome is not Outcome.INTERCEPTION:
        return
    yield Heading(_("Innocent causes, and what rules them out"))
    rows: list[tuple[str | Cell, ...]] = []
    for cause in Cause:
        name = _sentence(_(texts.CAUSES[cause])).removesuffix(".")
        if (found := excluded.get(cause)) is not None:
            told = _sentence(harmless(evidence_text(found.evidence)))
            rows.append((name, Cell(text=told, mark=_("ruled out"), tone=Tone.GOOD)))
        else:
            told = _("nothing in this result rules it out")
            rows.append((name, Cell(text=_sentence(told), mark=_("open"), tone=Tone.WARNING)))
    yield Table(
        caption=_("What could look the same without anybody intercepting"),
        columns=(_("Cause"), _("What was found")),
        rows=tuple(rows),
    )


def _certificates(finding: Finding) -> Iterator[Block]:
    compared = [(each, blocks) for each in finding.targets[:MAX_COMPARED] if (blocks := comparison(each))]
    if compared:
        yield Heading(_("The certificate shown, and the one expected"))
    shown = len(compared) if len(compared) <= MAX_OPEN else 1
    for _target, blocks in compared[:shown]:
        yield from blocks
    if rest := compared[shown:]:
        text = ngettext(
            "The certificates of {n} other site", "The certificates of {n} other sites", len(rest)
        ).format(n=number(len(rest)))
        yield Fold(text, tuple(Fold(harmless(each.judged.target), blocks) for each, blocks in rest))
    verdict = finding.first.judged.verdict
    manner = [harmless(relation_text(each)) for forger in verdict.forgers[:1] for each in forger.relations]
    yield from _list(_("How it was forged"), manner)
    technical = hashes(finding.first)
    if technical is not None:
        yield Fold(
            _("The certificates of {name}, with their hashes").format(name=_name(finding)), (technical,)
        )


def _name(finding: Finding) -> str:
    return harmless(finding.first.judged.target, 80)


def _proof(finding: Finding) -> Iterator[Block]:
    verdict = finding.first.judged.verdict
    proves = [_(PROVES[verdict.outcome])] if verdict.outcome in PROVES else []
    if finding.first.is_proven and verdict.outcome is not Outcome.INCONCLUSIVE:
        proves.append(_(PROVEN))
    yield from _list(_("What this proves"), proves)
    yield from _list(_("What this does not prove"), limits(verdict))
    yield from _list(_("What would make it surer"), (harmless(undecided_text(u)) for u in verdict.undecided))


def _next(finding: Finding) -> Iterator[Block]:
    told = steps(finding.first.judged)
    if told:
        yield Heading(_("What to do next"))
        yield Points(told, is_ordered=True)


def _list(title: str, items: Iterable[str]) -> Iterator[Block]:
    told = tuple(_sentence(each) for each in items)
    if told:
        yield Heading(title)
        yield Points(told)
