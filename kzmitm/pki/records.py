"""The records of the registry beside authorities and forgers: incidents, networks, observations, watch lists.

They decide nothing; they say what happened, where, and what is worth looking at.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kzmitm.model.target import to_ascii_hostname
from kzmitm.pki import schema as s
from kzmitm.pki.entries import SHA1, SHA256, Document
from kzmitm.pki.schema import fail

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


_PHASE = s.table(
    {
        "end": s.partial_date,
        "date_confidence": s.CONFIDENCE,
        "root_sha256": SHA256,
        "bug": s.text,
        "onecrl_comment": s.text,
    },
    {"start": s.partial_date, "what": s.text},
)

_DOMAINS = s.table(
    {
        "count": s.integer,
        "all": s.TEXTS,
        "method": s.text,
        "press_also_names": s.TEXTS,
        "reported_by_others": s.TEXTS,
        "groups": s.list_of(s.table({"domains": s.TEXTS, "sensitive": s.boolean}, {"operator": s.text})),
    }
)

_FORGED = s.table(
    {
        "names": s.text,
        "issuer": s.text,
        "issuing_certificate_validity_days": s.integer,
        "key": s.text,
        "public_exponent": s.integer,
        "validity": s.text,
        "validity_early_sample": s.text,
        "serial": s.text,
        "extensions": s.text,
        "chain": s.text,
        "content_changed": s.boolean,
        "trusted_by_browsers": s.boolean,
        "confidence": s.CONFIDENCE,
        "leaf_sample": s.table(
            {
                "target": s.text,
                "not_before": s.moment,
                "not_after": s.moment,
                "reported_at": s.partial_date,
                "confidence": s.CONFIDENCE,
                "notes": s.text,
            }
        ),
    }
)

_SCALE = s.table(
    {
        "addresses": s.integer,
        "names": s.integer,
        "date": s.text,
        "hosts_probed": s.integer,
        "intercepted_from_outside": s.integer,
        "intercepted_from_inside_vps": s.integer,
        "share_from_outside": s.number,
        "share_from_inside": s.number,
        "later_shares": s.list_of(s.number),
        "median_daily_hosts": s.integer,
        "hyperquack_vantage_points": s.text,
        "ripe_atlas_probes": s.text,
        "unaffected_networks": s.list_of(s.integer),
    }
)

_INCIDENT = s.table(
    {
        "end": s.partial_date,
        "date_precision": s.text,
        "summary": s.text,
        "after": s.text,
        "ca_ids": s.list_of(s.identifier),
        "root_sha256": s.list_of(SHA256),
        "domains_complete": s.boolean,
        "open_questions": s.TEXTS,
        "confidence": s.CONFIDENCE,
        "sources": s.TEXTS,
        "phases": s.list_of(_PHASE),
        "domains": _DOMAINS,
        "trigger": s.table({"kind": s.text, "conditions": s.TEXTS, "direction": s.text, "notes": s.text}),
        "forged_certificate": _FORGED,
        "hops": s.table(
            {
                "last_before": s.TEXTS,
                "first_after": s.TEXTS,
                "share_of_paths": s.number,
                "example_route": s.TEXTS,
                "asn": s.integer,
            }
        ),
        "middlebox_tls_client": s.table(
            {
                "source": s.text,
                "fingerprint_id": s.text,
                "record_version": s.text,
                "client_hello_version": s.text,
                "cipher_suites": s.integer,
                "notes": s.text,
            }
        ),
        "scale": _SCALE,
        "asns": s.list_of(s.table({"name": s.text, "hosts": s.integer}, {"asn": s.integer})),
    },
    {
        "id": s.identifier,
        "kind": s.choice("announcement", "interception", "proposal", "state_root", "blocking_by_certificate"),
        "country": s.text,
        "title": s.text,
        "start": s.partial_date,
    },
)


def incident(document: Document, where: str) -> Incident:
    """The incident of a decoded file. Raises FingerprintError."""
    _INCIDENT(document, where)
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


_NETWORKS = s.table(
    {
        "about": s.text,
        "derived": s.text,
        "share_source": s.text,
        "sources": s.TEXTS,
        "networks": s.list_of(
            s.table(
                {"share": s.number, "interception_seen": s.TEXTS, "note": s.text},
                {"asn": s.integer, "name": s.text, "role": s.text},
            )
        ),
    }
)


def networks(document: Document, where: str) -> Mapping[int, Network]:
    """The networks of `networks.toml` by number. Raises FingerprintError."""
    _NETWORKS(document, where)
    found: dict[int, Network] = {}
    for index, entry in enumerate(document.get("networks", ())):
        if entry["asn"] in found:
            raise fail(f"{where}networks[{index}].asn", f"{entry['asn']} stands there twice")
        found[entry["asn"]] = Network(
            asn=entry["asn"],
            name=entry["name"],
            role=entry["role"],
            share=entry.get("share"),
            interception_seen=tuple(entry.get("interception_seen", ())),
            document=entry,
        )
    return found


_GAP = s.table({"days": s.number, "note": s.text}, {"start": s.text, "end": s.text})

_OBSERVATION = s.table(
    {
        "title": s.text,
        "root_name_correction": s.text,
        "confidence": s.CONFIDENCE,
        "sources": s.TEXTS,
        "summary": s.table(
            {
                "intermediates": s.integer,
                "distinct_known_roots": s.integer,
                "unknown_root_intermediates": s.integer,
                "networks": s.integer,
                "domains": s.integer,
                "validity_days": s.integer,
                "period": s.text,
            }
        ),
        "role_caveat": s.table({"text": s.text, "confidence": s.CONFIDENCE, "source": s.text}),
        "unknown_roots": s.table(
            {
                "count_lower_bound": s.integer,
                "intermediates": s.list_of(SHA1),
                "reasoning": s.text,
                "confidence": s.CONFIDENCE,
            }
        ),
        "validity_gaps": s.table(
            {
                "note": s.text,
                "computed": s.list_of(_GAP),
                "as_stated_by_ooni": s.list_of(_GAP),
                "interception_seen_in_gap": s.list_of(
                    s.table({"gap_start": s.text, "measurement": s.text, "note": s.text})
                ),
            }
        ),
        "intermediates": s.list_of(
            s.table(
                {
                    "ordinal": s.integer,
                    "serial_hex": s.hexadecimal,
                    "serial_decimal": s.text,
                    "issuer": s.text,
                    "not_before": s.moment,
                    "not_after": s.moment,
                    "validity_days": s.integer,
                    "signed_by": s.table(
                        {
                            "root_sha256": SHA256,
                            "root_sha1": SHA1,
                            "root_serial_hex": s.hexadecimal,
                            "crt_sh_id": s.integer,
                            "match": s.text,
                        }
                    ),
                    "example_measurement": s.text,
                    "example_measured_at": s.moment,
                    "expired_when_measured": s.boolean,
                    "days_past_expiry": s.integer,
                    "confidence": s.CONFIDENCE,
                },
                {"sha1": SHA1},
            )
        ),
    },
    {"id": s.identifier, "authority": s.identifier},
)


def observation(document: Document, where: str) -> Document:
    """A set of certificates as somebody measured them, checked. Raises FingerprintError."""
    _OBSERVATION(document, where)
    return document


_WATCHLIST = s.table(
    {"about": s.text},
    {
        "id": s.identifier,
        "title": s.text,
        "sensitive": s.boolean,
        "names": s.TEXTS,
        "sources": s.TEXTS,
    },
)


def watchlist(document: Document, where: str) -> Watchlist:
    """The watch list of a decoded file. Raises FingerprintError."""
    _WATCHLIST(document, where)
    names: tuple[str, ...] = tuple(document["names"])
    if not names or len(names) > MAX_WATCHED:
        raise fail(f"{where}names", f"must hold 1 to {MAX_WATCHED} names")
    for index, name in enumerate(names):
        _check_name(name, f"{where}names[{index}]")
    if len(set(names)) != len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise fail(f"{where}names", f"{twice} stands there twice")
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
        raise fail(where, f"must be written {canonical}")
