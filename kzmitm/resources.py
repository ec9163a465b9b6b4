"""The data files of the project: where they are in a wheel and in a checkout. Nothing else opens them.

What is read here is bytes; `kzmitm.pki.registry` and `kzmitm.pki.store` say what they mean.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from kzmitm.errors import FingerprintError, UsageError
from kzmitm.wording import reason_of

MAX_FILE_OCTETS = 4 << 20
"""The largest file we ship is the trust store, below 1 MiB; a larger one is no registry file."""
MAX_FILES = 10_000
"""An overlay that is a home directory by mistake must not be read to its end."""

_TRUSTSTORE = "truststore"


def fingerprint_files(overlays: Sequence[Path] = ()) -> dict[str, bytes]:
    """The TOML files of the registry: relative path with `/` -> content, overlays applied in order.

    A file of an overlay adds an entry, or replaces the one of the same path, which is the one of the same
    id. Raises UsageError if an overlay is no directory or holds no TOML file, FingerprintError if a file
    cannot be read.
    """
    files = _toml_files(_root())
    for overlay in overlays:
        if not overlay.is_dir():
            raise UsageError(
                "{overlay} is not a directory",
                hint="Give the directory of a registry overlay.",
                overlay=overlay,
            )
        added = _toml_files(overlay)
        if not added:
            raise UsageError(
                "{overlay} holds no registry file",
                hint="An overlay is laid out like fingerprints/: authorities/ID.toml, forgers/ID.toml, …",
                overlay=overlay,
            )
        files |= added
    return files


def truststore_files() -> dict[str, bytes]:
    """The files of the pinned trust store: name -> content. Raises FingerprintError if one cannot be read."""
    folder = _root() / _TRUSTSTORE
    return (
        {path.name: _read(path) for path in sorted(folder.iterdir()) if path.is_file()}
        if folder.is_dir()
        else {}
    )


def _root() -> Path:
    """The data in the wheel if we are installed, else beside the package in the checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "_fingerprints"
    return installed if installed.is_dir() else package.parent / "fingerprints"


def _toml_files(root: Path) -> dict[str, bytes]:
    files = {}
    for path in _walk(root):
        relative = path.relative_to(root)
        if relative.parts[0] != _TRUSTSTORE:
            files[relative.as_posix()] = _read(path)
    return files


def _walk(root: Path) -> Iterator[Path]:
    """TOML files in the root and one folder down, which is all the layout has."""
    for count, path in enumerate(sorted([*root.glob("*.toml"), *root.glob("*/*.toml")])):
        if count >= MAX_FILES:
            raise UsageError(
                "{root} holds more than {max_files} files",
                hint="Is this the right directory?",
                root=root,
                max_files=MAX_FILES,
            )
        if path.is_file():
            yield path


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_OCTETS + 1)
    except OSError as exc:
        raise FingerprintError("{path}: {why}", path=path, why=reason_of(exc)) from exc
    if len(content) > MAX_FILE_OCTETS:
        raise FingerprintError(
            "{path}: larger than {max_file_octets} octets", path=path, max_file_octets=MAX_FILE_OCTETS
        )
    return content
