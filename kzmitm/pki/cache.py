"""Every distinct certificate is parsed once and every signature verified once, in bounded memory."""

from collections import OrderedDict
from hashlib import sha256
from typing import Any, Generic, TypeVar

from kzmitm.model.certificate import Certificate
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.parse import dissect
from kzmitm.pki.signatures import is_signature_valid, load_key

MAX_ENTRIES = 1024
"""Certificates kept: the few hundred issuers of the public web, and the leaves of the last while.

Each costs about 12 KB, so that 100,000 targets cost no more memory than 1,000.
"""

MAX_OCTETS = 2 << 20
"""Of DER kept: beyond it the oldest go as well, so that hostile certificates, large and full of small
parts that cost fifty times their octets, stay below 100 MB."""

MAX_EDGES = 8192
"""Signatures kept: about 300 octets each."""

K = TypeVar("K")
V = TypeVar("V")


class LRU(Generic[K, V]):
    """A mapping that forgets what was used longest ago."""

    __slots__ = ("_entries", "_max")

    def __init__(self, max_entries: int) -> None:
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._max = max_entries

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value of `key`, which becomes the most recent; None if it is not here (any more)."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> V:
        """Keeps a value, forgets the oldest one if there are too many, and returns it."""
        self._entries[key] = value
        if len(self._entries) > self._max:
            self._entries.popitem(last=False)
        return value


class CertificateCache:
    """Parsed certificates by SHA-256 and signatures by edge (child, issuer's key)."""

    __slots__ = ("_anatomies", "_edges", "_keys", "_max_entries", "_octets")

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._anatomies: OrderedDict[str, Anatomy] = OrderedDict()
        self._max_entries = max_entries
        self._octets = 0
        self._keys: LRU[str, tuple[Any | None]] = LRU(max_entries)
        self._edges: LRU[tuple[str, str], tuple[bool | None]] = LRU(max(MAX_EDGES, max_entries))

    def parse(self, der: bytes) -> Certificate:
        """The certificate in these octets; never raises (`parse_error` says what is wrong)."""
        return self._find(sha256(der).hexdigest(), der).certificate

    def anatomy(self, certificate: Certificate) -> Anatomy:
        """The certificate with its parts."""
        return self._find(certificate.sha256, certificate.der)

    def _find(self, digest: str, der: bytes) -> Anatomy:
        kept = self._anatomies
        found = kept.get(digest)
        if found is not None:
            kept.move_to_end(digest)
            return found
        found = kept[digest] = dissect(der)
        self._octets += len(der)
        while len(kept) > self._max_entries or (self._octets > MAX_OCTETS and len(kept) > 1):
            _, oldest = kept.popitem(last=False)
            self._octets -= len(oldest.certificate.der)
        return found

    def is_signed_by(self, child: Certificate, issuer: Certificate) -> bool:
        """True if the issuer's key made the child's signature. Names and usage are not looked at."""
        return self.signature(child, self.anatomy(issuer).spki) is True

    def is_signed_by_key(self, child: Certificate, spki_der: bytes) -> bool:
        """True if this key (SubjectPublicKeyInfo) made the child's signature."""
        return self.signature(child, spki_der) is True

    def signature(self, child: Certificate, spki: bytes, spki_sha256: str | None = None) -> bool | None:
        """Whether this key made the child's signature, None where that cannot be computed."""
        digest = spki_sha256 or sha256(spki).hexdigest()
        known = self._edges.get((child.sha256, digest))
        return known[0] if known else self.compute_signature(self.anatomy(child), spki, digest)

    def known_signature(self, child: Certificate, spki_sha256: str) -> tuple[bool | None] | None:
        """The result of `signature` if it is known already, else None."""
        return self._edges.get((child.sha256, spki_sha256))

    def compute_signature(self, child: Anatomy, spki: bytes, spki_sha256: str) -> bool | None:
        """The result of `signature`, computed and kept."""
        key = (self._keys.get(spki_sha256) or self._keys.put(spki_sha256, (load_key(spki),)))[0]
        result = None
        if key is not None:
            result = is_signature_valid(key, child.algorithm, child.signature, child.tbs)
        return self.keep_signature(child, spki_sha256, result=result)

    def keep_signature(self, child: Anatomy, spki_sha256: str, *, result: bool | None) -> bool | None:
        """Keeps the result of `signature`, and returns it."""
        self._edges.put((child.certificate.sha256, spki_sha256), (result,))
        return result
