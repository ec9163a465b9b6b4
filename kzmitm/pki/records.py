"""The records of the registry beside authorities and forgers: incidents, networks, observations, watch lists.

They decide nothing; they say what happened, where, and what is worth looking at.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kzmitm.model.target import to_ascii_hostname
from kzmitm.pki import record_forms as forms
from kzmitm.pki.entries import Document
from kzmitm.pki.schema import fail
from kzmitm.wording import Wording

MAX_WATCHED = 100_000
"""Names of one list in the registry; longer ones are a campaign's and come from a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What happened when and where. Dates are as precise as is known: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`."""

    id: str
    title: str
    kind: str
    country: str
    start: str
    end: str | None
    authorities: tuple[str, ...]
    domains: tuple[str, ...]
    asns: tuple[int, ...]
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """An autonomous system; `share` is percent of the country's Internet users, None if not known."""

    asn: int
    name: str
    role: str
    share: float | None
    interception_seen: tuple[str, ...]
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchlist:
    """Names to watch, most telling first. A sensitive list exposes who scans it: ask before use."""

    id: str
    title: str
    sensitive: bool
    names: tuple[str, ...]
    sources: tuple[str, ...]


def incident(document: Document, where: str) -> Incident:
    """The incident of a decoded file. Raises FingerprintError."""
    forms.INCIDENT(document, where)
    return Incident(
        id=document["id"],
        title=document["title"],
        kind=document["kind"],
        country=document["country"],
        start=document["start"],
        end=document.get("end"),
        authorities=tuple(document.get("ca_ids", ())),
        domains=tuple(document.get("domains", {}).get("all", ())),
        asns=tuple(entry["asn"] for entry in document.get("asns", ())),
        document=document,
    )


def networks(document: Document, where: str) -> Mapping[int, Network]:
    """The networks of `networks.toml` by number. Raises FingerprintError."""
    forms.NETWORKS(document, where)
    found: dict[int, Network] = {}
    for index, entry in enumerate(document.get("networks", ())):
        if entry["asn"] in found:
            raise fail(
                f"{where}networks[{index}].asn", Wording("{entry} stands there twice", entry=entry["asn"])
            )
        found[entry["asn"]] = Network(
            asn=entry["asn"],
            name=entry["name"],
            role=entry["role"],
            share=entry.get("share"),
            interception_seen=tuple(entry.get("interception_seen", ())),
            document=entry,
        )
    return found


def observation(document: Document, where: str) -> Document:
    """A set of certificates as somebody measured them, checked. Raises FingerprintError."""
    forms.OBSERVATION(document, where)
    return document


def watchlist(document: Document, where: str) -> Watchlist:
    """The watch list of a decoded file. Raises FingerprintError."""
    forms.WATCHLIST(document, where)
    names: tuple[str, ...] = tuple(document["names"])
    if not names or len(names) > MAX_WATCHED:
        raise fail(f"{where}names", Wording("must hold 1 to {max_watched} names", max_watched=MAX_WATCHED))
    for index, name in enumerate(names):
        _check_name(name, f"{where}names[{index}]")
    if len(set(names)) != len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise fail(f"{where}names", Wording("{twice} stands there twice", twice=twice))
    return Watchlist(
        id=document["id"],
        title=document["title"],
        sensitive=document["sensitive"],
        names=names,
        sources=tuple(document["sources"]),
    )


def _check_name(name: str, where: str) -> None:
    try:
        canonical = to_ascii_hostname(name)
    except ValueError as exc:
        raise fail(where, str(exc)) from exc
    if canonical != name:
        raise fail(where, Wording("must be written {canonical}", canonical=canonical))
