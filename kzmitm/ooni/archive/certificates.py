"""What is known of the certificates that interceptors and others showed: rows for the analyst."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from kzmitm.model.certificate import Certificate
from kzmitm.ooni.archive.cases import Case
from kzmitm.pki.attribution import Attribution
from kzmitm.pki.patterns import name_text
from kzmitm.pki.registry import Registry

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_NAME: Final = 500
"""Characters of a name that are kept; a forger may write a book into one."""

CERTIFICATE_COLUMNS: Final = {
    "sha256": "VARCHAR", "sha1": "VARCHAR", "spki_sha256": "VARCHAR", "subject": "VARCHAR",
    "issuer": "VARCHAR", "serial": "VARCHAR", "not_before": "TIMESTAMP", "not_after": "TIMESTAMP",
    "is_ca": "BOOLEAN", "root_sha256": "VARCHAR", "root_by": "VARCHAR", "published_as": "VARCHAR",
}  # fmt: skip


class CertificateFacts(msgspec.Struct, kw_only=True):
    """A certificate. `root_sha256` is the known root above it and `root_by` how that is known.

    `root_by` is `certificate` or `key` (it is that root), `signature` (its key signed this one) or `record`:
    serial and dates are those of a published certificate, whose root is published; `published_as` names it.
    """

    sha256: str
    sha1: str
    spki_sha256: str
    subject: str
    issuer: str
    serial: str
    not_before: int | None
    not_after: int | None
    is_ca: bool
    root_sha256: str = ""
    root_by: str = ""
    published_as: str = ""


class ShownIn(msgspec.Struct):
    """The certificate that tells most of who made a chain, with the chain's number."""

    chain: int
    facts: CertificateFacts


Published = Mapping[tuple[str, str], tuple[str, str]]
"""Published certificates by SHA-1 and by what cannot be told from a hash: (name, root) of the record."""


def facts_of(case: Case, registry: Registry, published: Published) -> tuple[Certificate, CertificateFacts]:
    """The telling certificate of a chain, from a case in which it was met, and the row for it."""
    attribution = next(iter(case.attributions), None)
    telling = _telling(case, attribution)
    return telling, _certificate(telling, _root(telling, case, attribution, registry), published)


def _telling(case: Case, attribution: Attribution | None) -> Certificate:
    """The certificate that was recognised, or the one below a root that was; else the first that was kept."""
    assert case.facts is not None  # noqa: S101 - callers look first
    chain = case.facts.chain
    position = attribution.position if attribution is not None and attribution.position < len(chain) else 0
    below_a_root = position > 1 and chain[position].is_self_issued
    return chain[position - 1 if below_a_root else position]


def _root(
    telling: Certificate, case: Case, attribution: Attribution | None, registry: Registry
) -> tuple[str, str]:
    """SHA-256 of the known root above a certificate, and how it is known."""
    assert case.facts is not None  # noqa: S101
    if attribution is None:
        return "", ""
    kind, _, digest = attribution.authority.matched_sha256.partition(":")
    known = registry.by_sha256.get(digest) if kind == "certificate" else registry.by_spki.get(digest)
    if known is None or known.sha256 is None:
        return "", ""
    match = attribution.authority.match
    return known.sha256, match if case.facts.chain[attribution.position] is telling else "signature"


def published_in(registry: Registry) -> Published:
    """The certificates that the registry's observations name."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for name, document in registry.observations.items():
        for entry in document.get("intermediates", ()):
            root = entry.get("signed_by", {}).get("root_sha256", "")
            record = f"{name}#{entry['ordinal']}", root
            found["sha1", entry["sha1"]] = record
            found["serial", entry["serial_hex"].lstrip("0").lower()] = record
            found["fields", _fields(entry["serial_hex"], entry["not_before"], entry["not_after"])] = record
    return found


def _fields(serial: str, not_before: datetime, not_after: datetime) -> str:
    return f"{serial.lstrip('0').lower()} {not_before:%Y-%m-%dT%H:%M:%S} {not_after:%Y-%m-%dT%H:%M:%S}"


def _certificate(found: Certificate, root: tuple[str, str], published: Published) -> CertificateFacts:
    serial = f"{found.serial & ((1 << 160) - 1):x}"
    record = published.get(("sha1", found.sha1))
    is_known = ("serial", serial) in published
    if record is None and is_known and found.not_before is not None and found.not_after is not None:
        record = published.get(("fields", _fields(serial, found.not_before, found.not_after)))
    if not root[0] and record is not None and record[1]:
        root = record[1], "record"
    begin, end = validity_of(found)
    return CertificateFacts(
        sha256=found.sha256,
        sha1=found.sha1,
        spki_sha256=found.spki_sha256 or "",
        subject=name_text(found.subject)[:MAX_NAME],
        issuer=name_text(found.issuer)[:MAX_NAME],
        serial=serial,
        not_before=None if begin is None else microseconds(begin),
        not_after=None if end is None else microseconds(end),
        is_ca=found.is_ca,
        root_sha256=root[0],
        root_by=root[1],
        published_as=record[0] if record is not None else "",
    )


def validity_of(found: Certificate) -> tuple[datetime | None, datetime | None]:
    """When it begins and ends to be valid, None where that is not known or of no year as rows have them."""
    begin, end = found.not_before, found.not_after
    return (
        begin if begin is not None and begin.year >= 1000 else None,
        end if end is not None and end.year >= 1000 else None,
    )


def microseconds(time: datetime) -> int:
    """Since 1970."""
    return round((time - _EPOCH).total_seconds()) * 1_000_000


def networks_of(registry: Registry) -> Iterator[Mapping[str, Any]]:
    """The country's networks, with their share of its users in percent."""
    for asn, network in sorted(registry.networks.items()):
        yield {"asn": asn, "operator": network.name, "role": network.role, "share": network.share}


NETWORK_COLUMNS: Final = {"asn": "UINTEGER", "operator": "VARCHAR", "role": "VARCHAR", "share": "DOUBLE"}


def authorities_of(registry: Registry) -> Iterator[Mapping[str, Any]]:
    """The registry's authorities, for their names and kinds."""
    for each in registry.authorities.values():
        yield {
            "authority": each.id,
            "authority_name": each.name,
            "kind": each.kind.value,
            "country": each.country,
        }


AUTHORITY_COLUMNS: Final = {
    "authority": "VARCHAR", "authority_name": "VARCHAR", "kind": "VARCHAR", "country": "VARCHAR",
}  # fmt: skip
