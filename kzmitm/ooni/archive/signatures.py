"""Signatures of an archive's certificates, each checked once: no registry, store or rule changes them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from kzmitm.ooni.archive.records import SIGNATURES, RecordWriter, SignaturesOfChain, read_records
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.cache import CertificateCache

MAX_ENTRIES: Final = 4096


class ArchiveCache(CertificateCache):
    """A cache that is told chain by chain what was computed in an earlier judgement.

    It says of nothing that it is known before it was asked for: what counts the signatures that it computes
    counts the same as without it.
    """

    __slots__ = ("computed", "earlier", "used")

    def __init__(self) -> None:
        super().__init__(MAX_ENTRIES)
        self.earlier: dict[bytes, bool | None] = {}
        self.used: dict[bytes, bool | None] = {}
        self.computed = 0

    def compute_signature(self, child: Anatomy, spki: bytes, spki_sha256: str) -> bool | None:
        edge = bytes.fromhex(child.certificate.sha256 + spki_sha256)
        if edge in self.earlier:
            result = self.keep_signature(child, spki_sha256, result=self.earlier[edge])
        else:
            result = super().compute_signature(child, spki, spki_sha256)
            self.computed += 1
        self.used[edge] = result
        return result


class Signatures:
    """Those of the chains of an index; as a context, it keeps what was computed, by way of the file `new`."""

    def __init__(self, index: Path, cache: ArchiveCache, new: Path) -> None:
        self._cache = cache
        self._path = index / SIGNATURES
        self._new = new
        self._known: Iterator[SignaturesOfChain] = iter(())
        self._next: SignaturesOfChain | None = None

    def __enter__(self) -> Self:
        if self._path.is_file():
            self._known = read_records(self._path, SignaturesOfChain)
            self._next = next(self._known, None)
        self._file = self._new.open("wb")
        self._write = RecordWriter(self._file).write
        return self

    def begin(self, chain: int) -> None:
        """Chains come in the order of their numbers."""
        self._cache.used = {}
        self._cache.earlier = {}
        if self._next is not None and self._next.number == chain:
            self._cache.earlier = dict(self._next.edges)
            self._next = next(self._known, None)

    def end(self, chain: int) -> None:
        """Keeps what was asked for, and what was known before."""
        edges = self._cache.earlier | self._cache.used
        if edges:
            self._write(SignaturesOfChain(chain, list(edges.items())))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        if kind is None and self._cache.computed:
            self._new.replace(self._path)
        else:
            self._new.unlink()
