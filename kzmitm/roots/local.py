"""What the trust stores of this computer would have made of a chain that the pinned store does not trust."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Lock

from kzmitm.model.local_trust import LocalTrust
from kzmitm.pki.baseline import Baseline
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.path import validate_path
from kzmitm.pki.registry import Registry
from kzmitm.pki.report import PathStatus
from kzmitm.pki.root_class import classify
from kzmitm.pki.store import TrustStore
from kzmitm.roots.collect import collect
from kzmitm.roots.examination import MAX_KNOWN, ExaminedRoot, Placed, examine
from kzmitm.roots.system import System
from kzmitm.roots.values import Platform, Trust

READ_WHOLE = frozenset({Platform.LINUX})
"""Systems whose readers were held against the real ones; on others, "no root vouches" is never said."""


@dataclass(frozen=True, slots=True)
class _Stores:
    """What was read: the roots by their hash, and how well it went."""

    roots: dict[str, ExaminedRoot]
    read: int
    is_whole: bool
    cache: CertificateCache


class LocalRoots:
    """The trusted roots of a system, read when the first chain is asked about; threads may share it."""

    def __init__(self, system: System, *, registry: Registry, baseline: Callable[[], Baseline]) -> None:
        """`baseline` is asked for when the stores are read, which nearly no scan needs."""
        self._system = system
        self._registry = registry
        self._baseline = baseline
        self._lock = Lock()
        self._stores: _Stores | None = None

    def __call__(self, chain: Sequence[bytes], hostname: str, now: datetime) -> LocalTrust | None:
        """What programs here would have made of a chain (leaf first) for `hostname` at `now` (aware UTC)."""
        with self._lock:
            if self._stores is None:
                self._stores = _read(self._system, self._registry, self._baseline())
            return _judge(self._stores, chain, hostname, now)


def _read(system: System, registry: Registry, baseline: Baseline) -> _Stores:
    cache = CertificateCache(MAX_KNOWN)
    tell = partial(classify, registry=registry, baseline=baseline, cache=cache)
    found = examine(collect(system), classify=tell, cache=cache)
    return _Stores(
        {root.certificate.sha256: root for root in found.roots if root.trust is Trust.TRUSTED},
        read=sum(not reading.problem for reading in found.readings),
        is_whole=bool(found.readings) and not found.problems and system.platform in READ_WHOLE,
        cache=cache,
    )


def _judge(stores: _Stores, chain: Sequence[bytes], hostname: str, now: datetime) -> LocalTrust | None:
    certificates = tuple(map(stores.cache.parse, chain))
    trusting = {sha256: _trusting(root, hostname) for sha256, root in stores.roots.items()}
    report = validate_path(
        certificates,
        store=_store(root for sha256, root in stores.roots.items() if trusting[sha256]),
        hostname=hostname,
        now=now,
        cache=stores.cache,
    )
    leaf = certificates[0].sha256
    if report.path is not PathStatus.TRUSTED:
        accepted = False if stores.is_whole else None
        return LocalTrust(leaf_sha256=leaf, accepted=accepted, stores_read=stores.read)
    root = report.validated_path[-1]
    places = trusting[root.sha256]
    return LocalTrust(
        leaf_sha256=leaf,
        accepted=report.trusted,
        root=root.der,
        root_class=stores.roots[root.sha256].finding.root_class.value,
        origins=tuple(sorted({place.root.origin.value for place in places})),
        applications=tuple(sorted({place.store.application for place in places})),
        stores_read=stores.read,
    )


def _trusting(root: ExaminedRoot, hostname: str) -> tuple[Placed, ...]:
    """Where a root is trusted for this host, by programs that do not block it elsewhere."""
    blocking = {place.store.application for place in root.places if place.root.trust is Trust.DISTRUSTED}
    return tuple(
        place
        for place in root.places
        if place.root.trust is Trust.TRUSTED
        and place.store.application not in blocking
        and _is_meant_for(place.root.names, hostname)
    )


def _is_meant_for(names: Sequence[str], hostname: str) -> bool:
    """The store does not limit the root to other names."""
    return not names or any(
        hostname == name or hostname.endswith("." + name) for name in (each.lstrip(".") for each in names)
    )


def _store(roots: Iterable[ExaminedRoot]) -> TrustStore:
    """The roots as anchors; one without a key or a name can vouch for nothing."""
    certificates = (root.certificate for root in roots)
    usable = tuple(c for c in certificates if c.public_key is not None and c.subject.der)
    return TrustStore(name="local", version="", date="", sha256="", anchors=usable)
