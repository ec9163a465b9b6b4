"""What measurements show of each item of the impact assessment, and no more: much is in no handshake."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kzmitm.report.language import N_, _, ngettext
from kzmitm.report.overviews.impact_facts import Item
from kzmitm.report.overviews.values import Overview


class Standing(StrEnum):
    """How the data stand to an item."""

    SHOWN = "shown"
    POSSIBLE = "possible"
    """What was seen made it possible; that it happened was not seen."""
    NOT_SEEN = "not_seen"
    """Looked for, and not seen: no proof that it is not there."""
    NO_DATA = "no_data"


WORDS: Final[Mapping[Standing, str]] = {
    Standing.SHOWN: N_("shown"),
    Standing.POSSIBLE: N_("made possible"),
    Standing.NOT_SEEN: N_("not seen"),
    Standing.NO_DATA: N_("no data"),
}


@dataclass(frozen=True, slots=True)
class Evidence:
    standing: Standing
    text: str


def evidence(item: Item, overview: Overview) -> Evidence:
    """What these measurements show of an item."""
    look = _LOOKS.get(item)
    if look is None:
        return Evidence(Standing.NO_DATA, _(_NOT_MEASURED[item]))
    if not overview.measurements:
        return Evidence(Standing.NO_DATA, _("Nothing was measured."))
    return look(overview)


_NOT_MEASURED: Final[Mapping[Item, str]] = {
    Item.INFRASTRUCTURE: N_("Whether infrastructure can be used by all is not measured."),
    Item.ARCHITECTURE: N_("How systems are built is not measured."),
    Item.ROUTING: N_("Routes and who manages them are not measured."),
    Item.NEUTRALITY: N_("For what else the network may be used is not measured."),
    Item.ACCESS: N_("Who may connect, and on what terms, is not measured."),
    Item.GOVERNANCE: N_("How decisions are made is not measured."),
    Item.CAPACITY: N_("Speed and capacity are not measured."),
    Item.ACCOUNTABILITY: N_("Measurements do not tell whether users were told, or could complain."),
}


def _identifiers(overview: Overview) -> Evidence:
    led = overview.outcomes.get("dns_hijack", 0)
    if not led:
        return Evidence(Standing.NOT_SEEN, _("No lookup led to a wrong address."))
    told = ngettext(
        "{n} of {all} measurements was led to an address that is not the site's.",
        "{n} of {all} measurements were led to an address that is not the site's.",
        led,
    )
    return Evidence(Standing.SHOWN, told.format(n=led, all=overview.measurements))


def _deployment(overview: Overview) -> Evidence:
    if not overview.by_network:
        return _unseen()
    told = ngettext(
        "In {n} of {all} measurement the encryption ended at a state's or a provider's authority, not at "
        "the site.",
        "In {n} of {all} measurements the encryption ended at a state's or a provider's authority, not at "
        "the site.",
        overview.measurements,
    )
    return Evidence(Standing.SHOWN, told.format(n=overview.by_network, all=overview.measurements))


def _reachability(overview: Overview) -> Evidence:
    if not overview.by_network and not overview.blocked:
        return Evidence(
            Standing.NOT_SEEN, _("Nothing was intercepted in a network, and nothing was blocked.")
        )
    told = ngettext(
        "{n} measurement met a forged certificate, which a browser without the root refuses; {blocked}.",
        "{n} measurements met a forged certificate, which a browser without the root refuses; {blocked}.",
        overview.by_network,
    )
    blocked = ngettext("{n} more was blocked", "{n} more were blocked", overview.blocked)
    return Evidence(
        Standing.SHOWN, told.format(n=overview.by_network, blocked=blocked.format(n=overview.blocked))
    )


def _confidentiality(overview: Overview) -> Evidence:
    if not overview.by_network:
        return _unseen()
    told = ngettext(
        "In {n} measurement somebody else held the key and could read. What was read or kept is not "
        "measured.",
        "In {n} measurements somebody else held the key and could read. What was read or kept is not "
        "measured.",
        overview.by_network,
    )
    return Evidence(Standing.POSSIBLE, told.format(n=overview.by_network))


def _integrity(overview: Overview) -> Evidence:
    if not overview.by_network:
        return _unseen()
    told = ngettext(
        "In {n} measurement content could be changed on the way. No content was compared.",
        "In {n} measurements content could be changed on the way. No content was compared.",
        overview.by_network,
    )
    return Evidence(Standing.POSSIBLE, told.format(n=overview.by_network))


def _reliability(overview: Overview) -> Evidence:
    outside = sum(each.outside for each in overview.certificates if each.is_carrier)
    if outside:
        told = ngettext(
            "{n} sighting shows a certificate that was not valid: even who had installed the root met an "
            "error.",
            "{n} sightings show a certificate that was not valid: even who had installed the root met an "
            "error.",
            outside,
        )
        return Evidence(Standing.SHOWN, told.format(n=outside))
    if not overview.by_network:
        return _unseen()
    return Evidence(Standing.POSSIBLE, _("What a browser showed with the root installed is not measured."))


def _privacy(overview: Overview) -> Evidence:
    if not overview.by_network:
        return _unseen()
    if not overview.share_of_users:
        return Evidence(
            Standing.POSSIBLE, _("Who received data is not measured, nor how many users it concerned.")
        )
    told = _(
        "The networks with sightings serve at most {share} % of the users: how many could be concerned, "
        "not were. Who received data is not measured."
    )
    return Evidence(Standing.POSSIBLE, told.format(share=f"{overview.share_of_users:.1f}"))


def _unseen() -> Evidence:
    return Evidence(Standing.NOT_SEEN, _("No interception by a state's or a provider's authority was seen."))


_LOOKS: Final[Mapping[Item, Callable[[Overview], Evidence]]] = {
    Item.IDENTIFIERS: _identifiers,
    Item.DEPLOYMENT: _deployment,
    Item.REACHABILITY: _reachability,
    Item.CONFIDENTIALITY: _confidentiality,
    Item.INTEGRITY: _integrity,
    Item.RELIABILITY: _reliability,
    Item.PRIVACY: _privacy,
}
