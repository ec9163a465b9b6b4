"""One handshake as judging sees it: its chain parsed, validated and attributed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial

from kzmitm.model.certificate import Certificate
from kzmitm.model.failure import Failure
from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.observation import Role, TLSObservation
from kzmitm.pki.attribution import KEY_MATCHES, Attribution, attribute
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.checks import Rules
from kzmitm.pki.harmless import explains
from kzmitm.pki.hostnames import matches
from kzmitm.pki.kinds import HARMLESS_KINDS
from kzmitm.pki.path import validate_path, walk_path
from kzmitm.pki.registry import Registry
from kzmitm.pki.report import NameStatus, PathReport, PathStatus, Profile, Purpose, TimeStatus
from kzmitm.pki.store import TrustStore
from kzmitm.verdict.bearing import is_borrowed, is_evidence

SUBJECT_ROLES = frozenset({Role.FIRST, Role.REPEAT, Role.OTHER_ADDRESS, Role.OTHER_HELLO})
"""Handshakes from here that ask for the target's own name."""

STRONG_MATCHES = KEY_MATCHES

ORIGIN_REASONS = frozenset(
    {
        "leaf_expired",
        "leaf_not_yet_valid",
        "intermediate_expired",
        "intermediate_not_yet_valid",
        "anchor_expired",
        "anchor_not_yet_valid",
        "name_mismatch",
        "no_san",
        "missing_intermediate",
        "completed_by_known_intermediate",
        "weak_signature",
        "weak_key",
        "key_usage",
        "ext_key_usage",
        "critical_extension",
        "malformed_extension",
        "duplicate_extension",
        "signature_algorithm_mismatch",
        "unparsable_certificate",
        "version",
        "policy",
    }
)
"""What careless operators and CAs get wrong. Not in it: an unknown issuer, a signature that does not verify,
a leaf that signs (not_a_ca, path_length), a name outside its CA's constraints (all forgers' doings), and what
was not looked into (budget, too_long, unsupported_signature)."""

PROVEN_INTERMEDIATE = "completed_by_known_intermediate"
"""Without this reason a "missing" intermediate rests on names, which a forger writes as he likes."""


class State(StrEnum):
    """How a handshake ended."""

    TRUSTED = "trusted"
    """Time, name and path are fine in the pinned store, and nothing speaks against the proof."""
    UNTRUSTED = "untrusted"
    UNPROVEN = "unproven"
    """The signature over our nonce is not by the leaf's key: whoever answered only copied the chain."""
    CUT = "cut"
    """A chain that is fine, but the handshake broke off after it."""
    FAILED = "failed"
    """No chain."""


@dataclass(frozen=True, slots=True)
class Judging:
    """What a chain is judged against; `now` is aware UTC."""

    registry: Registry
    store: TrustStore
    cache: CertificateCache
    now: datetime
    intermediates: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class HandshakeFacts:
    """What one handshake showed; `hostname` is the name its chain was judged for."""

    observation: TLSObservation
    state: State
    hostname: str
    chain: tuple[Certificate, ...] = ()
    report: PathReport | None = None
    attributions: tuple[Attribution, ...] = ()
    """Strongest first, without the harmless ones; only those whose certificate has to do with the leaf."""
    stray_attributions: tuple[Attribution, ...] = ()
    """Of certificates that were sent along and signed nothing here: anybody can send a copy."""
    harmless: Attribution | None = None
    """An authority that browsers do not trust, and whose key explains the chain: it is the site's own."""
    harmless_claim: Attribution | None = None
    """The same without proof: by name only, or one that was dropped before it signed."""

    @property
    def leaf_sha256(self) -> str | None:
        return self.chain[0].sha256 if self.chain else None

    @property
    def spki_sha256(self) -> str | None:
        return self.chain[0].spki_sha256 if self.chain else None

    @property
    def is_readable(self) -> bool:
        """The leaf could be read well enough to be judged."""
        return self.report is not None and self.report.path is not PathStatus.UNPARSABLE

    @property
    def is_anchored(self) -> bool:
        """The path ends in the pinned store, whatever its name and time; proven, as far as tried."""
        return (
            self.report is not None
            and self.report.path is PathStatus.TRUSTED
            and self.state is not State.UNPROVEN
        )

    @property
    def covers_host(self) -> bool:
        """The leaf names the host that was asked for, if only in its subject, as old boxes have it."""
        if self.report is None:
            return False
        if self.report.name is NameStatus.NO_SAN:
            name = self.chain[0].subject.common_name
            return name is not None and matches(name, self.hostname.lower().removesuffix("."))
        return self.report.name is NameStatus.MATCH

    @property
    def is_self_signed(self) -> bool:
        return self.report is not None and self.report.path is PathStatus.SELF_SIGNED

    @property
    def is_forgeable(self) -> bool:
        """Untrusted in a way that somebody without a public CA's key can bring about."""
        return self.state is State.UNTRUSTED and not self.has_public_issuer

    @property
    def has_public_issuer(self) -> bool:
        """A key of the pinned store vouches for the leaf, though time, name or policy fail."""
        report = self.report
        if report is None:
            return False
        if report.path is PathStatus.MISSING_INTERMEDIATE and PROVEN_INTERMEDIATE not in report.reasons:
            return False
        if report.path is PathStatus.TRUSTED:
            return True
        reached = (PathStatus.MISSING_INTERMEDIATE, PathStatus.INVALID)
        return report.path in reached and ORIGIN_REASONS.issuperset(report.reasons)

    @property
    def claims_public_issuer(self) -> bool:
        """The issuer's name is a public CA's, and nothing but that name says so."""
        return (
            self.report is not None
            and self.report.path is PathStatus.MISSING_INTERMEDIATE
            and not self.has_public_issuer
        )

    @property
    def fails_by_time_only(self) -> bool:
        """Nothing but time is wrong with the chain."""
        report = self.report
        if report is None or self.state is not State.UNTRUSTED or not self.covers_host:
            return False
        return report.path is PathStatus.TRUSTED and all(
            reason.endswith(("_expired", "_not_yet_valid")) for reason in report.reasons
        )

    @property
    def is_early(self) -> bool:
        """The leaf is not valid yet."""
        return self.report is not None and self.report.time is TimeStatus.NOT_YET_VALID

    @property
    def failure(self) -> str | None:
        """OONI's single string: of the network or protocol first, then of the chain."""
        if self.observation.failure is not None:
            return self.observation.failure
        if self.state is State.UNPROVEN:
            return Failure.SSL_FAILED_HANDSHAKE
        return self.report.failure if self.report is not None else None

    @property
    def is_answered(self) -> bool:
        """Somebody spoke TLS with us: a chain, or an alert."""
        return bool(self.chain) or any(not alert.sent for alert in self.observation.alerts)


def assess(
    observation: TLSObservation, judging: Judging, *, hostname: str, trust: LocalTrust | None = None
) -> HandshakeFacts:
    """The facts of one handshake, its chain judged for `hostname` at `judging.now`.

    `trust` is what the stores of this computer say of one chain: the root that they hold above it tells
    whose it is, as if it had been sent along.
    """
    return assessor(observation, judging, trust=trust)(hostname)


def assessor(
    observation: TLSObservation, judging: Judging, *, trust: LocalTrust | None = None
) -> Callable[[str], HandshakeFacts]:
    """`assess` as a function of the name: what does not depend on it is worked out here, once."""
    if not observation.presented_chain:
        return partial(HandshakeFacts, observation, State.FAILED)
    cache = judging.cache
    chain = tuple([cache.parse(der) for der in observation.presented_chain])
    walk = walk_path(
        chain,
        store=judging.store,
        now=judging.now,
        cache=cache,
        intermediates=judging.intermediates,
        rules=_WEB,
    )
    anchored = walk.status is PathStatus.TRUSTED
    known = (*chain, *_local_root(chain, trust, cache)) if trust is not None else chain
    found = attribute(known, registry=judging.registry, cache=cache, trusted=anchored)
    linked = tuple(
        [
            a
            for a in found
            if is_evidence(a, known, walk)
            and not is_borrowed(a, chain[0], observation, registry=judging.registry, cache=cache)
        ]
    )
    stray = tuple([a for a in found if a not in linked])
    harmless, claim = _harmless(linked, chain[0], judging.registry)
    linked = tuple([a for a in linked if a.authority.kind not in HARMLESS_KINDS])

    def facts(hostname: str) -> HandshakeFacts:
        report = walk.report(hostname)
        state = _state(observation, report)
        return HandshakeFacts(observation, state, hostname, chain, report, linked, stray, harmless, claim)

    return facts


def _harmless(
    found: tuple[Attribution, ...], leaf: Certificate, registry: Registry
) -> tuple[Attribution | None, Attribution | None]:
    """The harmless authority whose key explains the leaf, or else the first one that is claimed to."""
    known = [a for a in found if a.authority.kind in HARMLESS_KINDS]
    proven = next((a for a in known if explains(a, leaf, registry)), None)
    return proven, None if proven else next(iter(known), None)


_WEB = Rules(purpose=Purpose.SERVER, profile=Profile.WEB)


def _local_root(
    chain: tuple[Certificate, ...], trust: LocalTrust, cache: CertificateCache
) -> tuple[Certificate, ...]:
    """The root that a store here holds above this very chain, unless it was presented too."""
    if not trust.root or trust.leaf_sha256 != chain[0].sha256:
        return ()
    root = cache.parse(trust.root)
    return () if any(root.sha256 == each.sha256 for each in chain) else (root,)


def validate(chain: tuple[Certificate, ...], judging: Judging, *, hostname: str | None) -> PathReport:
    """The path report of a parsed chain."""
    return validate_path(
        chain,
        store=judging.store,
        hostname=hostname,
        now=judging.now,
        cache=judging.cache,
        intermediates=judging.intermediates,
    )


def _state(observation: TLSObservation, report: PathReport) -> State:
    proof = observation.proof
    if proof is not None and proof.verified is False:
        return State.UNPROVEN
    if not report.trusted:
        return State.UNTRUSTED
    return State.TRUSTED if observation.failure is None else State.CUT
