"""Path building: which chains of signatures lead from the leaf to an anchor (RFC 4158).

Depth first with backtracking: anchors before intermediates, likely issuers before unlikely ones. Key
identifiers only order the alternatives, names and signatures decide. Time is no matter here. A budget
ends the search where a hostile chain would let it grow exponentially.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kzmitm.model.certificate import Certificate
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.names import name_key
from kzmitm.pki.store import TrustStore

MAX_PATH = 24
"""Certificates in a path; public ones have up to 6."""

MAX_SIGNATURES = 128
"""Signatures computed per chain (Go stops at 100); with RSA-4096 about 20 ms."""

MAX_STEPS = 4096
"""Candidates looked at per chain, computed or known."""

Path = tuple[Anatomy, ...]


@dataclass(slots=True)
class Hit:
    """A path that reaches an anchor, with the codes of rules and of times that it breaks."""

    path: Path
    faults: tuple[str, ...] = ()
    times: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """Better paths are smaller: rules before times, fewer breaks before more."""
        return bool(self.faults), bool(self.times), len(self.faults), len(self.path)


Assess = Callable[[Path], Hit]


@dataclass(slots=True)
class Search:
    """One search. After `run`, `best` is the best path to an anchor and `longest` the longest without."""

    leaf: Anatomy
    store: TrustStore
    cache: CertificateCache
    assess: Assess
    best: Hit | None = None
    longest: Path = ()
    notes: set[str] = field(default_factory=set)
    """Codes of what spoke against alternatives: `bad_signature`, `unsupported_signature`, `budget`."""
    steps: int = MAX_STEPS
    signatures: int = MAX_SIGNATURES
    is_over: bool = False
    """A perfect path was found, or the budget is spent."""
    _pool: dict[object, list[Anatomy]] = field(default_factory=dict)

    def run(self, intermediates: Iterable[Anatomy]) -> None:
        """Searches with these intermediates, in any order and with any extras."""
        for parts in intermediates:
            self._pool.setdefault(name_key(parts.certificate.subject), []).append(parts)
        self.longest = (self.leaf,)
        if self.leaf.certificate in self.store:
            self._offer((self.leaf,))
        self._extend((self.leaf,))

    def _offer(self, path: Path) -> None:
        hit = self.assess(path)
        if self.best is None or hit.rank < self.best.rank:
            self.best = hit
            self.is_over = self.is_over or not (hit.faults or hit.times)

    def _extend(self, path: Path) -> None:
        """Tries every issuer of the last certificate of `path`, until a perfect path is found."""
        child = path[-1]
        issuer_name = name_key(child.certificate.issuer)
        anchors = [self.cache.anatomy(anchor) for anchor in self.store.with_name_key(issuer_name)]
        for anchor in ordered(child, anchors):
            if self._is_issuer(child, anchor):
                self._offer((*path, anchor))
            if self.is_over:
                return
        if len(path) >= MAX_PATH - 1:
            self.notes.add("too_long")
            return
        for issuer in ordered(child, self._pool.get(issuer_name, ())):
            if is_repeated(issuer.certificate, path) or not self._is_issuer(child, issuer):
                continue
            longer = (*path, issuer)
            if len(longer) > len(self.longest):
                self.longest = longer
            self._extend(longer)
            if self.is_over:
                return

    def _is_issuer(self, child: Anatomy, issuer: Anatomy) -> bool:
        """True if the issuer's key made the child's signature; notes it when it should have and did not."""
        if self.steps <= 0 or self.signatures <= 0:
            self.is_over = True
            self.notes.add("budget")
            return False
        self.steps -= 1
        one, other = child.certificate, issuer.certificate
        digest = other.spki_sha256 or ""
        known = self.cache.known_signature(one, digest)
        if known is not None:
            valid = known[0]
        else:
            self.signatures -= 1
            valid = self.cache.compute_signature(child, issuer.spki, digest)
        if valid is None:
            self.notes.add("unsupported_signature")
        elif not (valid or one.is_self_issued or hints_agree(one, other) is False):
            self.notes.add("bad_signature")  # else it is but another key of the same name
        return valid is True


def ordered(child: Anatomy, issuers: Sequence[Anatomy]) -> Sequence[Anatomy]:
    """The likely issuers before the unlikely ones."""
    if len(issuers) < 2:
        return issuers
    return sorted(issuers, key=lambda issuer: likelihood(child.certificate, issuer.certificate))


def hints_agree(child: Certificate, issuer: Certificate) -> bool | None:
    """Whether the key identifiers say that this is the issuer's key; None if they say nothing."""
    if child.authority_key_id is None or issuer.subject_key_id is None:
        return None
    return child.authority_key_id == issuer.subject_key_id


def likelihood(child: Certificate, issuer: Certificate) -> tuple[bool, bool, bool]:
    """A sort key: the likelier issuer is the smaller."""
    return hints_agree(child, issuer) is False, not issuer.is_ca, issuer.is_self_issued


def is_repeated(certificate: Certificate, path: Path) -> bool:
    """True if the same name with the same key is on the path: going there again gains nothing."""
    for parts in path:
        other = parts.certificate
        if certificate.spki_sha256 == other.spki_sha256 and certificate.subject.der == other.subject.der:
            return True
    return False
