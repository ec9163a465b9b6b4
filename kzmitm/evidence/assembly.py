"""From a journal to a bundle: documents, manifests, signature, archive.

The same journal and key always give the same octets, whenever and how often it is done: a kill between
two steps costs nothing, as the next start does them again.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from kzmitm.evidence import bag, layout
from kzmitm.evidence.archive.zip_writer import Source, archive_chunks, octets_source, source_of
from kzmitm.evidence.files import replace_file
from kzmitm.evidence.journal import CAPTURE, CERTIFICATES, MEASUREMENTS, VERDICTS, Journal
from kzmitm.evidence.json_writer import canonical
from kzmitm.evidence.medium import Medium
from kzmitm.evidence.redaction import public_certificates, public_frame, public_row
from kzmitm.evidence.scan_document import document_chunks, frame_of, summary_of
from kzmitm.evidence.signing.keys import SigningKey
from kzmitm.evidence.signing.sshsig import sign
from kzmitm.evidence.spool import SpoolReader

ENVIRONMENT_SCHEMA = "kzmitm.environment/1.0"
_BLOCK = 1 << 18
_PUBLIC, _PARTNER = "public.json", "partner.json"
"""Documents on their way into the bundle."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A bundle that is ready to be written."""

    bundle_id: str
    sources: tuple[Source, ...]

    @property
    def root(self) -> str:
        """The name of its folder."""
        return layout.bundle_name(self.bundle_id)

    @property
    def file_name(self) -> str:
        return f"{self.root}.zip"

    def chunks(self) -> Iterator[bytes]:
        """The octets of its archive."""
        return archive_chunks(self.root, self.sources)

    def write(self, path: Path) -> None:
        """Put its archive in place, whole; raises OSError, BundleError for one of more than 4 GiB."""
        replace_file(path, self.chunks())


def assemble(journal: Journal, key: SigningKey) -> Assembled:
    """The signed bundle of a journal; raises OSError."""
    return signed(list(_payload(journal)), key)


def signed(payload: Sequence[Source], key: SigningKey) -> Assembled:
    """The bundle of some payload files."""
    manifest = bag.manifest({source.path: source.sha256 for source in payload})
    octets = sum(source.size for source in payload)
    tags = {
        layout.BAG_INFO: bag.bag_info(octets=octets, files=len(payload), signer=key.name),
        layout.BAGIT: bag.BAGIT_TXT,
        layout.MANIFEST: manifest,
    }
    tag_manifest = bag.manifest({name: bag.sha256(octets) for name, octets in tags.items()})
    tags[layout.TAG_MANIFEST] = tag_manifest
    tags[layout.SIGNATURE] = sign(tag_manifest, key.private, layout.NAMESPACE)
    sources = (*payload, *(octets_source(name, octets) for name, octets in tags.items()))
    return Assembled(bag.sha256(tag_manifest), sources)


def _payload(journal: Journal) -> Iterator[Source]:
    medium = journal.medium
    shown = _write_documents(journal)
    yield _kept(medium, _PUBLIC, layout.PUBLIC_SCAN.path)
    yield _kept(medium, _PARTNER, layout.PARTNER_SCAN.path)
    yield source_of(layout.MEASUREMENTS.path, lambda: whole_lines(medium))
    yield octets_source(layout.README.path, readme())
    for sha256 in sorted(shown)[: layout.MAX_CERTIFICATES]:
        name = f"{CERTIFICATES}{sha256}.der"
        if medium.has(name):
            source = _kept(medium, name, layout.certificate_path(sha256))
            if source.sha256 == sha256:  # one that a loss of power tore is in the measurements still
                yield source
    environment = {"schema": ENVIRONMENT_SCHEMA, "version": "1.0", "salt": journal.salt("environment")}
    yield octets_source(
        layout.ENVIRONMENT.path, canonical(environment | dict(journal.begin["environment"])) + b"\n"
    )
    if medium.has(CAPTURE):
        yield _kept(medium, CAPTURE, layout.CAPTURE.path)


def _write_documents(journal: Journal) -> set[str]:
    """Write both documents of the scan beside the journal; the certificates that the public one names."""
    shown: set[str] = set()
    # A loss of power may take measurements whose verdicts are there; a claim without evidence is none.
    count = sum(chunk.count(b"\n") for chunk in whole_lines(journal.medium))
    with SpoolReader(journal.medium.open(VERDICTS), at_most=count) as spool:
        frame = frame_of(
            journal.begin["header"],
            summary_of(spool.outcomes()),
            finished_at=journal.finished_at,
            complete=journal.complete,
        ) | {"salt": journal.salt("scan")}
        journal.medium.put(_PARTNER, document_chunks(frame, spool.rows()), durable=False)
        rows = (canonical(_shown(row, frame, shown)) for row in spool.rows())
        journal.medium.put(_PUBLIC, document_chunks(public_frame(frame), rows), durable=False)
    return shown


def _shown(row: bytes, frame: Any, shown: set[str]) -> dict[str, Any]:
    public = public_row(json.loads(row), frame)
    shown.update(public_certificates(public))
    return public


def _kept(medium: Medium, name: str, path: str) -> Source:
    return source_of(path, lambda: _blocks(medium, name))


def _blocks(medium: Medium, name: str) -> Iterator[bytes]:
    with medium.open(name) as file:
        while block := file.read(_BLOCK):
            yield block


def whole_lines(medium: Medium) -> Iterator[bytes]:
    """The measurements without the torn line that a killed writer may leave at their end."""
    rest = b""
    for block in _blocks(medium, MEASUREMENTS):
        whole, newline, tail = block.rpartition(b"\n")
        if newline:
            yield rest + whole + newline
            rest = tail
        else:
            rest += tail


def readme() -> bytes:
    """What the bundle says of itself in three languages."""
    return resources.files("kzmitm.evidence").joinpath("readme.txt").read_bytes()
