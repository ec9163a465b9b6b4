"""scan.json (`kzmitm.scan/1.0`): the verdicts of a scan with their reasons, built row by row.

A bundle holds it twice: with all that is known at the partner level, and reduced at the public one
(`kzmitm.evidence.redaction`). `scan --json` prints the first; only `bundle` differs, which is null in the
file, because a path tells the name of the user. Its JSON Schema is `schema_text("scan")`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from kzmitm import __version__
from kzmitm.errors import BundleError
from kzmitm.evidence.json_writer import canonical
from kzmitm.evidence.layout import Level
from kzmitm.evidence.trait_rows import match_rows, trait_row
from kzmitm.model.certificate import Certificate
from kzmitm.model.codec import format_time, from_json, to_json
from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import TLSObservation
from kzmitm.model.target import Vantage
from kzmitm.model.traits import TraitMatch
from kzmitm.model.verdict import Outcome, Verdict
from kzmitm.verdict.answer_traits import traits_of_measurement
from kzmitm.verdict.location import locations_of

SCHEMA = "kzmitm.scan/1.0"
VERSION = "1.0"
Row = dict[str, Any]
"""One element of `targets`."""

_HEAD = ("schema", "version")
"""Come first, so that a reader of a stream knows what follows."""


class StoreIdentity(Protocol):
    """What tells one pinned store of roots from another."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def date(self) -> str: ...
    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanHeader:
    """What holds for the whole scan. `options` shaped it; numbers with a fraction are written as text."""

    started_at: datetime
    rules_version: str
    registry_version: str
    store: StoreIdentity
    vantage: Vantage = field(default_factory=Vantage)
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> Row:
        """The members of the document that are known when the scan starts."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "tool": {"name": "kzmitm", "version": __version__},
            "level": Level.PARTNER,
            "week": week_of(self.started_at),
            "started_at": format_time(self.started_at),
            "rules_version": self.rules_version,
            "registry": {"version": self.registry_version},
            "store": {key: str(getattr(self.store, key)) for key in ("name", "version", "date", "sha256")},
            "vantage": _vantage(self.vantage),
            "options": {key: _without_fraction(to_json(value)) for key, value in self.options.items()},
        }


def _vantage(vantage: Vantage) -> Row:
    told = {key: getattr(vantage, key) for key in ("id", "kind", "asn", "cc")}
    return told if vantage.dns is None else told | {"dns": vantage.dns}


def week_of(moment: datetime) -> str:
    """The week of ISO 8601, `2026-W48`: as exactly as the public level tells the time."""
    year, week, _ = moment.astimezone(UTC).isocalendar()
    return f"{year}-W{week:02}"


def _without_fraction(value: Any) -> Any:
    match value:
        case float():
            return int(value) if value.is_integer() else repr(value)
        case dict():
            return {key: _without_fraction(item) for key, item in value.items()}
        case list():
            return [_without_fraction(item) for item in value]
        case _:
            return value


def target_row(
    measurement: Measurement,
    verdict: Verdict,
    *,
    certificates: Sequence[Certificate] = (),
    explanation: str = "",
    products: Sequence[TraitMatch] = (),
) -> Row:
    """The row of one target; `certificates` are the parsed chain of `measurement.first`.

    `products` are those that the traits of an interceptor's answer are consistent with.
    """
    target, first = measurement.target, measurement.first
    address = first.endpoint.ip if first else target.address
    told: Row = to_json(verdict)
    for name in ("rules_version", "registry_version", "store_version"):
        del told[name]
    if measurement.local_trust is not None:
        told["local_trust"] = _local_trust(measurement.local_trust)
    if measurement.trace:
        told["locations"] = to_json(locations_of(measurement))
    if verdict.outcome is Outcome.INTERCEPTION:
        traits = traits_of_measurement(measurement, certificates[0] if certificates else None)
        if traits is not None:
            told["traits"] = trait_row(traits) | {"consistent_with": match_rows(products)}
    return told | {
        "target": str(target),
        "hostname": target.hostname,
        "port": target.port,
        "sni": target.sni,
        "address": address,
        "handshake": _handshake(first) if first else None,
        "chain": [_certificate(each) for each in certificates],
        "explanation": explanation,
    }


def _local_trust(trust: LocalTrust) -> Row:
    return {
        "accepted": trust.accepted,
        "root_sha256": trust.root_sha256,
        "root_class": trust.root_class,
        "origins": list(trust.origins),
        "applications": list(trust.applications),
        "stores_read": trust.stores_read,
    }


def _handshake(o: TLSObservation) -> Row:
    return {
        "failure": o.failure,
        "version": o.version,
        "cipher_suite": o.cipher_suite,
        "alpn": o.alpn,
        "proof_verified": o.proof.verified if o.proof else None,
    }


def _certificate(certificate: Certificate) -> Row:
    return {
        "sha256": certificate.sha256,
        "spki_sha256": certificate.spki_sha256,
        "subject": str(certificate.subject),
        "issuer": str(certificate.issuer),
        "not_before": format_time(certificate.not_before) if certificate.not_before else None,
        "not_after": format_time(certificate.not_after) if certificate.not_after else None,
        "parse_error": certificate.parse_error,
    }


_VERDICT_KEYS = (
    "outcome", "confidence", "scope", "authority", "forgers", "rule_ids", "ruled_out", "undecided", "labels",
    "certificate_failure",
)  # fmt: skip


def row_verdict(row: Mapping[str, Any], document: Mapping[str, Any]) -> Verdict:
    """The verdict that a row tells, with the versions of its document; raises BundleError."""
    verdict = from_json(Verdict, {key: row[key] for key in _VERDICT_KEYS if key in row}, "targets[]")
    return replace(
        verdict,
        rules_version=_text_at(document, "rules_version"),
        registry_version=_text_at(document, "registry", "version"),
        store_version=_text_at(document, "store", "version"),
    )


def _text_at(document: Any, *keys: str) -> str:
    for key in keys:
        document = document.get(key) if isinstance(document, Mapping) else None
    if not isinstance(document, str):
        raise BundleError("scan.json: {keys}: text expected", keys=".".join(keys))
    return document


def summary_of(outcomes: Mapping[str, int]) -> dict[str, int]:
    """How often each outcome was reached, those never reached too."""
    return {str(outcome): outcomes.get(str(outcome), 0) for outcome in Outcome}


def frame_of(
    header: Mapping[str, Any],
    summary: Mapping[str, int],
    *,
    finished_at: datetime | None,
    complete: bool = True,
    bundle: str | None = None,
) -> Row:
    """What surrounds the rows; `complete` is False if the scan was stopped before its end."""
    return {
        **header,
        "finished_at": format_time(finished_at) if finished_at else None,
        "complete": complete,
        "summary": dict(summary),
        "bundle": bundle,
    }


def document_chunks(frame: Mapping[str, Any], rows: Iterable[bytes]) -> Iterator[bytes]:
    """The octets of the document from canonical rows, in flat memory.

    `schema` and `version` come first, then sorted keys; a row is a line of its own, so that a reader may go
    line by line too, and a newline ends it.
    """
    opening, _, closing = document_around(frame).partition(ROWS)
    yield opening
    separator = b"[\n"
    for row in rows:
        yield separator + row
        separator = b",\n"
    yield b"[]" if separator == b"[\n" else b"\n]"
    yield closing


ROWS = b"\x00"
"""Stands for the rows in `document_around`; JSON cannot hold it."""


def document_around(frame: Mapping[str, Any]) -> bytes:
    """The octets of the document with ROWS in the place of its rows."""
    keys = (*_HEAD, *sorted({*frame, "targets"} - {*_HEAD}))
    members = (canonical(key) + b":" + (ROWS if key == "targets" else canonical(frame[key])) for key in keys)
    return b"{" + b",".join(members) + b"}\n"
