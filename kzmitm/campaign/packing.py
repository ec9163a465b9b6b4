"""A campaign's results as one signed file that travels by whatever means, and reading it back.

What is read comes from strangers: names, sizes and the signature are checked before anything is believed.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from kzmitm.errors import BundleError, UsageError
from kzmitm.evidence.archive.folder import FolderContainer
from kzmitm.evidence.archive.zip_reader import ZipContainer
from kzmitm.evidence.archive.zip_writer import Source, archive_chunks, octets_source, source_of
from kzmitm.evidence.container import Container
from kzmitm.evidence.files import replace_file
from kzmitm.evidence.json_reader import UnreadableJSONError, parse_json
from kzmitm.evidence.json_writer import canonical
from kzmitm.evidence.signing.keys import SigningKey
from kzmitm.evidence.signing.sshsig import PublicKey, SignatureError, sign, verify

FORMAT: Final = "kzmitm.share-pack/1.0"
NAMESPACE: Final = "kzmitm-share@v1"
LIST: Final = "share.json"
SIGNATURE: Final = "share.json.sig"
MAX_LIST: Final = 1 << 20
MAX_SIGNATURE: Final = 4096
_BLOCK: Final = 1 << 18
_FILE: Final = re.compile(
    r"rounds/\d{4,6}/[a-z0-9][a-z0-9_-]{0,39}/(?:results\.log|\d{4,6}\.jsonl\.zst)", re.ASCII
)
"""What holds results; all else of a folder is made of it again, or nobody else's."""


@dataclass(frozen=True, slots=True)
class Pack:
    """The files of one place's results. `signer` made them one; None for a folder as it is."""

    path: Path
    container: Container
    signer: PublicKey | None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    @property
    def places(self) -> dict[tuple[int, str], list[str]]:
        """The segments of each share (round, vantage) that has a log, in order."""
        found: dict[tuple[int, str], list[str]] = {}
        for name in self.container.names:
            if _FILE.fullmatch(name):
                _, number, vantage, file = name.split("/")
                segments = found.setdefault((int(number), vantage), [])
                if file != "results.log":
                    segments.append(name)
        return found


def pack(folder: Path, out: Path, key: SigningKey) -> int:
    """Write the results in a campaign's folder as one signed file; how many files are in it.

    Raises UsageError, OSError.
    """
    sources = [_source(folder, name) for name in sorted(_names(folder))]
    if not sources:
        raise UsageError("{folder}: holds no results yet", folder=folder)
    document = {
        "format": FORMAT,
        "files": {source.path: source.sha256 for source in sources},
        "key": key.public.line,
    }
    told = canonical(document) + b"\n"
    sources += [octets_source(LIST, told), octets_source(SIGNATURE, sign(told, key.private, NAMESPACE))]
    root = f"kzmitm-share-{hashlib.sha256(told).hexdigest()[:16]}"
    replace_file(out, archive_chunks(root, sources))
    return len(sources)


def open_pack(path: Path) -> Pack:
    """The results in a packed file or a campaign's folder; raises BundleError, OSError."""
    if path.is_dir():
        return Pack(path, Container(FolderContainer(path)), None)
    container = Container(ZipContainer(path))
    try:
        return Pack(path, container, _checked(path, container))
    except BaseException:
        container.close()
        raise


def _names(folder: Path) -> Iterator[str]:
    for path in folder.glob("rounds/*/*/*"):
        name = path.relative_to(folder).as_posix()
        if _FILE.fullmatch(name):
            yield name


def _source(folder: Path, name: str) -> Source:
    def chunks() -> Iterator[bytes]:
        with (folder / name).open("rb") as file:
            while block := file.read(_BLOCK):
                yield block

    return source_of(name, chunks)


def _checked(path: Path, container: Container) -> PublicKey:
    """Who signed the list of files, once every file is what the list says."""
    told = container.read(LIST, max_bytes=MAX_LIST)
    try:
        signer = verify(told, container.read(SIGNATURE, max_bytes=MAX_SIGNATURE), NAMESPACE)
        document = parse_json(told, max_bytes=MAX_LIST, floats=False)
    except SignatureError as exc:
        raise BundleError("{path}: its signature does not hold: {why}", path=path, why=exc) from None
    except UnreadableJSONError as exc:
        raise BundleError("{path}: {list}: {why}", path=path, list=LIST, why=exc) from None
    files = document.get("files") if isinstance(document, dict) else None
    if not isinstance(files, dict) or {*files, LIST, SIGNATURE} != set(container.names):
        raise BundleError("{path}: holds other files than its list", path=path)
    for name, expected in files.items():
        digest = hashlib.sha256()
        for block in container.chunks(name):
            digest.update(block)
        if digest.hexdigest() != expected:
            raise BundleError("{path}: {name} was altered", path=path, name=name)
    return signer
