"""Adding to a bundle what others say of it: timestamps, countersignatures. Nothing that is signed changes."""

from collections.abc import Sequence
from pathlib import Path

from kzmitm.errors import BundleError, UsageError
from kzmitm.evidence import layout
from kzmitm.evidence.archive.zip_writer import Source, archive_chunks, octets_source, source_of
from kzmitm.evidence.container import Container, open_container
from kzmitm.evidence.files import remove_parts, replace_file
from kzmitm.evidence.verification.bag_check import check_bag


def attach(path: Path, filename: str, content: bytes) -> str:
    """Put `attest-NAME.…` with some content into the bundle at `path`, which is replaced as a whole.

    It gets the beginning of its hash into its name, as no signature covers it; returns that name. Raises
    UsageError for a name that cannot be one or is taken, DamagedError if the bundle was altered,
    OSError.
    """
    check_attachment(path, filename)
    if len(content) > layout.MAX_ATTESTATION:
        raise BundleError(
            "{filename}: more than {max_attestation} octets",
            hint="is it a token or a signature?",
            filename=filename,
            max_attestation=layout.MAX_ATTESTATION,
        )
    name = layout.attestation_name(filename, content)
    with open_container(path) as container:
        check_bag(container)
        if container.is_folder:
            replace_file(_folder(path, container) / name, [content])
        else:
            sources = [*sources_of(container, container.names), octets_source(name, content)]
            replace_file(path, archive_chunks(container.root, sources))
    return name


def check_attachment(path: Path, filename: str) -> None:
    """Raise UsageError if `filename` cannot be attached to the bundle at `path`, BundleError if it is none.

    To be asked before anything is sent or signed. Deletes what a killed writer left half-written there.
    """
    if not layout.ATTESTATION.fullmatch(filename) or len(filename) > layout.MAX_ATTESTATION_NAME:
        raise UsageError(
            "{filename} cannot be attached",
            hint="use a name of letters a-z, digits and hyphens",
            filename=repr(filename[:80]),
        )
    with open_container(path) as container:
        remove_parts(_folder(path, container) if container.is_folder else path.absolute().parent)
        check_bag(container)
        taken = {layout.plain_attestation(name): name for name in container.names}
        there = taken.get(layout.plain_attestation(filename))
        if there is not None:
            raise UsageError(
                "{path}: {filename} is there already", hint="give another --name", path=path, filename=there
            )


def sources_of(container: Container, names: Sequence[str]) -> list[Source]:
    """Files of a container as they go into another archive."""
    return [_source(container, name) for name in names]


def _source(container: Container, name: str) -> Source:
    return source_of(name, lambda: container.chunks(name))


def _folder(path: Path, container: Container) -> Path:
    return path if path.resolve().name == container.root else path / container.root
