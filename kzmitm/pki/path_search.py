"""Path building: which chains of signatures lead from the leaf to an anchor (RFC 4158).

Depth first with backtracking: anchors before intermediates, likely issuers before unlikely ones. Key
identifiers only order the alternatives, names and signatures decide. Time is no matter here. A budget
ends the search where a hostile chain would let it grow exponentially.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
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

Path = tuple[Certificate, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A path that reaches an anchor, with the codes of rules and of times that it breaks."""

    path: Path
    faults: tuple[str, ...] = ()
    times: tuple[str, ...] = ()

    @property
    def is_perfect(self) -> bool:
        return not self.faults and not self.times

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """Better paths are smaller: rules before times, fewer breaks before more."""
        return bool(self.faults), bool(self.times), len(self.faults), len(self.path)


Assess = Callable[[Path], Hit]


@dataclass(slots=True)
class Search:
    """One search. After `run`, `best` is the best path to an anchor and `longest` the longest without."""

    leaf: Certificate
    store: TrustStore
    cache: CertificateCache
    assess: Assess
    best: Hit | None = None
    longest: Path = ()
    notes: set[str] = field(default_factory=set)
    """Codes of what spoke against alternatives: `bad_signature`, `unsupported_signature`, `budget`."""
    steps: int = MAX_STEPS
    signatures: int = MAX_SIGNATURES
    _pool: dict[object, list[Certificate]] = field(default_factory=dict)

    def run(self, intermediates: Iterable[Certificate]) -> None:
        """Searches with these intermediates, in any order and with any extras."""
        for certificate in intermediates:
            self._pool.setdefault(name_key(certificate.subject), []).append(certificate)
        self.longest = (self.leaf,)
        if self.leaf in self.store:
            self._offer((self.leaf,))
        self._extend((self.leaf,))

    def _offer(self, path: Path) -> None:
        hit = self.assess(path)
        if self.best is None or hit.rank < self.best.rank:
            self.best = hit

    def _extend(self, path: Path) -> None:
        """Tries every issuer of the last certificate of `path`, until a perfect path is found."""
        child = path[-1]
        for anchor in self._ordered(child, self.store.with_subject(child.issuer)):
            if self._is_issuer(child, anchor):
                self._offer((*path, anchor))
                if self._is_over:
                    return
        if len(path) >= MAX_PATH - 1:
            self.notes.add("too_long")
            return
        for issuer in self._ordered(child, self._pool.get(name_key(child.issuer), ())):
            if is_repeated(issuer, path) or not self._is_issuer(child, issuer):
                continue
            longer = (*path, issuer)
            if len(longer) > len(self.longest):
                self.longest = longer
            self._extend(longer)
            if self._is_over:
                return

    @property
    def _is_over(self) -> bool:
        if self.steps <= 0 or self.signatures <= 0:
            self.notes.add("budget")
            return True
        return self.best is not None and self.best.is_perfect

    def _ordered(self, child: Certificate, issuers: Sequence[Certificate]) -> Iterator[Certificate]:
        if len(issuers) < 2:
            return iter(issuers)
        return iter(sorted(issuers, key=lambda issuer: likelihood(child, issuer)))

    def _is_issuer(self, child: Certificate, issuer: Certificate) -> bool:
        self.steps -= 1
        if self.steps <= 0 or self.signatures <= 0:
            return False
        if not self.cache.has_edge(child, issuer):
            self.signatures -= 1
        spki = self.cache.anatomy(issuer).spki
        valid = self.cache.signature(child, spki, issuer.spki_sha256)
        if valid is None:
            self.notes.add("unsupported_signature")
        elif not (valid or child.is_self_issued or hints_agree(child, issuer) is False):
            self.notes.add("bad_signature")  # else it is but another key of the same name
        return valid is True


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
    return any(
        certificate.spki_sha256 == other.spki_sha256 and certificate.subject.der == other.subject.der
        for other in path
    )


def anatomies(path: Path, cache: CertificateCache) -> list[Anatomy]:
    """The certificates of a path with their parts."""
    return [cache.anatomy(certificate) for certificate in path]
