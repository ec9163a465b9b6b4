"""From the partner level to the public one: what of a scan's document tells nothing of the volunteer.

Allow-lists throughout: a member that is not named here does not get out. Left out are times, addresses,
texts, names and hashes of certificates that may be made for one network or one computer: the leaves of
interceptors, and the roots of antivirus programs and companies.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kzmitm.evidence.layout import Level
from kzmitm.model.verdict import Outcome, Scope

CUSTOM_STORE = "custom"
"""What a scan calls roots that the user gave; they may be those of a company."""

_FRAME = ("schema", "version", "week", "complete", "rules_version")
_TOOL = ("name", "version")
_REGISTRY = ("version",)
_ROW = (
    "outcome", "confidence", "scope", "rule_ids", "undecided", "labels", "certificate_failure", "target",
    "hostname", "port", "sni",
)  # fmt: skip
_AUTHORITY = ("id", "name", "kind", "match", "matched_sha256", "country")
_FORGER = ("id", "name", "relations")
_CERTIFICATE = (
    "sha256", "spki_sha256", "subject", "issuer", "not_before", "not_after", "parse_error",
)  # fmt: skip
_HANDSHAKE = ("version", "cipher_suite", "alpn", "proof_verified")
_STORE = ("name", "version", "date", "sha256")
_OPTIONS = (
    "lists", "targets", "sni", "profile", "split", "engine", "follow_ups", "concurrency", "rate_per_s",
    "timeout_s", "families", "stop_after", "doh", "connect_to", "locate", "control",
)  # fmt: skip
_PUBLIC_SCOPES = frozenset({Scope.STATE, Scope.ISP})
"""Whose authorities are everybody's affair. That of any other scope may be made for its one user."""


def public_frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    """What surrounds the rows of a document, reduced."""
    vantage, store = frame["vantage"], frame["store"]
    custom = store.get("name") == CUSTOM_STORE
    return _only(frame, _FRAME) | {
        "level": Level.PUBLIC,
        "tool": _only(frame.get("tool"), _TOOL),
        "registry": _only(frame["registry"], _REGISTRY),
        "summary": _only(frame["summary"], tuple(Outcome)),
        "started_at": None,
        "finished_at": None,
        "bundle": None,
        "store": {key: "" if custom and key != "name" else store.get(key, "") for key in _STORE},
        "vantage": {
            "id": "",
            "kind": vantage.get("kind"),
            "asn": vantage.get("asn"),
            "cc": vantage.get("cc"),
        }
        | {key: vantage[key] for key in ("dns",) if key in vantage},
        "options": _only(frame["options"], _OPTIONS),
    }


def public_row(row: Mapping[str, Any], frame: Mapping[str, Any]) -> dict[str, Any]:
    """A row, reduced; `frame` is that of its document."""
    authority = row["authority"]
    return _only(row, _ROW) | {
        "authority": None if authority is None else _only(authority, _AUTHORITY),
        "forgers": [_only(each, _FORGER) for each in row["forgers"]],
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
    return [_only(each, _CERTIFICATE) for each in _above_leaf(row["chain"])] if shown else []


def _above_leaf(chain: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that issued the leaf, or each other; servers also send the leaf twice, and strays of any kind."""
    if not chain:
        return []
    leaf = chain[0]
    wanted = {leaf["issuer"]}
    for _ in chain:  # in whatever order they were sent
        wanted |= {each["issuer"] for each in chain[1:] if each["subject"] in wanted}
    return [each for each in chain[1:] if each["subject"] in wanted - {leaf["subject"]}]


def _only(members: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: members[name] for name in names if name in members} if isinstance(members, Mapping) else {}


def _public_handshake(handshake: Any) -> dict[str, Any] | None:
    if not isinstance(handshake, Mapping):
        return None
    failure = handshake.get("failure")
    # `unknown_failure: …` goes on with the words of a library, which may hold anything.
    kind = failure.partition(":")[0] if isinstance(failure, str) else None
    return {key: handshake.get(key) for key in _HANDSHAKE} | {"failure": kind}
