"""scan.json (`kzmitm.scan/1.0`): the verdicts of a scan with their reasons, built row by row.

The same document goes to the bundle and to `scan --json`; only `bundle` differs, which is null in the
file, because a path tells the name of the user. Its JSON Schema is `schema_text("scan")`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib import resources
from typing import Any, Protocol

from kzmitm import __version__
from kzmitm.errors import BundleError, UsageError
from kzmitm.evidence.json_writer import canonical
from kzmitm.model.certificate import Certificate
from kzmitm.model.codec import format_time, from_json, to_json
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import TLSObservation
from kzmitm.model.target import Vantage
from kzmitm.model.verdict import Outcome, Verdict

SCHEMA = "kzmitm.scan/1.0"
VERSION = "1.0"
SCHEMAS = ("scan", "control")
"""Documents that have a published JSON Schema."""

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
            "started_at": format_time(self.started_at),
            "rules_version": self.rules_version,
            "registry": {"version": self.registry_version},
            "store": {key: str(getattr(self.store, key)) for key in ("name", "version", "date", "sha256")},
            "vantage": {key: getattr(self.vantage, key) for key in ("id", "kind", "asn", "cc")},
            "options": {key: _without_fraction(to_json(value)) for key, value in self.options.items()},
        }


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
) -> Row:
    """The row of one target; `certificates` are the parsed chain of `measurement.first`."""
    target, first = measurement.target, measurement.first
    address = first.endpoint.ip if first else target.address
    told: Row = to_json(verdict)
    for name in ("rules_version", "registry_version", "store_version"):
        del told[name]
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
        raise BundleError(f"scan.json: {'.'.join(keys)}: text expected")
    return document


def summary_of(outcomes: Mapping[str, int]) -> dict[str, int]:
    """How often each outcome was reached, those never reached too."""
    return {str(outcome): outcomes.get(str(outcome), 0) for outcome in Outcome}


def document(
    header: Mapping[str, Any],
    rows: Sequence[Row],
    *,
    finished_at: datetime | None,
    complete: bool = True,
    bundle: str | None = None,
) -> Row:
    """The whole document; `complete` is False if the scan was stopped before its end."""
    summary = summary_of(Counter(row["outcome"] for row in rows))
    return _frame(header, summary, finished_at, complete=complete, bundle=bundle) | {"targets": list(rows)}


def document_chunks(
    header: Mapping[str, Any],
    rows: Iterable[bytes],
    summary: Mapping[str, int],
    *,
    finished_at: datetime | None,
    complete: bool = True,
    bundle: str | None = None,
) -> Iterator[bytes]:
    """The octets of the document from canonical rows, in flat memory.

    `schema` and `version` come first, then sorted keys; a row is a line, and a newline ends it.
    """
    frame = _frame(header, summary, finished_at, complete=complete, bundle=bundle)
    opening = b"{"
    for key in (*_HEAD, *sorted({*frame, "targets"} - {*_HEAD})):
        yield opening + canonical(key) + b":"
        opening = b","
        if key != "targets":
            yield canonical(frame[key])
            continue
        separator = b"[\n"
        for row in rows:
            yield separator + row
            separator = b",\n"
        yield b"[]" if separator == b"[\n" else b"\n]"
    yield b"}\n"


def _frame(
    header: Mapping[str, Any],
    summary: Mapping[str, int],
    finished_at: datetime | None,
    *,
    complete: bool,
    bundle: str | None,
) -> Row:
    return {
        **header,
        "finished_at": format_time(finished_at) if finished_at else None,
        "complete": complete,
        "summary": dict(summary),
        "bundle": bundle,
    }


def schema_text(name: str) -> str:
    """The JSON Schema (draft 2020-12) of a document of ours; raises UsageError for an unknown name."""
    if name not in SCHEMAS:
        raise UsageError(f"no schema {name[:40]!r}", hint=f"there is: {', '.join(SCHEMAS)}")
    return resources.files("kzmitm.evidence").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8")
