"""Coverage-guided fuzzing of what reads a stranger's bundle: archive, bag, lists and documents.

python tests/evidence/fuzz_bundle.py -max_total_time=60

Where our reader takes an archive, that of the standard library must find the same files in it.
"""

import atexit
import contextlib
import io
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

try:
    import atheris
except ImportError:  # only the fuzzer's own environment has it, and its inputs are tests too
    instrumented = contextlib.nullcontext
else:
    instrumented = partial(atheris.instrument_imports, include=["kzmitm"])

with instrumented():
    from bundle_samples import (
        BAG_INFO,
        ENVIRONMENT,
        MANIFEST,
        MEASUREMENTS,
        NAMESPACE,
        PARTNER,
        PUBLIC,
        SIGNATURE,
        TAG_MANIFEST,
        deflated,
        entries,
        payload,
        sample,
        sample_files,
    )
    from bundle_samples import build as build_archive

    from kzmitm.errors import UsageError
    from kzmitm.evidence.archive.zip_reader import ZipContainer
    from kzmitm.evidence.bag import manifest, parse_bag_info, parse_manifest
    from kzmitm.evidence.container import Container
    from kzmitm.evidence.damage import DamagedError
    from kzmitm.evidence.layout import is_safe_path
    from kzmitm.evidence.signing.known_signers import _parse
    from kzmitm.evidence.signing.sshsig import SignatureError, verify
    from kzmitm.evidence.verification.bag_check import examine_bag
    from kzmitm.evidence.verification.document_check import examine_documents
    from kzmitm.evidence.verification.verify import Trust, verify_bundle

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DOCUMENTS = (PUBLIC, PARTNER, MEASUREMENTS, ENVIRONMENT)


@cache
def _place() -> Path:
    folder = tempfile.mkdtemp(prefix="kzmitm-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / "x.zip"


@cache
def _foreign() -> bytes:
    """The sample as another program packs it: compressed, with descriptors."""
    members = entries(sample_files())
    for member in members:
        member.method, member.raw, member.needed = 8, deflated(member.data), 20
    return build_archive(members)


def _edited(octets: bytes, data: bytes) -> bytes:
    """Some octets changed: an edit is four octets, place (three), value."""
    out = bytearray(octets)
    for at in range(0, len(data) - 3, 4):
        out[int.from_bytes(data[at : at + 3], "big") % len(out)] = data[at + 3]
    return bytes(out)


def _archive(data: bytes) -> None:
    _place().write_bytes(data)
    try:
        files = ZipContainer(_place())
    except DamagedError:
        return
    container = Container(files)
    with container:
        assert all(map(is_safe_path, container.names))
        examine_bag(container)
        with zipfile.ZipFile(io.BytesIO(data)) as theirs:
            root = files.root
            assert sorted(theirs.namelist()) == [f"{root}/{name}" for name in container.names]
            for name in container.names:
                try:
                    content = b"".join(container.chunks(name))
                except DamagedError:
                    continue
                assert theirs.read(f"{root}/{name}") == content


def _edited_archive(data: bytes) -> None:
    _archive(_edited(sample(), data))


def _edited_foreign(data: bytes) -> None:
    _archive(_edited(_foreign(), data))


def _altered(data: bytes) -> None:
    """No edit of ours is unaltered, unless it changes nothing, or only what another packer may."""
    octets = _edited(sample(), data)
    _place().write_bytes(octets)
    found = verify_bundle(_place(), trust=Trust(), now=NOW)
    assert octets == sample() or not found.is_unaltered or found.is_repacked


class Memory:
    """Files of a bundle in memory."""

    root = "bundle-0123456789abcdef"
    is_folder = False
    is_repacked = False

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files
        self.names = tuple(sorted(files))

    def size(self, name: str) -> int:
        return len(self._files[name])

    def chunks(self, name: str) -> Iterator[bytes]:
        yield self._files[name]

    def close(self) -> None: ...


def _document(data: bytes) -> None:
    if data:
        name = DOCUMENTS[data[0] % len(DOCUMENTS)]
        examine_documents(Container(Memory({**payload(), name: data[1:]})))


def _edited_document(data: bytes) -> None:
    if data:
        name = DOCUMENTS[data[0] % len(DOCUMENTS)]
        examine_documents(Container(Memory({**payload(), name: _edited(payload()[name], data[1:])})))


def _bag(data: bytes) -> None:
    """The tag files, one of them edited."""
    if data:
        names = (BAG_INFO, MANIFEST, TAG_MANIFEST, SIGNATURE)
        name = names[data[0] % len(names)]
        octets = _edited(sample_files()[name], data[1:]) if data[0] & 0x80 else data[1:]
        found = examine_bag(Container(Memory({**sample_files(), name: octets})))
        assert found.problems


def _lists(data: bytes) -> None:
    with contextlib.suppress(DamagedError):
        assert manifest(parse_manifest(data, MANIFEST)) == data
    with contextlib.suppress(DamagedError):
        parse_bag_info(data)


def _signers(data: bytes) -> None:
    with contextlib.suppress(SignatureError):
        verify(b"", data, NAMESPACE)
    try:
        found = _parse(data.decode("utf-8", "replace").replace("\n", " "), "x:1")
    except UsageError:
        return
    if found is not None:
        found.signs(NAMESPACE, NOW)


TARGETS: tuple[Callable[[bytes], None], ...] = (
    _archive,
    _edited_archive,
    _edited_foreign,
    _altered,
    _document,
    _edited_document,
    _bag,
    _lists,
    _signers,
)


def one_input(data: bytes) -> None:
    """Run one input; raises if it is a finding."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def main() -> None:
    """Hand over to libFuzzer."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
