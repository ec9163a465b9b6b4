"""A finding as the page tells it: the words of `kzmitm show`, and whether they are what was expected."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from kzmitm.errors import BundleError
from kzmitm.evidence.scan_document import row_verdict
from kzmitm.lab.console.comparison import compare, remarks
from kzmitm.lab.profile import Expected
from kzmitm.lab.session import Finding
from kzmitm.model.verdict import Confidence, Outcome, Verdict
from kzmitm.report import texts
from kzmitm.report.language import N_, _
from kzmitm.report.line import Line, Style
from kzmitm.report.rows import judged_of_row
from kzmitm.report.safe import harmless
from kzmitm.report.text import STYLES, explanation

JSON = dict[str, Any]

_NO_DOCUMENT = {"rules_version": "", "registry": {"version": ""}, "store": {"version": ""}}
"""The versions are of no interest to a class."""

NOBODY = N_("nobody")


def told(finding: Finding) -> JSON:
    """All that the page says of a site. Every string is harmless."""
    try:
        verdict = row_verdict(finding.row, _NO_DOCUMENT)
    except (BundleError, KeyError) as exc:
        verdict = Verdict(outcome=Outcome.INCONCLUSIVE, confidence=None)
        sections = [
            {"label": _("This result cannot be read"), "items": [harmless(str(exc))], "numbered": False}
        ]
    else:
        lines = explanation(judged_of_row(finding.row, verdict), technical=False)
        sections = list(_sections(lines[1:]))
    checks = list(_checks(verdict, finding.expected))
    return {
        "hostname": harmless(finding.hostname),
        "outcome": str(verdict.outcome),
        "word": texts.WORDS[verdict.outcome],
        "style": str(STYLES[verdict.outcome]),
        "sure": texts.CONFIDENCES[verdict.confidence] if verdict.confidence else "",
        "means": texts.SEEN[verdict.outcome],
        "connection": list(_connection(finding)),
        "sections": sections,
        "checks": checks,
        "as_expected": all(check["met"] for check in checks),
        "fields": [asdict(row) for row in compare(finding.presented, finding.genuine)],
        "remarks": list(remarks(finding.presented, finding.genuine, finding.hostname)),
        "came": bool(finding.presented),
        "known": bool(finding.genuine),
    }


def _sections(lines: Sequence[Line]) -> Iterator[JSON]:
    """The lines of an explanation under their labels."""
    section: JSON | None = None
    for line in lines:
        if line.style is Style.HEADING:
            if section is not None:
                yield section
            section = {"label": line.lead.removesuffix(":"), "items": [], "numbered": False}
        if section is None:
            continue
        text = line.text.strip()
        head, separator, rest = text.partition(" ")
        if line.style is not Style.HEADING and separator and (head == "-" or head.rstrip(".").isdecimal()):
            section["numbered"] = head != "-"
            text = rest.strip()
        if text:
            section["items"].append(text)
    if section is not None:
        yield section


def _connection(finding: Finding) -> Iterator[str]:
    """What the connection was, for those who ask."""
    if isinstance(address := finding.row.get("address"), str):
        yield _("address {}").format(harmless(address))
    handshake = finding.row.get("handshake")
    for name in ("version", "cipher_suite", "alpn"):
        if isinstance(handshake, dict) and isinstance(value := handshake.get(name), str):
            yield harmless(value)


def _checks(verdict: Verdict, expected: Expected) -> Iterator[JSON]:
    """What had to be said against what was."""
    wanted = _(" or ").join(texts.WORDS[outcome] for outcome in Outcome if outcome in expected.outcomes)
    yield _check(_("verdict"), wanted, texts.WORDS[verdict.outcome], met=verdict.outcome in expected.outcomes)
    if expected.confidence is not None:
        yield _check(
            _("how sure"),
            texts.CONFIDENCES[expected.confidence],
            _sure(verdict.confidence),
            met=verdict.confidence is expected.confidence,
        )
    if expected.scope is not None:
        got = texts.SCOPES[verdict.scope] if verdict.scope else _(NOBODY)
        yield _check(_("whose"), texts.SCOPES[expected.scope], got, met=verdict.scope is expected.scope)
    authority = verdict.authority.id if verdict.authority else None
    if expected.authority or authority:
        met = authority == expected.authority
        yield _check(_("authority named"), expected.authority or _(NOBODY), authority or _(NOBODY), met=met)
    if expected.forger is not None:
        forgers = [forger.id for forger in verdict.forgers]
        got = ", ".join(forgers) or _(NOBODY)
        yield _check(_("manner of forging"), expected.forger, got, met=expected.forger in forgers)


def _sure(confidence: Confidence | None) -> str:
    return texts.CONFIDENCES[confidence] if confidence else _("not said")


def _check(what: str, expected: str, got: str, *, met: bool) -> JSON:
    return {"what": what, "expected": harmless(expected), "got": harmless(got), "met": met}
