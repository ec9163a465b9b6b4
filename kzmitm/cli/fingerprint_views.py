"""The registry's authorities as lines for people and as documents for programs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from kzmitm.model.certificate import Certificate
from kzmitm.pki.attribution import Attribution
from kzmitm.pki.baseline import Baseline, Changes, PublicRoot
from kzmitm.pki.entries import KnownAuthority, KnownCertificate
from kzmitm.pki.kinds import INTERCEPTION_KINDS
from kzmitm.pki.registry import Registry
from kzmitm.report import texts
from kzmitm.report.language import _, ngettext
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless
from kzmitm.report.text import labelled_hash

SCHEMA = "kzmitm.fingerprints/1.0"
VERSION = "1.0"

MAX_TEXT = 4000
"""Characters of one text of the registry; its notes are paragraphs."""

_KIND_WIDTH = 20


@dataclass(frozen=True, slots=True)
class Match:
    """A certificate of a file and who was recognised in it."""

    origin: str
    certificate: Certificate
    attributions: tuple[Attribution, ...]


def document(registry: Registry, content: Mapping[str, Any]) -> dict[str, Any]:
    """A document about the registry, with schema and version first."""
    return {"schema": SCHEMA, "version": VERSION, "registry": {"version": registry.version}, **content}


def plain(value: Any) -> Any:
    """A decoded TOML value as JSON can hold it: times as ISO strings."""
    match value:
        case datetime() | date():
            return value.isoformat().replace("+00:00", "Z")
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def authority_row(entry: KnownAuthority) -> dict[str, Any]:
    """An authority in short."""
    return {
        "id": entry.id,
        "kind": entry.kind,
        "country": entry.country,
        "name": entry.name,
        "certificates": len(entry.certificates),
    }


def authority_line(entry: KnownAuthority) -> Line:
    """An authority in a line."""
    country = harmless(entry.country or "--", 8)
    return Line(f"{entry.kind:{_KIND_WIDTH}} {country:2}  {harmless(entry.id)}  {harmless(entry.name)}")


def authority_lines(entry: KnownAuthority) -> Iterator[Line]:
    """Everything about an authority."""
    yield Line(harmless(entry.name), style=Style.HEADING)
    yield from _fields(
        {
            _("id"): entry.id,
            _("kind"): f"{entry.kind}: {texts.kind_text(entry.kind)}",
            _("country"): entry.country,
            _("operator"): entry.document.get("operator"),
            _("first seen"): entry.document.get("first_seen"),
            _("last seen"): entry.document.get("last_seen"),
            _("notes"): entry.document.get("notes"),
        }
    )
    for certificate in entry.certificates:
        yield Line(
            f"{certificate.role}: "
            f"{harmless(certificate.name or certificate.subject or _('subject unknown'))}",
            style=Style.HEADING,
        )
        yield from _certificate_lines(certificate)
    sources = entry.document.get("sources", ())
    if sources:
        yield Line(lead=f"{_('sources')}:", style=Style.HEADING)
        yield from (Line(f"  {harmless(source, MAX_TEXT)}") for source in sources)


def _certificate_lines(certificate: KnownCertificate) -> Iterator[Line]:
    validity = f"{certificate.not_before:%Y-%m-%d}" if certificate.not_before else "?"
    validity += f" .. {certificate.not_after:%Y-%m-%d}" if certificate.not_after else " .. ?"
    yield from _fields(
        {
            _("subject"): certificate.subject if certificate.name else None,
            _("issuer"): certificate.issuer,
            _("valid"): validity,
            _("public until"): certificate.document.get("public_until"),
            _("still carried by"): ", ".join(certificate.carried_by) or None,
            _("SHA-256 of certificate"): certificate.sha256,
            _("SHA-1 of certificate"): certificate.sha1,
            _("SHA-256 of key"): certificate.spki_sha256,
            _("notes"): certificate.document.get("notes"),
        },
        indent="  ",
    )


def _fields(fields: Mapping[str, Any], indent: str = "") -> Iterator[Line]:
    for label, value in fields.items():
        if value is not None:
            yield Line(f"{indent}{label}: {harmless(str(value).strip(), MAX_TEXT)}", indent=len(indent) + 2)


def match_row(match: Match) -> dict[str, Any]:
    """A certificate and its authorities, strongest first."""
    certificate = match.certificate
    return {
        "file": match.origin,
        "certificate_sha256": certificate.sha256,
        "key_sha256": certificate.spki_sha256,
        "subject": str(certificate.subject),
        "issuer": str(certificate.issuer),
        "parse_error": certificate.parse_error,
        "authorities": [
            {
                "id": found.authority.id,
                "name": found.authority.name,
                "kind": found.authority.kind,
                "country": found.authority.country,
                "intercepts": found.authority.kind in INTERCEPTION_KINDS,
                "match": found.authority.match,
                "matched_sha256": found.authority.matched_sha256 or None,
                "confidence": found.confidence,
                "traits": list(found.traits),
            }
            for found in match.attributions
        ],
    }


def match_lines(match: Match) -> Iterator[Line]:
    """A certificate, its two hashes, and who was recognised in it."""
    certificate = match.certificate
    if match.attributions:
        intercepts = match.attributions[0].authority.kind in INTERCEPTION_KINDS
        word, style = (_("INTERCEPTS"), Style.ALARM) if intercepts else (_("KNOWN"), Style.WARNING)
    else:
        word, style = _("UNKNOWN"), Style.PLAIN
    subject = harmless(str(certificate.subject)) or _("a certificate without a name")
    yield Line(f"  {harmless(match.origin)}: {subject}", lead=word.ljust(10), style=style)
    for found in match.attributions:
        yield from _found_lines(found)
    if not match.attributions:
        yield Line("  " + _("nobody of the registry; this says nothing of whether it is genuine"))
    yield from _fields(
        {
            _("SHA-256 of certificate"): certificate.sha256,
            _("SHA-256 of key"): certificate.spki_sha256,
            _("cannot be read"): certificate.parse_error,
        },
        indent="  ",
    )


def _found_lines(found: Attribution) -> Iterator[Line]:
    authority = found.authority
    sure = texts.CONFIDENCES[found.confidence]
    yield Line(f"  {sure}, {harmless(authority.name)}: {harmless(texts.kind_text(authority.kind))}", indent=4)
    yield Line(f"    {texts.MATCHES.get(authority.match, harmless(authority.match))}")
    if authority.matched_sha256:
        yield Line(f"    {labelled_hash(authority.matched_sha256)}")


def baseline_row(baseline: Baseline, today: date, changes: Changes | None) -> dict[str, Any]:
    """Where the list of public roots is from, how old it is and what another one says beyond it."""
    row: dict[str, Any] = {
        "source": baseline.source,
        "licence": baseline.licence,
        "snapshot": baseline.snapshot.isoformat(),
        "sha256": baseline.sha256,
        "age_days": (today - baseline.snapshot).days,
        "is_old": baseline.is_old(today),
        "counts": _counts(baseline),
        "programmes": [
            {"id": one.id, "fetched": one.fetched.isoformat(), "version": one.version}
            for one in baseline.lists
        ],
        "former": _former_row(baseline.former),
    }
    if changes is not None:
        row["changes"] = {name: [_root_row(root) for root in roots] for name, roots in _named(changes)}
    return row


def _former_row(former: Baseline | None) -> dict[str, Any] | None:
    """The list of earlier years, which does not age."""
    if former is None:
        return None
    return {
        "source": former.source,
        "licence": former.licence,
        "snapshot": former.snapshot.isoformat(),
        "sha256": former.sha256,
        "roots": len(former.roots),
    }


def baseline_lines(baseline: Baseline, today: date) -> Iterator[Line]:
    """The same in lines."""
    counts = _counts(baseline)
    days = (today - baseline.snapshot).days
    yield Line(_("All roots that public programmes ever carried or blocked"), style=Style.HEADING)
    yield from _fields(
        {
            _("source"): f"{baseline.source} ({baseline.licence})",
            _("snapshot"): ngettext("{date}, {days} day ago", "{date}, {days} days ago", days).format(
                date=baseline.snapshot, days=days
            ),
            _("roots"): _("{roots}: {trusted} trusted now, {blocked} blocked now").format(**counts),
            _("SHA-256 of the list"): baseline.sha256,
        }
    )
    if baseline.former:
        yield from _fields({_("of earlier years"): _former_text(baseline.former)})
    for one in baseline.lists:
        version = f" ({harmless(one.version)})" if one.version else ""
        yield Line(f"  {harmless(one.id)}: " + _("as of {date}").format(date=one.fetched) + version, indent=4)


def _former_text(former: Baseline) -> str:
    """How many of the roots are from before the collection, and whose list says so."""
    return _("{count} of them, by {source} ({licence})").format(
        count=len(former.roots), source=former.source, licence=former.licence
    )


def change_lines(changes: Changes) -> Iterator[Line]:
    """What another list says beyond ours."""
    titles = {
        "added": _("new in the other list"),
        "missing": _("not in the other list"),
        "trusted": _("trusted by more programmes"),
        "distrusted": _("trusted by none any more, or blocked"),
    }
    for name, roots in _named(changes):
        yield Line(f"{titles[name]}: {len(roots)}", style=Style.HEADING)
        for root in roots:
            yield Line(f"  {root.sha256}  {harmless(root.subject or _('subject unknown'))}", indent=4)


def _named(changes: Changes) -> Iterator[tuple[str, tuple[PublicRoot, ...]]]:
    yield "added", changes.added
    yield "missing", changes.missing
    yield "trusted", changes.trusted
    yield "distrusted", changes.distrusted


def _counts(baseline: Baseline) -> dict[str, int]:
    roots = baseline.roots.values()
    return {
        "roots": len(roots),
        "trusted": sum(bool(root.trusted_by) for root in roots),
        "blocked": sum(bool(root.blocked_by) for root in roots),
    }


def _root_row(root: PublicRoot) -> dict[str, Any]:
    return {
        "certificate_sha256": root.sha256,
        "key_sha256": root.spki_sha256,
        "subject": root.subject,
        "trusted_by": list(root.trusted_by),
        "blocked_by": list(root.blocked_by),
    }
