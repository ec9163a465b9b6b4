"""Where a running scan writes: a folder on the disk, or memory, where a seized device holds nothing."""

import io
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from kzmitm.evidence.files import (
    DIRECTORY_MODE,
    LineLog,
    open_regular,
    remove_parts,
    replace_file,
    sync_directory,
)


class Log(Protocol):
    """Grows by whole lines."""

    def append(self, line: bytes) -> None: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...


class Medium(Protocol):
    """Named files of a journal."""

    def log(self, name: str) -> Log:
        """A log to append to, made if absent; a torn last line is cut off."""

    def put(self, name: str, chunks: Iterable[bytes], *, durable: bool = True) -> None:
        """Write a file, whole; raises OSError."""

    def open(self, name: str) -> BinaryIO:
        """A file for reading; raises FileNotFoundError."""

    def has(self, name: str) -> bool: ...
    def remove(self) -> None:
        """Delete everything."""


class Folder:
    """Files in a folder of the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def log(self, name: str) -> LineLog:
        return LineLog(self.path / name)

    def put(self, name: str, chunks: Iterable[bytes], *, durable: bool = True) -> None:
        path = self.path / name
        if "/" in name:
            path.parent.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        replace_file(path, chunks, durable=durable)

    def open(self, name: str) -> BinaryIO:
        return open(open_regular(self.path / name), "rb")  # noqa: PTH123 (a descriptor)

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def remove(self, first: str = "") -> None:
        """Delete everything, `first` before the rest, so that what is left of it is known as rubbish."""
        with suppress(FileNotFoundError):  # another process may be at it, too
            if first:
                (self.path / first).unlink(missing_ok=True)
                sync_directory(self.path)
            shutil.rmtree(self.path)

    def remove_parts(self) -> None:
        """Delete what a killed writer left half-written."""
        for place in (self.path, *self.path.iterdir()):
            if place.is_dir() and not place.is_symlink():
                remove_parts(place)


class Memory:
    """Files in memory."""

    def __init__(self) -> None:
        self._files: dict[str, bytes | _MemoryLog] = {}

    def log(self, name: str) -> "_MemoryLog":
        return self._files.setdefault(name, _MemoryLog())  # type: ignore[return-value]

    def put(self, name: str, chunks: Iterable[bytes], *, durable: bool = True) -> None:
        del durable
        self._files[name] = b"".join(chunks)

    def open(self, name: str) -> BinaryIO:
        try:
            kept = self._files[name]
        except KeyError:
            raise FileNotFoundError(name) from None
        return io.BytesIO(kept if isinstance(kept, bytes) else b"".join(kept.lines))

    def has(self, name: str) -> bool:
        return name in self._files

    def remove(self, first: str = "") -> None:
        del first
        self._files.clear()


class _MemoryLog:
    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def append(self, line: bytes) -> None:
        self.lines.append(line)

    def sync(self) -> None: ...

    def close(self) -> None: ...
