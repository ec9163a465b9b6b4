"""The chain that was presented beside the one that was expected, field by field, differences marked."""

from collections.abc import Callable
from datetime import datetime
from itertools import zip_longest

from kzmitm.model.certificate import Certificate
from kzmitm.report.document import Block, Cell, Table, Text, Tone
from kzmitm.report.language import N_, _
from kzmitm.report.locale_forms import moment
from kzmitm.report.results.view import Expected, ReportedTarget, Witness
from kzmitm.report.safe import harmless

MAX_NAMES = 12
"""Names of a certificate that are written out; content networks put hundreds into one."""
MAX_CHAIN = 6
"""Certificates of a chain that are compared; no honest chain is longer."""


def _names(certificate: Certificate) -> str:
    names = [*(certificate.san_dns or ()), *(certificate.san_ip or ())]
    shown = ", ".join(harmless(name, 80) for name in names[:MAX_NAMES])
    more = len(names) - MAX_NAMES
    return shown + (_(" and {n} more").format(n=more) if more > 0 else "")


def _serial(certificate: Certificate) -> str:
    """As OpenSSL prints it: hex octets (RFC 5280, 4.1.2.2: at most 20 of them)."""
    return harmless(f"{certificate.serial:x}", 64)


def _key(certificate: Certificate) -> str:
    key = certificate.public_key
    if key is None:
        return ""
    exponent = f", e={key.exponent}" if key.exponent is not None else ""
    return harmless(f"{key}{exponent}", 80)


def _day(when: datetime | None) -> str:
    return moment(when) if when else ""


FIELDS: tuple[tuple[str, Callable[[Certificate], str]], ...] = (
    (N_("Issued to"), lambda c: harmless(str(c.subject))),
    (N_("For the names"), _names),
    (N_("Issued by"), lambda c: harmless(str(c.issuer))),
    (N_("Valid from"), lambda c: _day(c.not_before)),
    (N_("Valid until"), lambda c: _day(c.not_after)),
    (N_("Serial number"), _serial),
    (N_("Kind of key"), _key),
    (N_("SHA-256 of key"), lambda c: c.spki_sha256 or ""),
    (N_("SHA-256 of certificate"), lambda c: c.sha256),
)
"""What is compared of the leaf, in the order in which a reader understands it."""

WITNESSES = {
    Witness.CONTROL: N_("The expected certificate was seen at a place that is not intercepted."),
    Witness.HERE: N_("The expected certificate was seen in another handshake of the same measurement."),
}


def comparison(target: ReportedTarget) -> tuple[Block, ...]:
    """The blocks for one target; without an expected chain they say so, and how to get one."""
    if not target.presented:
        return ()
    if target.expected is None:
        return (
            _presented(target),
            Text(
                _(
                    "What the site shows elsewhere is not known from this result. A control file, recorded "
                    "at a clean place (kzmitm scan --record-control FILE), puts it beside this: "
                    "kzmitm report --control FILE."
                )
            ),
        )
    return (_compared(target, target.expected), _chains(target, target.expected), _witness(target.expected))


def _presented(target: ReportedTarget) -> Table:
    leaf = target.presented[0]
    rows = ((_(name), Cell(text=told, is_exact=True)) for name, read in FIELDS if (told := read(leaf)))
    caption = _("The certificate that was shown for {name}").format(name=harmless(target.judged.target))
    return Table(caption=caption, columns=(_("Field"), _("Shown here")), rows=tuple(rows))


def _compared(target: ReportedTarget, expected: Expected) -> Table:
    shown, known = target.presented[0], expected.chain[0]
    rows = [_row(_(name), read(shown), read(known)) for name, read in FIELDS]
    caption = _("The certificate that was shown for {name}, beside the expected one").format(
        name=harmless(target.judged.target)
    )
    return _table(caption, rows)


def _chains(target: ReportedTarget, expected: Expected) -> Table:
    """Who vouches for the leaf: the names in the chain, from the leaf up."""
    pairs = zip_longest(target.presented[1:MAX_CHAIN], expected.chain[1:MAX_CHAIN])
    rows = [
        _row(
            _("Authority {n}").format(n=n),
            _subject(shown),
            _subject(known),
            differs=_hash(shown) != _hash(known),
        )
        for n, (shown, known) in enumerate(pairs, 1)
    ]
    return _table(_("The authorities above it, as they were sent"), rows)


def _table(caption: str, rows: list[tuple[str | Cell, ...]]) -> Table:
    return Table(caption=caption, columns=(_("Field"), _("Shown here"), _("Expected")), rows=tuple(rows))


def _row(name: str, shown: str, known: str, *, differs: bool | None = None) -> tuple[str | Cell, ...]:
    differ = shown != known if differs is None else differs
    mark, tone = (_("differs"), Tone.WARNING) if differ else ("", Tone.PLAIN)
    nothing = _("none")
    return (
        name,
        Cell(text=shown or nothing, is_exact=bool(shown)),
        Cell(text=known or nothing, is_exact=bool(known), mark=mark, tone=tone),
    )


def _subject(certificate: Certificate | None) -> str:
    return harmless(str(certificate.subject)) if certificate else ""


def _hash(certificate: Certificate | None) -> str:
    return certificate.sha256 if certificate else ""


def _witness(expected: Expected) -> Text:
    said = _(WITNESSES[expected.witness])
    if expected.seen_at is not None:
        said += " " + _("That was on {when}.").format(when=moment(expected.seen_at))
    return Text(said)


def hashes(target: ReportedTarget) -> Table | None:
    """Every certificate that was told, with both hashes under their labels; None if none was."""
    rows = tuple(
        (
            harmless(each.subject) or _("a certificate without a name"),
            Cell(text=harmless(each.sha256), is_exact=True),
            Cell(text=harmless(each.spki_sha256 or ""), is_exact=True),
        )
        for each in target.judged.chain[:MAX_CHAIN]
    )
    if not rows:
        return None
    return Table(
        caption=_("Certificates as they came, with their hashes"),
        columns=(_("Issued to"), _("SHA-256 of certificate"), _("SHA-256 of key")),
        rows=rows,
    )
