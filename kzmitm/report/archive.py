"""The findings in an archive as lines for people, in the manner of the report of 2024."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kzmitm.report.language import _
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless

MAX_LISTED = 20
"""Certificates, names or bad lines listed; all of them are in the document and the tables."""


def findings_lines(document: Mapping[str, Any], *, kept: Path | None) -> Iterator[Line]:
    """The answer first, then who, what, where and when, then what was read."""
    found, attributed = document["interception"], document["attributed"]
    counts = document["counts"]
    if not counts["measurements"]:
        yield Line(_("Nothing to judge: no measurement was read, or none is of this time and place."))
    elif not found["sightings"]:
        yield Line(
            lead=_("No interception in {n} measurements.").format(n=counts["measurements"]), style=Style.GOOD
        )
    else:
        yield Line(
            lead=_(
                "INTERCEPTION in {n} of {total} measurements: {domains} domains, {networks} networks."
            ).format(
                n=found["measurements"],
                total=counts["measurements"],
                domains=found["domains"],
                networks=found["networks"],
            ),
            style=Style.ALARM,
        )
        yield from _who(document)
        if attributed["sightings"]:
            yield from _attributed(attributed)
        yield from _certificates(document["certificates"])
    yield from _others(document)
    yield from _read(document["read"])
    if kept is not None:
        yield Line(
            _("Rows and tables are in {folder}; ask them with: kzmitm ooni query --from {folder} SQL").format(
                folder=kept
            )
        )


def _who(document: Mapping[str, Any]) -> Iterator[Line]:
    for row in document["authorities"][:MAX_LISTED]:
        name = harmless(row["authority_name"] or "") or _("an unknown issuer")
        how = {
            "certificate": _("by its certificate"),
            "key": _("by its key"),
            "signature": _("by its signature"),
            "family": _("by the traits of its family"),
            "name": _("by a name, which anybody can write"),
        }.get(row["match"], _("by what the control saw"))
        yield Line(
            _("{name}, told {how}: {n} times, {domains} domains, {networks} networks, {first} to {last}").format(
                name=name, how=how, n=row["sightings"], domains=row["domains"], networks=row["networks"],
                first=_day(row["first_seen"]), last=_day(row["last_seen"]),
            ),
            indent=2,
        )  # fmt: skip


def _attributed(told: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(
        _(
            "Attributed: {certificates} certificates under {roots} known roots, {unknown} of them under none known."
        ).format(
            certificates=told["certificates"],
            roots=told["known_roots"],
            unknown=told["certificates_of_unknown_root"],
        )
    )
    yield Line(_("Domains: {names}").format(names=_listed(told["domain_names"])), indent=2)
    yield Line(_("Networks: {names}").format(names=_listed([f"AS{asn}" for asn in told["asns"]])), indent=2)
    if told["outside_validity"]:
        yield Line(
            _(
                "{n} handshakes showed a certificate outside its validity: even who had the root saw an error."
            ).format(n=told["outside_validity"]),
            style=Style.WARNING,
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(harmless, names[:MAX_LISTED]))
    return shown + (_(" and {n} more").format(n=len(names) - MAX_LISTED) if len(names) > MAX_LISTED else "")


def _certificates(rows: list[Mapping[str, Any]]) -> Iterator[Line]:
    for row in rows[:MAX_LISTED]:
        yield Line(
            _("{sha256}  valid {start} to {end}, seen {first} to {last}, {n} times{outside}").format(
                sha256=row["sha256"][:16], start=_day(row["not_before"]), end=_day(row["not_after"]),
                first=_day(row["first_seen"]), last=_day(row["last_seen"]), n=row["sightings"],
                outside=_(", {n} outside its validity").format(n=row["outside_validity"]) if row["outside_validity"] else "",
            ),
            indent=2,
        )  # fmt: skip
    if len(rows) > MAX_LISTED:
        yield Line(_("and {n} more certificates").format(n=len(rows) - MAX_LISTED), indent=2)


def _others(document: Mapping[str, Any]) -> Iterator[Line]:
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
    told = [f"{n} {words[outcome]}" for outcome, n in document["outcomes"].items() if outcome in words]
    if told:
        yield Line(_("The rest: {told}.").format(told=", ".join(told)))


def _read(read: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(
        _("Read: {measurements} measurements with {handshakes} handshakes in {files} files, {octets:.1f} MB.").format(
            measurements=read["measurements"], handshakes=read["handshakes"], files=read["files"],
            octets=read["octets"] / 1e6,
        )
    )  # fmt: skip
    if read["bad"]:
        yield Line(lead=_("{n} lines could not be read.").format(n=read["bad"]), style=Style.WARNING)


def _day(time: str | None) -> str:
    return time[:10] if time else "?"
