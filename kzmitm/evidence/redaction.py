"""From the partner level to the public one: what of a scan's document tells nothing of the volunteer.

Allow-lists throughout: a member that is not named here does not get out. Left out are times, addresses,
texts, names and hashes of certificates that may be made for one network or one computer: the leaves of
interceptors, and the roots of antivirus programs and companies.
"""

from collections.abc import Mapping
from typing import Any

from kzmitm.evidence.layout import Level
from kzmitm.model.verdict import Outcome, Scope

CUSTOM_STORE = "custom"
"""What a scan calls roots that the user gave; they may be those of a company."""

_FRAME = ("schema", "version", "tool", "week", "complete", "rules_version", "registry", "summary")
_ROW = (
    "outcome", "confidence", "scope", "authority", "forgers", "rule_ids", "undecided", "labels",
    "certificate_failure", "target", "hostname", "port", "sni",
)  # fmt: skip
_HANDSHAKE = ("version", "cipher_suite", "alpn", "proof_verified")
_STORE = ("name", "version", "date", "sha256")
_OPTIONS = (
    "lists", "targets", "sni", "profile", "split", "engine", "follow_ups", "concurrency", "rate_per_s",
    "timeout_s", "families", "stop_after", "doh", "connect_to", "control",
)  # fmt: skip
_PUBLIC_SCOPES = frozenset({Scope.STATE, Scope.ISP})
"""Whose authorities are everybody's affair. That of any other scope may be made for its one user."""


def public_frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    """What surrounds the rows of a document, reduced."""
    vantage, store = frame["vantage"], frame["store"]
    custom = store.get("name") == CUSTOM_STORE
    return {key: frame[key] for key in _FRAME if key in frame} | {
        "level": Level.PUBLIC,
        "started_at": None,
        "finished_at": None,
        "bundle": None,
        "store": {key: "" if custom and key != "name" else store.get(key, "") for key in _STORE},
        "vantage": {
            "id": "",
            "kind": vantage.get("kind"),
            "asn": vantage.get("asn"),
            "cc": vantage.get("cc"),
        },
        "options": {key: frame["options"][key] for key in _OPTIONS if key in frame["options"]},
    }


def public_row(row: Mapping[str, Any], frame: Mapping[str, Any]) -> dict[str, Any]:
    """A row, reduced; `frame` is that of its document."""
    return {key: row[key] for key in _ROW if key in row} | {
        "address": None,
        "chain": _public_chain(row, frame),
        "explanation": "",
        "handshake": _public_handshake(row.get("handshake")),
        "ruled_out": [
            {"cause": each["cause"], "evidence": each["evidence"], "detail": ""} for each in row["ruled_out"]
        ],
    }


def public_certificates(row: Mapping[str, Any]) -> tuple[str, ...]:
    """SHA-256 of the certificates that a public row names."""
    return tuple(each["sha256"] for each in row["chain"])


def _public_chain(row: Mapping[str, Any], frame: Mapping[str, Any]) -> list[Any]:
    """The authorities above the leaf, if they belong to the public or to a state or operator."""
    if row["outcome"] == Outcome.CLEAN:
        shown = frame["store"].get("name") != CUSTOM_STORE
    else:
        shown = row["outcome"] == Outcome.INTERCEPTION and row.get("scope") in _PUBLIC_SCOPES
    return list(row["chain"][1:]) if shown else []


def _public_handshake(handshake: Any) -> dict[str, Any] | None:
    if not isinstance(handshake, Mapping):
        return None
    failure = handshake.get("failure")
    # `unknown_failure: …` goes on with the words of a library, which may hold anything.
    kind = failure.partition(":")[0] if isinstance(failure, str) else None
    return {key: handshake.get(key) for key in _HANDSHAKE} | {"failure": kind}
