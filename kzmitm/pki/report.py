"""What path validation says: time, name and path apart, every reason that holds, and OONI's one string."""

from dataclasses import dataclass
from enum import StrEnum

from kzmitm.model.certificate import Certificate
from kzmitm.wording import Wording


class TimeStatus(StrEnum):
    """The leaf's validity at the time of judging."""

    VALID = "valid"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    UNKNOWN = "unknown"
    """Its times cannot be read, or there is no leaf."""


class NameStatus(StrEnum):
    """Whether the leaf names the host (RFC 9525): its subjectAltName alone, never the common name."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NO_SAN = "no_san"
    """No subjectAltName at all, as in leaves of before 2000 and of some boxes."""
    UNKNOWN = "unknown"
    """No name was asked for, or the leaf cannot be read."""


class PathStatus(StrEnum):
    """Whether a path to an anchor of the store exists, time apart."""

    TRUSTED = "trusted"
    UNKNOWN_ISSUER = "unknown_issuer"
    """Nobody the store knows signed it."""
    MISSING_INTERMEDIATE = "missing_intermediate"
    """The server left out an intermediate; `completed_by_known_intermediate` in the reasons proves it.

    With `issuer_of_known_organisation` it rests on names, with `receipts_of_transparency_logs` on receipts
    that nobody checked: anyone can write either into a forged certificate. Never treat that as clean.
    """
    SELF_SIGNED = "self_signed"
    """A lone leaf signed by its own key."""
    INVALID = "invalid"
    """An anchor is reached, but a rule on the way forbids it."""
    UNPARSABLE = "unparsable"
    """The leaf cannot be read well enough to have a path."""
    EMPTY = "empty"
    """No certificate was presented."""


class Profile(StrEnum):
    """How strict path validation is."""

    WEB = "web"
    """What keeps a relying party safe: RFC 5280, 6.1 and what browsers and Go refuse."""
    STRICT = "strict"
    """Also what RFC 5280, 4 and the CA/Browser Forum's Baseline Requirements demand of issuers.

    For suites and audits: private CAs break these rules by the thousand and harm no one by it.
    """


class Purpose(StrEnum):
    """What the leaf is wanted for, by the OID of its extended key usage (RFC 5280, 4.2.1.12)."""

    SERVER = "1.3.6.1.5.5.7.3.1"
    CLIENT = "1.3.6.1.5.5.7.3.2"


REASONS = {
    "empty": Wording("no certificate was presented"),
    "unparsable": Wording("a certificate of the path breaks the rules of its encoding"),
    "unparsable_certificate": Wording("another presented certificate cannot be parsed; it was left out"),
    "leaf_expired": Wording("the leaf is past its notAfter"),
    "leaf_not_yet_valid": Wording("the leaf is before its notBefore"),
    "leaf_time_unknown": Wording("the leaf's times cannot be read"),
    "intermediate_expired": Wording("an intermediate is past its notAfter"),
    "intermediate_not_yet_valid": Wording("an intermediate is before its notBefore"),
    "intermediate_time_unknown": Wording("an intermediate's times cannot be read"),
    "anchor_expired": Wording("the anchor is past its notAfter"),
    "anchor_not_yet_valid": Wording("the anchor is before its notBefore"),
    "anchor_time_unknown": Wording("the anchor's times cannot be read"),
    "name_mismatch": Wording("the leaf's subjectAltName does not name the host"),
    "no_san": Wording("the leaf has no subjectAltName"),
    "unknown_issuer": Wording("no anchor of the store signed it"),
    "self_signed": Wording("the leaf is signed by its own key"),
    "missing_intermediate": Wording("an intermediate was not presented"),
    "completed_by_known_intermediate": Wording("a known public intermediate completes the path: proven"),
    "issuer_of_known_organisation": Wording(
        "the absent issuer claims the organisation of an anchor: not proven"
    ),
    "receipts_of_transparency_logs": Wording(
        "the leaf has receipts of transparency logs, which take what public authorities sign: not proven"
    ),
    "bad_signature": Wording("a signature does not verify with the key of the issuer it names"),
    "unsupported_signature": Wording("a signature's algorithm or key cannot be computed with"),
    "weak_signature": Wording("a signature rests on MD2, MD5 or SHA-1"),
    "signature_algorithm_mismatch": Wording("a certificate names two different signature algorithms"),
    "weak_key": Wording("a key is shorter or weaker than allowed"),
    "not_a_ca": Wording("an issuer is not a CA"),
    "path_length": Wording("more CAs below an issuer than its path length allows"),
    "key_usage": Wording("a key is used for what its keyUsage does not allow"),
    "ext_key_usage": Wording("a certificate is not for TLS servers (or clients, where that was asked)"),
    "name_constraint": Wording("a name lies outside an issuer's name constraints"),
    "critical_extension": Wording("a critical extension that nobody knows"),
    "malformed_extension": Wording("an extension that is not what its type says"),
    "duplicate_extension": Wording("an extension appears twice"),
    "version": Wording("a version that does not go with what is inside"),
    "empty_subject": Wording("a CA without a name"),
    "policy": Wording("a certificate policy that the path does not satisfy"),
    "too_long": Wording("more certificates than a path may have"),
    "budget": Wording(
        "the search for a path was given up: more alternatives than any honest server presents"
    ),
    "profile": Wording(
        "the issuer broke a rule of RFC 5280, 4 or the Baseline Requirements (strict profile)"
    ),
}
"""Every reason code with its meaning. Codes are public: never reused, never renamed.

Rules of the strict profile have codes `profile_...`, all under `profile`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathReport:
    """The judgement of a presented chain for a name at a time against a store.

    `validated_path` is leaf to anchor, empty without an anchor. `topmost` is the last presented
    certificate that signatures lead to from the leaf. `failure` is OONI's single string in Go's order
    of judgement, and `stored` the one certificate that OONI's engine would keep for it.
    """

    time: TimeStatus
    name: NameStatus
    path: PathStatus
    reasons: tuple[str, ...] = ()
    validated_path: tuple[Certificate, ...] = ()
    topmost: Certificate | None = None
    stored: Certificate | None = None
    failure: str | None = None
    trusted: bool = False
    """A browser would connect without a warning: time, name and path are fine, for every certificate."""
