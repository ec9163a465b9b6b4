"""What a clean place gets for the same name, and how the chain here stands to it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from kzmitm.model.certificate import Certificate
from kzmitm.model.measurement import ControlEntry
from kzmitm.pki.extensions import SIGNED_CERTIFICATE_TIMESTAMPS
from kzmitm.pki.report import PathStatus
from kzmitm.verdict.handshake import PROVEN_INTERMEDIATE, HandshakeFacts, Judging, State, validate

MAX_EXTRA = 64
"""Certificates of other handshakes that are tried as intermediates."""
MAX_CONTROL_CHAINS = 32
"""Of one name; a name has a handful of leaves at once, the rest is somebody's attempt on our time."""

MAX_AGE = timedelta(days=60)
"""Leaves of 90 days, the commonest, are renewed after 60: what was seen before that may be gone for good."""

_SCT_STAPLE = bytes.fromhex("2b06010401d679020405")
"""Signed certificate timestamps inside an OCSP response: 1.3.6.1.4.1.11129.2.4.5 as DER content octets."""
_SIGNED_CERTIFICATE_TIMESTAMP = 18
"""The TLS extension type (RFC 6962, 3.3.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFacts:
    """The control of one target; `is_known` is False when there is none at all."""

    is_known: bool = False
    genuine: tuple[Certificate, ...] = ()
    """Leaves that were publicly trusted for the name when they were seen."""
    leaf_keys: frozenset[str] = frozenset()
    """SPKI SHA-256 of every leaf, trusted or not."""
    failures_by_key: frozenset[tuple[str, str]] = frozenset()
    """(SPKI SHA-256, OONI's failure string) of the leaves that were not trusted."""
    failures_by_issuer: frozenset[tuple[bytes, str]] = frozenset()
    """(issuer name as DER, failure) of the same."""
    issuers: frozenset[str] = frozenset()
    """Who issued the genuine leaves: organisation, or the whole name where it has none."""
    ips: frozenset[str] = frozenset()
    is_stale: bool = False
    """All that is genuine was seen long before or after: a site may have broken or moved since."""
    has_only_failures: bool = False
    """The control got no chain either."""
    certificates: tuple[Certificate, ...] = ()
    """Certificates above the leaves, for completing a chain."""
    alpn: str | None = None
    """What a second vantage negotiated; None if only a file is there."""
    version: str | None = None

    @property
    def is_genuine(self) -> bool:
        """The clean place is served a publicly trusted chain for this name."""
        return bool(self.genuine)


NO_CONTROL = ControlFacts()


def control_facts(
    entry: ControlEntry | None, observed: Iterable[HandshakeFacts], judging: Judging, *, hostname: str
) -> ControlFacts:
    """The control of a target: its entry in the control file, and handshakes of a second vantage."""
    others = tuple(observed)
    if entry is None and not others:
        return NO_CONTROL
    seen = [*_of_entry(entry, judging, hostname), *_of_handshakes(others)]
    genuine = [chain[0] for chain, failure in seen if failure is None]
    broken = [(chain[0], failure) for chain, failure in seen if failure is not None]
    first = next((h.observation for h in others if h.state is State.TRUSTED), None)
    failed = bool(entry is not None and entry.failures) or any(h.state is State.FAILED for h in others)
    return ControlFacts(
        is_known=bool(seen) or failed,
        genuine=tuple(genuine),
        leaf_keys=frozenset(key for chain, _ in seen if (key := chain[0].spki_sha256)),
        failures_by_key=frozenset((key, failure) for leaf, failure in broken if (key := leaf.spki_sha256)),
        failures_by_issuer=frozenset((leaf.issuer.der, failure) for leaf, failure in broken),
        issuers=frozenset(issuer_of(leaf) for leaf in genuine),
        ips=_ips(entry, others),
        is_stale=bool(genuine) and not others and _is_old(entry, judging),
        has_only_failures=failed and not seen,
        certificates=tuple({c.sha256: c for chain, _ in seen for c in chain[1:]}.values()),
        alpn=first.alpn if first else None,
        version=first.version if first else None,
    )


def _of_entry(
    entry: ControlEntry | None, judging: Judging, hostname: str
) -> Iterator[tuple[tuple[Certificate, ...], str | None]]:
    """Each chain of the file with its failure at the time it was seen."""
    for control in entry.chains[:MAX_CONTROL_CHAINS] if entry is not None else ():
        if control.chain:
            chain = tuple(judging.cache.parse(der) for der in control.chain)
            report = validate(chain, replace(judging, now=control.seen_at), hostname=hostname)
            yield chain, None if report.trusted else report.failure or ""


def _of_handshakes(
    handshakes: tuple[HandshakeFacts, ...],
) -> Iterator[tuple[tuple[Certificate, ...], str | None]]:
    for handshake in handshakes[:MAX_CONTROL_CHAINS]:
        if handshake.chain:
            yield handshake.chain, None if handshake.state is State.TRUSTED else handshake.failure or ""


def _is_old(entry: ControlEntry | None, judging: Judging) -> bool:
    return entry is not None and all(abs(judging.now - one.seen_at) > MAX_AGE for one in entry.chains)


def _ips(entry: ControlEntry | None, others: tuple[HandshakeFacts, ...]) -> frozenset[str]:
    """Addresses of the name. A second vantage also asks the address that we were given: only if genuine."""
    ips = {h.observation.endpoint.ip for h in others if h.state is State.TRUSTED}
    if entry is not None:
        ips.update(entry.ips)
        ips.update(chain.ip for chain in entry.chains if chain.ip)
    return frozenset(ips)


def issuer_of(leaf: Certificate) -> str:
    """Who issued a leaf: the organisation, since CAs change their issuing certificates every few months."""
    return leaf.issuer.organization or str(leaf.issuer)


def completes(handshake: HandshakeFacts, extra: tuple[Certificate, ...], judging: Judging) -> bool:
    """True if a path to an anchor exists with `extra` certificates at hand: the chain only lacked them."""
    if not extra or not handshake.is_forgeable:
        return False
    more = replace(judging, intermediates=(*judging.intermediates, *extra[:MAX_EXTRA]))
    report = validate(handshake.chain, more, hostname=handshake.hostname)
    return report.path is PathStatus.MISSING_INTERMEDIATE and PROVEN_INTERMEDIATE in report.reasons


def anomalies(handshake: HandshakeFacts, control: ControlFacts) -> tuple[str, ...]:
    """What else is odd about a trusted chain, as names: no proof of logging, or less than the control got."""
    observation = handshake.observation
    found = []
    logged = (
        any(oid == SIGNED_CERTIFICATE_TIMESTAMPS for oid, _ in handshake.chain[0].extensions)
        or _SIGNED_CERTIFICATE_TIMESTAMP in observation.server_extensions
        or _SCT_STAPLE in observation.ocsp_staple
    )
    if not logged:
        found.append("no_sct")
    if control.alpn == "h2" and observation.alpn != "h2":
        found.append("alpn_loss")
    if control.version == "TLSv1.3" and observation.version not in ("", "TLSv1.3"):
        found.append("version_loss")
    return tuple(found)
