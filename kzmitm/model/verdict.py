"""Verdicts: what a measurement means, why, and what was ruled out. Always recomputable from it."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    CLEAN = "clean"
    INTERCEPTION = "interception"
    """Somebody between here and the server forged its certificate."""
    TRUSTED_UNEXPECTED = "trusted_unexpected"
    """Valid in the pinned store, yet not a leaf this name has elsewhere, and more speaks against it."""
    CAPTIVE_PORTAL = "captive_portal"
    DNS_HIJACK = "dns_hijack"
    ORIGIN_MISCONFIGURED = "origin_misconfigured"
    BLOCKED = "blocked"
    UNREACHABLE = "unreachable"
    INCONCLUSIVE = "inconclusive"
    """Never to be shown as clean."""


class Confidence(StrEnum):
    """Different kinds of artefact, never a score."""

    CONFIRMED = "confirmed"
    """A known key signed it, or the same unknown issuer was seen in two networks."""
    LIKELY = "likely"
    """Family traits, or control clean and forged here."""
    SUSPECTED = "suspected"


class Scope(StrEnum):
    """Whose interceptor it is."""

    STATE = "state"
    ISP = "isp"
    MIDDLEBOX = "middlebox"
    LOCAL = "local"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """The innocent causes that are tested before interception is said."""

    LOCAL_ROOT = "local_root"
    """Antivirus or proxy on this computer or in this office."""
    CAPTIVE_PORTAL = "captive_portal"
    DNS = "dns"
    ORIGIN = "origin"
    CDN = "cdn"
    CLOCK = "clock"
    INSTRUMENT = "instrument"
    """A flaw of our own engine: the second engine saw the same."""


@dataclass(frozen=True, slots=True)
class RuledOut:
    """An innocent cause that was tested and excluded; `evidence` is a code of `kzmitm.verdict.texts`."""

    cause: Cause
    evidence: str
    detail: str = ""
    """What was seen, in data (names, hashes, addresses of servers); may hold text of strangers."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Who can forge, by the registry: `match` says how it was recognised, `kind` is the registry's.

    `match` is `certificate`, `key`, `signature`, `family` or `name`, strongest first.
    `matched_sha256` is the labelled hash that matched: `certificate:<hex>` or `key:<hex>`, or "".
    """

    id: str
    name: str
    kind: str
    match: str
    matched_sha256: str = ""
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Forger:
    """A product or operator whose way of forging this is consistent with; the relations that fit."""

    id: str
    name: str
    relations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a measurement means.

    `rule_ids` are all rules that fired, the deciding ones first. `undecided` are codes of what would
    decide it, filled when the outcome is INCONCLUSIVE or the confidence below CONFIRMED. `labels` are
    those of OONI's ontology (docs/ontology.md, 12), deepest node the evidence supports.
    """

    outcome: Outcome
    confidence: Confidence | None
    scope: Scope | None = None
    authority: Authority | None = None
    forgers: tuple[Forger, ...] = ()
    rule_ids: tuple[str, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    undecided: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    certificate_failure: str | None = None
    """OONI's single string for the chain, in OONI's order of judgement."""
    rules_version: str = ""
    registry_version: str = ""
    store_version: str = ""
