"""What a root in somebody's trust store is: an alarm, a state's PKI, a product's, public, or unknown.

By what cannot be forged before what can. The hash of the certificate, its key and the key that signed it are
evidence; a name is written by whoever makes the certificate, so it accuses nobody and acquits nobody:

| evidence                                                  | class                                          |
|-----------------------------------------------------------|------------------------------------------------|
| a certificate, key or signature of the registry           | by the kind of its authority, or `leaked_key`  |
| the certificate or its key is in the baseline             | `public`, `formerly_public`                    |
| a name of the registry, and the key is not known          | by the kind; `interception_name_only`          |
| none of these                                             | `unknown_local`                                |

What is in the baseline is never judged by its name: "Cisco" and "Symantec" are owners of public roots, too.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from kzmitm.model.certificate import Certificate
from kzmitm.model.verdict import Authority
from kzmitm.pki.attribution import attribute
from kzmitm.pki.baseline import Baseline
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.entries import KnownCertificate
from kzmitm.pki.kinds import Kind
from kzmitm.pki.patterns import name_text
from kzmitm.pki.registry import Registry
from kzmitm.pki.root_limits import limits_of

KAZAKHSTAN = "KZ"
EVIDENCE = frozenset({"certificate", "key", "signature"})
"""Matches that cannot be forged."""


class RootClass(StrEnum):
    """What a root is, worst first."""

    STATE_INTERCEPTION = "state_interception"
    """Of an authority made to forge certificates, by or for a state: an alarm where it is trusted."""
    LEAKED_KEY = "leaked_key"
    """Anybody can have its private key (Superfish, eDellRoot): an alarm where it is trusted."""
    INTERCEPTION_NAME_ONLY = "interception_name_only"
    """Has the name of a state's interception root and another key: a joke, a test, a copy, a new root."""
    INCIDENT = "incident"
    """Of an authority, or with a key, that was misused."""
    STATE_PKI = "state_pki"
    """Kazakhstan's PKI for electronic signatures, which NCALayer installs; not known to intercept.

    By its `name` only, nothing is known of its key: whoever tells of it must not call it harmless.
    """
    OTHER_STATE_PKI = "other_state_pki"
    """The same of another state."""
    PRODUCT = "product"
    """Antivirus, middlebox, developer's proxy, provider's box or adware; by `name` only where it says so."""
    UNKNOWN_LOCAL = "unknown_local"
    """Nobody we know: the owner, an employer, a program or somebody else made it."""
    FORMERLY_PUBLIC = "formerly_public"
    """No programme trusts it now; one carried it once, or blocks it, or blocked it once."""
    PUBLIC = "public"
    """A public programme trusts it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootFinding:
    """What a root is and by what evidence; whether it is trusted anywhere, the store knows."""

    root_class: RootClass
    match: str = ""
    """`certificate`, `key` or `signature` (evidence), `name` (none), or "" where nothing was recognised."""
    authority: Authority | None = None
    """Of the registry; its `match` is this one."""
    programmes: tuple[str, ...] = ()
    """Public programmes that trust this certificate, or its key in another one, now."""
    blocked_by: tuple[str, ...] = ()
    """Public programmes that block it now; some block what another one trusts."""
    constraints: tuple[str, ...] = ()
    """What it may not do, and what is weak about it, as codes of `kzmitm.pki.root_limits.Limit`."""

    @property
    def is_alarm(self) -> bool:
        """Whoever trusts it can be read along with: by a state, or by anybody."""
        return self.match in EVIDENCE and self.root_class in _ALARMS


_ALARMS = frozenset({RootClass.STATE_INTERCEPTION, RootClass.LEAKED_KEY})


def classify(
    certificate: Certificate,
    *,
    registry: Registry,
    baseline: Baseline,
    cache: CertificateCache,
    now: datetime | None = None,
) -> RootFinding:
    """What this root is. Never raises, whatever the certificate is; without `now`, no word on its dates."""
    constraints = limits_of(certificate, now)
    digest = certificate.sha256
    known = baseline.roots.get(digest)
    programmes, blocked_by = baseline.programmes(digest), baseline.blocked_by(digest)
    if known is None:
        relatives = baseline.with_key(certificate.spki_sha256)
        programmes = tuple(sorted({name for root in relatives for name in root.trusted_by}))
        blocked_by = tuple(sorted({name for root in relatives for name in root.blocked_by}))
    else:
        relatives = (known,)
    authority = _authority(certificate, registry, cache, is_public=known is not None)
    if authority is not None and (authority.match in EVIDENCE or not relatives):
        found, match = _class_of(authority, certificate, registry), authority.match
    elif relatives:
        found = RootClass.PUBLIC if programmes else RootClass.FORMERLY_PUBLIC
        authority, match = None, "certificate" if known is not None else "key"
    else:
        found, match = RootClass.UNKNOWN_LOCAL, ""
    return RootFinding(
        root_class=found,
        match=match,
        authority=authority,
        programmes=programmes,
        blocked_by=blocked_by,
        constraints=constraints,
    )


def _authority(
    certificate: Certificate, registry: Registry, cache: CertificateCache, *, is_public: bool
) -> Authority | None:
    """Whose it is, by the strongest evidence. The family of a root is told by names, so it is a name here."""
    misused = _misused(certificate, registry)
    if misused is not None:
        return misused
    for found in attribute((certificate,), registry=registry, cache=cache, trusted=is_public):
        authority = found.authority
        if authority.kind != Kind.FORMER_CA:  # of these the baseline tells more
            return authority if authority.match in EVIDENCE else replace(authority, match="name")
    return None if is_public else _by_subject(certificate, registry)


def _misused(certificate: Certificate, registry: Registry) -> Authority | None:
    """The authority of the incident that a dropped root, or its key, was in."""
    for match, label in (
        ("certificate", f"certificate:{certificate.sha256}"),
        ("key", f"key:{certificate.spki_sha256}"),
    ):
        known = registry.entry_of(label)
        if known is not None and known.incident is not None:
            entry = registry.authorities[known.incident]
            return Authority(entry.id, entry.name, entry.kind.value, match, label, entry.country)
    return None


def _by_subject(certificate: Certificate, registry: Registry) -> Authority | None:
    """By the subject of an intermediate that somebody trusts, which means nothing on the wire."""
    subject = name_text(certificate.subject)
    for entry in registry.authorities.values():
        if any(one.search(subject) for one in entry.patterns):
            return Authority(entry.id, entry.name, entry.kind.value, "name", country=entry.country)
    return None


def _class_of(authority: Authority, certificate: Certificate, registry: Registry) -> RootClass:
    is_evident = authority.match in EVIDENCE
    match Kind(authority.kind):
        case Kind.STATE_INTERCEPTION if is_evident:
            return RootClass.STATE_INTERCEPTION
        case Kind.STATE_INTERCEPTION:
            return RootClass.INTERCEPTION_NAME_ONLY
        case _ if is_evident and _known(authority, certificate, registry).private_key_public:
            return RootClass.LEAKED_KEY
        case Kind.STATE_PKI:
            return RootClass.STATE_PKI if authority.country == KAZAKHSTAN else RootClass.OTHER_STATE_PKI
        case Kind.INCIDENT_CA:
            return RootClass.INCIDENT
        case Kind.ORIGIN_CA | Kind.TEST_CA:  # harmless over a site; what for it is trusted here, nobody knows
            return RootClass.UNKNOWN_LOCAL
        case _:
            return RootClass.PRODUCT


def _known(authority: Authority, certificate: Certificate, registry: Registry) -> KnownCertificate:
    """The entry of the registry that the evidence is about."""
    label, _, digits = authority.matched_sha256.partition(":")
    if label == "key":
        return registry.by_spki[digits]
    return registry.by_sha256.get(digits) or registry.by_sha1[certificate.sha1]
