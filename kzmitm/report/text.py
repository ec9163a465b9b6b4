"""Verdicts as lines for people: one per target with the verdict word first, then the worst explained.

Lines are values with a style per span; who prints them decides on colour and width. No line depends on
the width of a screen and none draws boxes, so that screen readers and pipes get the same words.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kzmitm.model.certificate import Certificate
from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.location import Location
from kzmitm.model.verdict import Authority, Confidence, Outcome, RuledOut, Scope, Verdict
from kzmitm.report import texts
from kzmitm.report.advice import limits, next_steps
from kzmitm.report.findings import grounds
from kzmitm.report.language import _, ngettext
from kzmitm.report.line import Line, Style
from kzmitm.report.local_trust import REMOVE, local_trust_text
from kzmitm.report.reasons import evidence_text, relation_text, undecided_text
from kzmitm.report.safe import harmless
from kzmitm.report.trace import location_text

MAX_CHAIN_LINES = 8
"""Certificates of a chain that are listed; no honest chain is longer."""


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """What is told of a certificate: its subject and the two hashes, of itself and of its key."""

    subject: str
    sha256: str
    spki_sha256: str | None


def shown_certificate(certificate: Certificate) -> ShownCertificate:
    """The part of a parsed certificate that is told."""
    return ShownCertificate(str(certificate.subject), certificate.sha256, certificate.spki_sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTarget:
    """What is told of one target. Text inside may come from strangers; rendering makes it harmless."""

    target: str
    verdict: Verdict
    chain: tuple[ShownCertificate, ...] = ()
    failure: str | None = None
    """The network's failure of the handshake that the verdict is about, or of what came before it."""
    local_trust: LocalTrust | None = None
    """What the trust stores of this computer say of the certificate."""
    locations: tuple[Location, ...] = ()
    """What traces of the way say, one for each address."""


STYLES = {
    Outcome.CLEAN: Style.GOOD,
    Outcome.INTERCEPTION: Style.ALARM,
    Outcome.TRUSTED_UNEXPECTED: Style.ALARM,
    Outcome.DNS_HIJACK: Style.WARNING,
    Outcome.CAPTIVE_PORTAL: Style.WARNING,
    Outcome.BLOCKED: Style.WARNING,
    Outcome.INCONCLUSIVE: Style.WARNING,
    Outcome.ORIGIN_MISCONFIGURED: Style.WARNING,
    Outcome.UNREACHABLE: Style.PLAIN,
}

_OUTCOME_ORDER = (
    Outcome.INTERCEPTION,
    Outcome.TRUSTED_UNEXPECTED,
    Outcome.DNS_HIJACK,
    Outcome.CAPTIVE_PORTAL,
    Outcome.BLOCKED,
    Outcome.INCONCLUSIVE,
    Outcome.ORIGIN_MISCONFIGURED,
    Outcome.UNREACHABLE,
    Outcome.CLEAN,
)
_SCOPE_ORDER = (Scope.STATE, Scope.ISP, Scope.UNKNOWN, None, Scope.MIDDLEBOX, Scope.LOCAL)
_NEAR = (Scope.MIDDLEBOX, Scope.LOCAL)
_CONFIDENCE_ORDER = (Confidence.CONFIRMED, Confidence.LIKELY, Confidence.SUSPECTED, None)


def gravity(verdict: Verdict) -> tuple[int, int, int]:
    """A sort key that puts the gravest verdict first."""
    return (
        _OUTCOME_ORDER.index(verdict.outcome),
        _SCOPE_ORDER.index(verdict.scope),
        _CONFIDENCE_ORDER.index(verdict.confidence),
    )


def target_line(judged: JudgedTarget) -> Line:
    """The one line of a target: `INTERCEPTION  www.example.org  confirmed, by Example Authority`."""
    word = texts.WORDS[judged.verdict.outcome].ljust(texts.WORD_WIDTH)
    note = _note(judged)
    text = "  " + harmless(judged.target) + (f"  {note}" if note else "")
    return Line(text, lead=word, style=STYLES[judged.verdict.outcome])


def _note(judged: JudgedTarget) -> str:
    verdict = judged.verdict
    match verdict.outcome:
        case Outcome.CLEAN:
            return ""
        case Outcome.INTERCEPTION:
            sure = texts.CONFIDENCES[verdict.confidence] if verdict.confidence else ""
            return ", ".join(filter(None, (sure, _("by {who}").format(who=_short_who(verdict)))))
        case Outcome.UNREACHABLE | Outcome.BLOCKED if judged.failure:
            return harmless(texts.failure_text(judged.failure))
        case Outcome.CAPTIVE_PORTAL:
            return texts.SEEN[verdict.outcome]
        case outcome:
            return next(map(harmless, grounds(verdict.rule_ids)), texts.SEEN[outcome])


def _short_who(verdict: Verdict) -> str:
    scope = verdict.scope or Scope.UNKNOWN
    if verdict.authority is None:
        return texts.SCOPES[scope]
    return f"{harmless(verdict.authority.name)} ({texts.SCOPE_WORDS[scope]})"


def summary_line(counts: Counter[Outcome] | dict[Outcome, int]) -> Line:
    """`40 targets: 2 interception, 37 clean, 1 inconclusive`, the gravest first."""
    total = sum(counts.values())
    parts = [counted(counts[o], o) for o in _OUTCOME_ORDER if counts.get(o)]
    whole = ngettext("{n} target", "{n} targets", total).format(n=total)
    return Line(whole + (": " + ", ".join(parts) if parts else ""))


def counted(n: int, outcome: Outcome) -> str:
    """`2 interception`: a label with its number, which not every language can put before the word."""
    return _("{n} {outcome}").format(n=n, outcome=texts.WORDS[outcome].lower())


def explanation(judged: JudgedTarget, *, technical: bool = True) -> tuple[Line, ...]:
    """A finding in plain language: what, who, how sure, what was ruled out, what next, what it is not.

    `technical` adds what experts ask for: the certificates with their hashes, and how it was forged.
    """
    verdict = judged.verdict
    word = texts.WORDS[verdict.outcome]
    lines = [Line(f"  {harmless(judged.target)}", lead=word, style=STYLES[verdict.outcome])]
    lines += _labelled(_("What was seen"), (seen(judged),))
    lines += _labelled(_("Who"), who(verdict))
    lines += _labelled(_("How sure"), how_sure(verdict))
    lines += _labelled(_("On this computer"), on_this_computer(judged))
    lines += _labelled(_("Where on the way"), where(judged))
    lines += _list(_("Because"), map(harmless, grounds(verdict.rule_ids)))
    lines += _list(_("Ruled out"), (_ruled_out(each, verdict) for each in verdict.ruled_out))
    lines += _list(_("What would decide it"), (harmless(undecided_text(code)) for code in verdict.undecided))
    lines += _list(_("It does not prove"), limits(verdict))
    lines += _list(_("What to do next"), steps(judged), numbered=True)
    if not technical:
        return tuple(lines)
    lines += _hashes(judged)
    lines += _list(_("How it was forged"), _manner(verdict))
    return tuple(lines)


def explanation_sentence(judged: JudgedTarget) -> str:
    """The finding in one or two sentences, for documents."""
    verdict = judged.verdict
    parts = [f"{texts.WORDS[verdict.outcome]}: {seen(judged)}."]
    parts += [f"{_('Who')}: {said}." for said in who(verdict)[:1]]
    parts += [f"{_('How sure')}: {said}." for said in how_sure(verdict)]
    parts += [f"{_('On this computer')}: {said}." for said in on_this_computer(judged)]
    parts += [f"{_('Where on the way')}: {said}." for said in where(judged)]
    return " ".join(parts)


def on_this_computer(judged: JudgedTarget) -> tuple[str, ...]:
    """What the trust stores of the computer that measured say; empty if they were not read."""
    return () if judged.local_trust is None else (local_trust_text(judged.local_trust),)


def where(judged: JudgedTarget) -> tuple[str, ...]:
    """Between which hops the interceptor answers, for each address that was traced."""
    return tuple(f"{harmless(str(each.endpoint))}: {location_text(each)}" for each in judged.locations)


def steps(judged: JudgedTarget) -> tuple[str, ...]:
    """What to do; a root that hides the forgery goes first, unless it is this computer's or office's own."""
    steps = next_steps(judged.verdict, judged.failure)
    trust = judged.local_trust
    forged = judged.verdict.outcome is Outcome.INTERCEPTION and judged.verdict.scope not in _NEAR
    return (_(REMOVE), *steps) if forged and trust is not None and trust.is_added else steps


def seen(judged: JudgedTarget) -> str:
    """What was seen of a target, in a clause."""
    told = texts.SEEN[judged.verdict.outcome]
    failure = judged.failure or judged.verdict.certificate_failure
    if failure is None or judged.verdict.outcome is Outcome.CLEAN:
        return told
    return f"{told}; {harmless(texts.failure_text(failure))}"


def who(verdict: Verdict) -> tuple[str, ...]:
    """Whose interception it is, and whose manner; empty where there is nobody to name."""
    said: list[str] = []
    if verdict.authority is not None:
        said.append(_authority(verdict.authority))
    elif verdict.outcome is Outcome.INTERCEPTION:
        said.append(texts.SCOPES[verdict.scope or Scope.UNKNOWN])
    if verdict.forgers:
        names = _(" or ").join(harmless(forger.name) for forger in verdict.forgers)
        said.append(_("the manner of forging is consistent with {names}").format(names=names))
    return tuple(said)


def _authority(authority: Authority) -> str:
    name = harmless(authority.name)
    country = f" ({harmless(authority.country, 8)})" if authority.country else ""
    kind = harmless(texts.kind_text(authority.kind))
    match = texts.MATCHES.get(authority.match, harmless(authority.match))
    return f"{name}{country}: {kind}; {match}"


def how_sure(verdict: Verdict) -> tuple[str, ...]:
    """How sure the verdict is and why; empty where its outcome has no degrees."""
    if verdict.confidence is None:
        return ()
    return (f"{texts.CONFIDENCES[verdict.confidence]}: {_why_sure(verdict, verdict.confidence)}",)


def _why_sure(verdict: Verdict, confidence: Confidence) -> str:
    general = texts.WHY_SURE[confidence]
    if verdict.outcome is not Outcome.INTERCEPTION or confidence is Confidence.SUSPECTED:
        return general
    if verdict.authority is not None:
        return texts.WHY_SURE_BY_MATCH.get(verdict.authority.match, general)
    return _(texts.TWO_NETWORKS) if confidence is Confidence.CONFIRMED else general


def _ruled_out(excluded: RuledOut, verdict: Verdict) -> str:
    said = f"{texts.CAUSES[excluded.cause]}: {harmless(evidence_text(excluded.evidence))}"
    told_below = verdict.authority is not None and excluded.detail == verdict.authority.matched_sha256
    return said if told_below or not excluded.detail else f"{said} ({labelled_hash(excluded.detail)})"


def _labelled(label: str, said: Sequence[str]) -> list[Line]:
    if not said:
        return []
    first, *rest = said
    return [
        Line(f" {first}", lead=f"{label}:", style=Style.HEADING),
        *(Line(f"  {s}", indent=2) for s in rest),
    ]


def _list(label: str, items: Iterable[str], *, numbered: bool = False) -> list[Line]:
    lines = [
        Line(f"  {f'{number}.' if numbered else '-'} {item}", indent=5 if numbered else 4)
        for number, item in enumerate(items, 1)
    ]
    return [Line(lead=f"{label}:", style=Style.HEADING), *lines] if lines else []


def _manner(verdict: Verdict) -> tuple[str, ...]:
    """How the fields of the forged certificate stand to the genuine one, by the forger that fits best."""
    return tuple(harmless(relation_text(each)) for forger in verdict.forgers[:1] for each in forger.relations)


def _hashes(judged: JudgedTarget) -> list[Line]:
    """Every hash with its label: experts have mistaken one kind for the other."""
    lines: list[Line] = []
    for position, certificate in enumerate(judged.chain[:MAX_CHAIN_LINES]):
        name = harmless(certificate.subject) or _("a certificate without a name")
        part = _("leaf") if position == 0 else _("issuer {}").format(position)
        lines.append(Line(f"  {part}: {name}"))
        lines.append(Line(f"    {_('SHA-256 of certificate')} {harmless(certificate.sha256)}", indent=6))
        if certificate.spki_sha256:
            lines.append(Line(f"    {_('SHA-256 of key')} {harmless(certificate.spki_sha256)}", indent=6))
    more = len(judged.chain) - MAX_CHAIN_LINES
    if more > 0:
        lines.append(Line("  " + _("and {} more").format(more)))
    if judged.verdict.authority is not None and judged.verdict.authority.matched_sha256:
        lines.append(
            Line(f"  {_('recognised by')}: {labelled_hash(judged.verdict.authority.matched_sha256)}")
        )
    return (
        [Line(lead=_("The certificates shown, as they came:"), style=Style.HEADING), *lines] if lines else []
    )


def labelled_hash(matched: str) -> str:
    """`certificate:<hex>` or `key:<hex>` with the label in words; any other text made harmless."""
    label, _separator, digest = matched.partition(":")
    labels = {"certificate": _("SHA-256 of certificate"), "key": _("SHA-256 of key")}
    return f"{labels[label]} {harmless(digest)}" if label in labels else harmless(matched)
