"""The findings in an archive as lines for people, in the manner of OONI's report of 2024."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kzmitm.report import counts
from kzmitm.report.language import _, ngettext
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless

MAX_LISTED = 20
"""Certificates, names or networks listed; all of them are in the document and the tables."""

_NESTED = "  "


def findings_lines(document: Mapping[str, Any], *, kept: Path | None) -> Iterator[Line]:
    """The answer first, then who, what, where and when, then what was read; `kept` is where it lies."""
    found, whole, outcomes = document["interception"], document["counts"], document["outcomes"]
    if not whole["measurements"]:
        yield Line(_("Nothing to judge: no measurement was read, or none is of this time and place."))
    elif not found["sightings"]:
        yield _nothing_found(whole["measurements"], outcomes.get("inconclusive", 0))
    else:
        lead = ngettext(
            "INTERCEPTION in {n} of {total} measurement",
            "INTERCEPTION in {n} of {total} measurements",
            whole["measurements"],
        ).format(n=found["measurements"], total=whole["measurements"])
        where = f": {counts.domains(found['domains'])}, {counts.networks(found['networks'])}."
        yield Line(where, lead=lead, style=Style.ALARM)
        yield from _who(document["authorities"])
        if document["attributed"]["sightings"]:
            yield from _attributed(document["attributed"], document["share_of_users"])
        yield from _certificates(document["certificates"])
    yield from _others(outcomes)
    yield from _read(document["read"])
    if kept is not None:
        told = _("Rows and tables are in {folder}: kzmitm ooni query --from {folder} SQL")
        yield Line(told.format(folder=kept))


def _nothing_found(measurements: int, inconclusive: int) -> Line:
    """What could not be decided is never said to be clean."""
    lead = ngettext(
        "No interception was found in {n} measurement",
        "No interception was found in {n} measurements",
        measurements,
    ).format(n=measurements)
    if not inconclusive:
        return Line(".", lead=lead, style=Style.GOOD)
    return Line(
        ngettext(
            ", of which {n} could not be decided.", ", of which {n} could not be decided.", inconclusive
        ).format(n=inconclusive),
        lead=lead,
    )


def _who(rows: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    ways = {
        "certificate": _("by its certificate"),
        "key": _("by its key"),
        "signature": _("by its signature"),
        "family": _("by the traits of its family"),
        "name": _("by a name, which anybody can write"),
    }
    for row in rows[:MAX_LISTED]:
        told = _("{name}, told {way}: {handshakes}, {domains}, {networks}, {span}").format(
            name=harmless(row["authority_name"] or "") or _("an unknown issuer"),
            way=ways.get(row["match"]) or _("by what the control saw"),
            handshakes=counts.handshakes(row["sightings"]),
            domains=counts.domains(row["domains"]),
            networks=counts.networks(row["networks"]),
            span=_span(row["first_seen"], row["last_seen"]),
        )
        yield _nested(told)


def _attributed(told: Mapping[str, Any], share: float | None) -> Iterator[Line]:
    text = ngettext(
        "Attributed: {n} certificate, {under_roots}; the root of {unknown} is not known.",
        "Attributed: {n} certificates, {under_roots}; the root of {unknown} is not known.",
        told["certificates"],
    )
    roots = told["known_roots"]
    under = ngettext("under {n} known root", "under {n} known roots", roots).format(n=roots)
    yield Line(
        text.format(n=told["certificates"], under_roots=under, unknown=told["certificates_of_unknown_root"])
    )
    yield _nested(_("domains: {names}").format(names=_listed(told["domain_names"])))
    yield _nested(_("networks: {names}").format(names=_listed([f"AS{asn}" for asn in told["asns"]])))
    if share:
        text = _("These networks serve {share:.1f} % of the users: how many could be exposed, not were.")
        yield _nested(text.format(share=share))
    if told["outside_validity"]:
        lead = ngettext(
            "{n} handshake showed a certificate outside its validity",
            "{n} handshakes showed a certificate outside its validity",
            told["outside_validity"],
        ).format(n=told["outside_validity"])
        why = _(": even who had the root installed saw an error.")
        yield Line(why, lead=lead, style=Style.WARNING)


def _certificates(rows: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    for row in rows[:MAX_LISTED]:
        told = ngettext(
            "{sha256}  valid {valid}, seen {seen}, {n} time",
            "{sha256}  valid {valid}, seen {seen}, {n} times",
            row["sightings"],
        ).format(
            sha256=row["sha256"][:16],
            valid=_span(row["not_before"], row["not_after"]),
            seen=_span(row["first_seen"], row["last_seen"]),
            n=row["sightings"],
        )
        if row["outside_validity"]:
            told += _(", {n} of them outside its validity").format(n=row["outside_validity"])
        yield _nested(told)
    if len(rows) > MAX_LISTED:
        yield _nested(
            ngettext("and {n} more certificate", "and {n} more certificates", len(rows) - MAX_LISTED).format(
                n=len(rows) - MAX_LISTED
            )
        )


def _others(outcomes: Mapping[str, int]) -> Iterator[Line]:
    words = {
        "clean": _("clean"),
        "blocked": _("blocked"),
        "inconclusive": _("inconclusive"),
        "unreachable": _("unreachable"),
        "origin_misconfigured": _("the site's own fault"),
        "dns_hijack": _("led to a wrong address"),
        "captive_portal": _("a login page"),
        "trusted_unexpected": _("trusted but unexpected"),
    }
    told = [f"{n} {words[outcome]}" for outcome, n in outcomes.items() if outcome in words]
    if told:
        yield Line(_("The rest: {told}.").format(told=", ".join(told)))


def _read(read: Mapping[str, Any]) -> Iterator[Line]:
    text = _("Read: {measurements}, {handshakes}, {files}, {octets:.1f} MB.").format(
        measurements=counts.measurements(read["measurements"]),
        handshakes=counts.handshakes(read["handshakes"]),
        files=counts.files(read["files"]),
        octets=read["octets"] / 1e6,
    )
    yield Line(text)
    if read["bad"]:
        lead = ngettext("{n} line could not be read.", "{n} lines could not be read.", read["bad"]).format(
            n=read["bad"]
        )
        yield Line(lead=lead, style=Style.WARNING)


def _nested(text: str) -> Line:
    return Line(_NESTED + text, indent=len(_NESTED) + 2)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(harmless, names[:MAX_LISTED]))
    left = len(names) - MAX_LISTED
    return shown + _(" and {n} more").format(n=left) if left > 0 else shown


def _span(first: str | None, last: str | None) -> str:
    return f"{first[:10] if first else '?'} … {last[:10] if last else '?'}"
