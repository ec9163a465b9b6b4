"""Writing the archive: stored, sorted, undated, so that the same files always give the same octets.

Deflate would not: what it writes differs between zlib and its successors.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from kzmitm.errors import BundleError
from kzmitm.evidence.archive.zip_format import MAX_ARCHIVE, canonical_member, end_record

BLOCK = 1 << 18
"""Octets in memory at once."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be written: `chunks` gives the same octets whenever it is called."""

    path: str
    size: int
    crc: int
    sha256: str
    chunks: Callable[[], Iterable[bytes]]


def source_of(path: str, chunks: Callable[[], Iterable[bytes]]) -> Source:
    """Read a file once for its hash, checksum and size."""
    digest, crc, size = hashlib.sha256(), 0, 0
    for chunk in chunks():
        digest.update(chunk)
        crc = zlib.crc32(chunk, crc)
        size += len(chunk)
    return Source(path, size, crc, digest.hexdigest(), chunks)


def octets_source(path: str, octets: bytes) -> Source:
    """A file from memory."""
    return source_of(path, lambda: (octets,))


def archive_chunks(root: str, sources: Sequence[Source]) -> Iterator[bytes]:
    """The octets of the archive with `sources` in a folder `root`, in flat memory.

    Raises BundleError if it would need Zip64.
    """
    offset, directory = 0, []
    for source in sorted(sources, key=lambda each: each.path):
        member = canonical_member(f"{root}/{source.path}".encode(), source.size, source.crc, offset)
        header = member.local_header()
        offset += len(header) + source.size
        if offset > MAX_ARCHIVE:
            raise BundleError("a bundle of more than 4 GiB", hint="scan the list in parts")
        yield header
        yield from source.chunks()
        directory.append(member.central_header())
    headers = b"".join(directory)
    yield headers
    yield end_record(len(directory), len(headers), offset)
