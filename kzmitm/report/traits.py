"""Traits of an answer as lines for people."""

from collections.abc import Iterator, Sequence

from kzmitm.model.traits import AnswerTraits, TraitMatch
from kzmitm.report.language import N_, _
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless

TRAIT_NAMES = {
    "jarm": N_("JARM"),
    "ja3s": N_("JA3S"),
    "shape": N_("certificate shape"),
    "alpn": N_("application protocol"),
    "session_ticket": N_("session tickets"),
    "ocsp_staple": N_("OCSP staple"),
    "embedded_scts": N_("timestamps of CT logs"),
    "accepts": N_("versions accepted"),
    "refuses": N_("versions refused"),
}


def trait_lines(traits: AnswerTraits, *, control: AnswerTraits | None = None) -> Iterator[Line]:
    """One line for each trait that could be told, and what the second vantage saw otherwise."""
    for key, value in _told(traits):
        yield Line(f"  {_(TRAIT_NAMES[key])}: {harmless(value)}", indent=4)
    if traits.connect_s is not None and traits.answer_s is not None:
        yield Line(
            _("  SYN-ACK after {connect:.1f} ms, answer to the hello after {answer:.1f} ms").format(
                connect=traits.connect_s * 1000, answer=traits.answer_s * 1000
            ),
            indent=4,
        )
    if control is not None:
        yield from _losses(traits, control)


def _told(traits: AnswerTraits) -> Iterator[tuple[str, str]]:
    values: tuple[tuple[str, str | None], ...] = (
        ("jarm", traits.jarm),
        ("ja3s", traits.ja3s),
        ("shape", traits.shape),
        ("alpn", None if traits.alpn is None else traits.alpn or _("none")),
        ("session_ticket", _yes_or_no(traits.session_ticket)),
        ("ocsp_staple", _yes_or_no(traits.ocsp_staple)),
        ("embedded_scts", _yes_or_no(traits.embedded_scts)),
        ("accepts", _joined(traits.accepted)),
        ("refuses", _joined(traits.refused)),
    )
    for key, value in values:
        if value is not None:
            yield key, value


def _yes_or_no(value: bool | None) -> str | None:  # noqa: FBT001 - a fact of three values
    return None if value is None else _("yes") if value else _("no")


def _joined(values: Sequence[str] | None) -> str | None:
    return ", ".join(values) if values else None


def _losses(traits: AnswerTraits, control: AnswerTraits) -> Iterator[Line]:
    lost = []
    if control.alpn and traits.alpn == "":
        lost.append(_("the application protocol ({protocol})").format(protocol=harmless(control.alpn)))
    if control.ocsp_staple and traits.ocsp_staple is False:
        lost.append(_("the OCSP staple"))
    if control.session_ticket and traits.session_ticket is False:
        lost.append(_("session tickets"))
    if lost:
        yield Line(", ".join(lost), lead=_("  lost against the clean place: "), style=Style.WARNING, indent=4)
    taken = sorted(set(traits.accepted or ()) & set(control.refused or ()))
    if taken:
        yield Line(
            ", ".join(taken),
            lead=_("  accepted here, refused by the server itself: "),
            style=Style.WARNING,
            indent=4,
        )


def match_lines(matches: Sequence[TraitMatch]) -> Iterator[Line]:
    """What the traits are consistent with, which is no proof; a line that says so if with nothing known."""
    for match in matches:
        agreeing = ", ".join(_(TRAIT_NAMES[name]) for name in match.agreeing)
        yield Line(
            _("  consistent with {name} ({traits})").format(name=harmless(match.name), traits=agreeing),
            indent=4,
        )
    if not matches:
        yield Line(_("  consistent with no product whose traits are known here"), indent=4)
