"""The files of a bundle, wherever they lie: in an archive, or in a folder."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Self

from kzmitm.errors import BundleError
from kzmitm.evidence.archive.folder import FolderContainer, is_bag
from kzmitm.evidence.archive.zip_reader import ZipContainer
from kzmitm.evidence.damage import Code, DamagedError, NoArchiveError
from kzmitm.evidence.files import open_regular
from kzmitm.evidence.sealing import is_sealed
from kzmitm.wording import Wording, reason_of


class _Files(Protocol):
    """What an archive and a folder have in common."""

    root: str
    names: tuple[str, ...]

    @property
    def is_folder(self) -> bool: ...
    @property
    def is_repacked(self) -> bool: ...
    def size(self, name: str) -> int: ...
    def chunks(self, name: str) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class Container:
    """The files of one bundle, for reading; as a context manager it closes."""

    def __init__(self, files: _Files, path: Path | None = None) -> None:
        self._files = files
        self._path = path
        self.root = files.root
        """The name of the bundle's folder."""
        self.names = files.names
        """Paths below it, sorted."""
        self._known = frozenset(files.names)
        self.is_folder = files.is_folder
        self.is_repacked = files.is_repacked
        """Packed by another program than ours; says nothing about the files."""

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def size(self, name: str) -> int:
        """Octets of a file; raises DamagedError if there is none of that name."""
        self._demand(name)
        return self._files.size(name)

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file, block by block; raises DamagedError."""
        self._demand(name)
        return self._files.chunks(name)

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """The content of a file; raises DamagedError if there is none, it is longer, or broken."""
        if self.size(name) > max_bytes:
            raise DamagedError(
                Code.FILE_TOO_LONG, name, Wording("more than {max_bytes} octets", max_bytes=max_bytes)
            )
        return b"".join(self._files.chunks(name))

    def open(self, name: str) -> io.BufferedReader:
        """A file as a stream; reading raises DamagedError where the content is broken."""
        return io.BufferedReader(_Stream(self.chunks(name)), 1 << 16)

    def close(self) -> None:
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.close()
        if isinstance(error, DamagedError) and self._path is not None:
            raise error.of(self._path) from error.__cause__

    def _demand(self, name: str) -> None:
        if name not in self._known:
            raise DamagedError(Code.FILE_MISSING, name)


class _Stream(io.RawIOBase):
    """Blocks as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._chunks, None)
            if block is None:
                return 0
            self._rest = block
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def open_container(path: Path) -> Container:
    """The files of the bundle at `path`, an archive or a folder.

    Raises BundleError if it is neither there nor a bundle at all, DamagedError if it is broken.
    """
    try:
        if path.is_dir():
            if not is_bag(path):
                raise BundleError("{path}: not a bundle", hint="name the file or folder of one", path=path)
            return Container(FolderContainer(path), path)
        with open(open_regular(path), "rb") as file:  # noqa: PTH123 (a descriptor)
            head = file.read(64)
        if is_sealed(head):
            raise BundleError(
                "{path}: sealed to somebody's key",
                hint="who has the key opens it: age -d -i KEY -o FILE.zip",
                path=path,
            )
        return Container(ZipContainer(path), path)
    except NoArchiveError:
        raise BundleError("{path}: not a bundle", hint="name the file or folder of one", path=path) from None
    except DamagedError as exc:
        raise exc.of(path) from exc.__cause__
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(
            "{path}: no such file", hint="name the file or folder of a bundle", path=path
        ) from None
    except OSError as exc:
        raise BundleError("{path}: cannot be read: {why}", path=path, why=reason_of(exc)) from exc
