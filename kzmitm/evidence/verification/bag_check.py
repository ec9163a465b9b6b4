"""Whether a bag is what was signed: its files, their hashes, its name, its signature."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kzmitm.evidence import bag, layout
from kzmitm.evidence.container import Container
from kzmitm.evidence.damage import Code, DamagedError, Problem
from kzmitm.evidence.signing.sshsig import PublicKey, SignatureError, verify
from kzmitm.wording import Wording

MAX_PROBLEMS = 100
"""Kinds of damage that are told; a bag of another kind altogether would have thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bag:
    """What the tag files say, and what is wrong with them and the files they list."""

    bundle_id: str = ""
    """SHA-256 of the tag manifest in hex."""
    hashes: Mapping[str, str]
    """What the manifest lists: SHA-256 in hex by path."""
    withheld: tuple[str, ...] = ()
    """Files of a narrower circle that were left out."""
    signer_name: str = ""
    """What the signer calls itself."""
    key: PublicKey | None = None
    """Whose signature verifies."""
    problems: tuple[Problem, ...] = ()


def check_bag(container: Container) -> Bag:
    """The bag in a container; raises DamagedError for the first thing that is wrong."""
    found = examine_bag(container)
    if found.problems:
        first = found.problems[0]
        raise DamagedError(first.code, first.file, first.detail)
    return found


def examine_bag(container: Container) -> Bag:
    """The bag in a container with all that is wrong; raises nothing."""
    examination = _Examination(container)
    try:
        examination.run()
    except DamagedError as exc:
        examination.problems.append(exc.problem)
    return examination.result()


class _Examination:
    def __init__(self, container: Container) -> None:
        self.problems: list[Problem] = []
        self._container = container
        self._id = ""
        self._hashes: dict[str, str] = {}
        self._withheld: list[str] = []
        self._name = ""
        self._key: PublicKey | None = None

    def result(self) -> Bag:
        return Bag(
            bundle_id=self._id,
            hashes=self._hashes,
            withheld=tuple(self._withheld),
            signer_name=self._name,
            key=self._key,
            problems=tuple(self.problems[:MAX_PROBLEMS]),
        )

    def run(self) -> None:
        """Look at everything; raises DamagedError where nothing more can be said."""
        self._check_presence()
        tags = {name: self._read(name) for name in layout.TAG_FILES if name in self._container}
        self._check_tags(tags)
        if layout.MANIFEST in tags:
            self._hashes = bag.parse_manifest(tags[layout.MANIFEST], layout.MANIFEST)
            self._check_payload()
        if layout.BAG_INFO in tags:
            fields = bag.parse_bag_info(tags[layout.BAG_INFO])
            self._name = bag.signer_name(fields)
            self._check_total(fields)
        if layout.SIGNATURE in tags and layout.TAG_MANIFEST in tags:
            self._check_signature(tags)

    def _check_presence(self) -> None:
        for name in layout.TAG_FILES:
            if name not in self._container:
                self._add(Code.FILE_MISSING, name)
        for name in self._container.names:
            if not layout.is_payload(name) and name not in layout.TAG_FILES:
                if not layout.ATTESTATION.fullmatch(name):
                    self._add(Code.FILE_ADDED, name)
                elif self._container.size(name) > layout.MAX_ATTESTATION:
                    self._add(Code.FILE_TOO_LONG, name)

    def _check_tags(self, tags: Mapping[str, bytes]) -> None:
        """The tag manifest, the name that follows from it, and what it lists."""
        if layout.TAG_MANIFEST not in tags:
            return
        octets = tags[layout.TAG_MANIFEST]
        listed = bag.parse_manifest(octets, layout.TAG_MANIFEST)
        if tuple(listed) != layout.TAGGED:
            raise DamagedError(Code.MANIFEST_SYNTAX, layout.TAG_MANIFEST, Wording("it lists other files"))
        self._id = bag.sha256(octets)
        if self._container.root != layout.bundle_name(self._id):
            self._add(
                Code.BUNDLE_RENAMED, "", Wording("the folder should be {id}", id=layout.bundle_name(self._id))
            )
        for name in layout.TAGGED:
            if name in tags and bag.sha256(tags[name]) != listed[name]:
                self._add(Code.FILE_CHANGED, name)
        if tags.get(layout.BAGIT, bag.BAGIT_TXT) != bag.BAGIT_TXT:
            self._add(Code.FORMAT_UNKNOWN, layout.BAGIT)

    def _check_payload(self) -> None:
        for name in self._container.names:
            if layout.is_payload(name) and name not in self._hashes:
                self._add(Code.FILE_ADDED, name)
        for name, sha256 in self._hashes.items():
            if not layout.is_payload(name):
                self._add(Code.MANIFEST_SYNTAX, layout.MANIFEST, Wording("it lists {name}", name=name))
            elif name not in self._container:
                if layout.level_of(name) in (layout.Level.PARTNER, layout.Level.FULL):
                    self._withheld.append(name)
                else:
                    self._add(Code.FILE_MISSING, name)
            elif self._hash(name) != sha256:
                self._add(Code.FILE_CHANGED, name)

    def _check_total(self, fields: Mapping[str, str]) -> None:
        """Payload-Oxum (RFC 8493, 2.2.2), where all is there that it counts."""
        if self._withheld or self.problems:
            return
        sizes = [self._container.size(name) for name in self._hashes]
        if fields.get("Payload-Oxum") != f"{sum(sizes)}.{len(sizes)}":
            self._add(Code.MANIFEST_SYNTAX, layout.BAG_INFO, "Payload-Oxum")

    def _check_signature(self, tags: Mapping[str, bytes]) -> None:
        try:
            self._key = verify(tags[layout.TAG_MANIFEST], tags[layout.SIGNATURE], layout.NAMESPACE)
        except SignatureError as exc:
            self._add(Code.SIGNATURE_INVALID, layout.SIGNATURE, str(exc))

    def _hash(self, name: str) -> str:
        digest = hashlib.sha256()
        for chunk in self._container.chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    def _read(self, name: str) -> bytes:
        return self._container.read(name, max_bytes=layout.MAX_TAG_FILE)

    def _add(self, code: Code, file: str, detail: str = "") -> None:
        self.problems.append(Problem(code, file, detail))


def attestations(container: Container) -> Iterator[str]:
    """The files that were attached to a bag after it was signed."""
    return (name for name in container.names if layout.ATTESTATION.fullmatch(name))
