"""The chain that a measurement was shown, and the one that the name is known to have."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kzmitm.model.certificate import Certificate
from kzmitm.model.measurement import ControlChain, ControlEntry, Measurement
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.registry import Registry
from kzmitm.pki.store import TrustStore
from kzmitm.report.results.view import Expected, Witness
from kzmitm.verdict.contrast import copies_names
from kzmitm.verdict.facts import Facts, derive, views

_Chain = tuple[Certificate, ...]
_NOTHING: tuple[_Chain, Expected | None] = ((), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chains:
    """Looks for both in what was measured; what is genuine is judged by `store`, as it was in the scan."""

    registry: Registry
    store: TrustStore
    control: Mapping[tuple[str, int], ControlEntry]
    cache: CertificateCache = field(default_factory=CertificateCache)

    def of(self, measurement: Measurement) -> tuple[_Chain, Expected | None]:
        """The chain that was presented, () if none came; and the expected one, None if none is known."""
        facts = derive(
            measurement,
            registry=self.registry,
            store=self.store,
            control=self.control,
            cache=self.cache,
            now=measurement.started_at,
        )
        view = next((each for each in views(facts) if each.is_forged), facts)
        if view.focus is None or not view.focus.chain:
            return _NOTHING
        shown = view.focus.chain
        genuine = [leaf for leaf in view.genuine if leaf.sha256 != shown[0].sha256]
        if not genuine:
            return shown, None
        leaf = next((each for each in genuine if copies_names(shown[0], each)), genuine[0])
        return shown, self._expected(leaf, view)

    def _expected(self, leaf: Certificate, view: Facts) -> Expected:
        """The leaf with the authorities that were sent along where it was seen."""
        for handshake in view.handshakes:
            if handshake.chain and handshake.chain[0].sha256 == leaf.sha256:
                return Expected(handshake.chain, Witness.HERE)
        target = view.measurement.target
        entry = self.control.get((target.hostname, target.port))
        for known in entry.chains if entry else ():
            if chain := self._with_leaf(known, leaf):
                return Expected(chain, Witness.CONTROL, known.seen_at)
        return Expected((leaf,), Witness.CONTROL)

    def _with_leaf(self, known: ControlChain, leaf: Certificate) -> _Chain:
        chain = tuple(map(self.cache.parse, known.chain))
        return chain if chain and chain[0].sha256 == leaf.sha256 else ()
