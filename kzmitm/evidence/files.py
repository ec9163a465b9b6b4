"""Files that are whole or not there, whenever the process is killed.

A file that is replaced is written beside its place, flushed to the disk and renamed; a log grows by
whole lines. Modes are 0600 and 0700: what a volunteer measured is nobody else's on the same computer.
"""

import os
import re
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from kzmitm.errors import BundleError
from kzmitm.evidence.locking import abandoned, lock
from kzmitm.wording import reason_of

PART_PREFIX = ".part-"
"""Begins the name of a file that is being written; readers pass over it."""
_PART = re.compile(rf"{re.escape(PART_PREFIX)}[0-9a-f]{{16}}", re.ASCII)
FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
_BINARY = getattr(os, "O_BINARY", 0)
"""Windows translates line ends without it."""
_ATTEMPTS = 3
"""At a file that is locked; the last is taken without, as on a file system that has no locks."""
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
"""A bundle from a stranger may hold links to our own files."""
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
"""... or a named pipe, on which opening would wait for ever."""


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for this user only; raises OSError.

    The XDG Base Directory Specification asks that mode of the folders above, too, and `parents=True` of
    `Path.mkdir` gives it to none of them.
    """
    try:
        path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    except FileNotFoundError:
        if path.parent == path:
            raise
        make_folder(path.parent)
        path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)


def named(error: OSError, path: Path) -> OSError:
    """The same failure, of `path`."""
    return error if error.errno is None else OSError(error.errno, error.strerror, str(path))


def replace_file(path: Path, chunks: Iterable[bytes], *, durable: bool = True) -> None:
    """Put a file in place, whole; `durable` waits until it would survive a loss of power. Raises OSError."""
    _put_file(path, chunks, durable=durable, replaces=True)


def create_file(path: Path, chunks: Iterable[bytes]) -> bool:
    """Put a file in place, whole, unless there is one: then False. Raises OSError."""
    try:
        _put_file(path, chunks, durable=True, replaces=False)
    except FileExistsError:
        return False
    return True


def _put_file(path: Path, chunks: Iterable[bytes], *, durable: bool, replaces: bool) -> None:
    try:
        _write_beside(path, chunks, durable=durable, replaces=replaces)
    except OSError as exc:  # of what was to be written, not of what it is called meanwhile
        raise named(exc, path) from exc


def _write_beside(path: Path, chunks: Iterable[bytes], *, durable: bool, replaces: bool) -> None:
    descriptor, part = _new_part(path.parent)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 (a descriptor, for the mode and O_EXCL)
            file.writelines(chunks)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            if os.name != "nt":
                _move(part, path, replaces=replaces)  # locked, so that nobody takes it for one left behind
        if os.name == "nt":
            _move(part, path, replaces=replaces)  # an open file cannot be renamed there
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def _move(part: Path, path: Path, *, replaces: bool) -> None:
    if replaces:
        part.replace(path)
    elif os.name == "nt":
        part.rename(path)  # which fails there if something is in its place
    else:
        path.hardlink_to(part)
        part.unlink()


def _new_part(folder: Path) -> tuple[int, Path]:
    """A file to write to, locked for as long as it is open."""
    for attempt in range(_ATTEMPTS):
        part = folder / f"{PART_PREFIX}{secrets.token_hex(8)}"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, FILE_MODE)
        is_ours = lock(descriptor) and part.exists()
        if is_ours or attempt == _ATTEMPTS - 1:
            break
        os.close(descriptor)  # it was taken for one left behind in the moment before it was locked
        part.unlink(missing_ok=True)
    return descriptor, part


def sync_directory(directory: Path) -> None:
    """Wait until renames inside would survive a loss of power; systems without it have it for nothing."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_parts(folder: Path) -> int:
    """Delete what killed writers left half-written, and nothing that is being written; how many files."""
    count = 0
    for part in folder.glob(f"{PART_PREFIX}*"):
        if not _PART.fullmatch(part.name):
            continue  # others may call theirs in a similar way
        with abandoned(part) as free:
            if free and os.name != "nt":
                part.unlink(missing_ok=True)
        if free and os.name == "nt":
            part.unlink(missing_ok=True)  # an open file cannot be deleted there
        count += free
    return count


def open_regular(path: Path) -> int:
    """A descriptor for reading; raises BundleError for anything but a plain file, OSError if absent."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _BINARY | _NO_FOLLOW | _NO_WAIT)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as exc:
        raise BundleError("{name}: cannot be read: {why}", name=path, why=reason_of(exc)) from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BundleError("{name}: not a plain file", name=path)
    return descriptor


def read_regular(path: Path, *, max_bytes: int) -> bytes:
    """The content of a plain file; raises BundleError if it is longer, FileNotFoundError if absent."""
    with open(open_regular(path), "rb") as file:
        # Asked first: a sparse file of any size costs a stranger nothing, and us as much memory as we read.
        size = os.fstat(file.fileno()).st_size
        data = file.read(max_bytes + 1) if size <= max_bytes else b""
    if max(size, len(data)) > max_bytes:
        raise BundleError("{name}: longer than {max_bytes} octets", name=path, max_bytes=max_bytes)
    return data


class LineLog:
    """A file that grows by whole lines, each in one write; a torn last line of a killed writer is cut off."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY | _NO_FOLLOW
        self._descriptor = os.open(path, flags, FILE_MODE)
        self._size = self._whole_lines()
        os.ftruncate(self._descriptor, self._size)

    def append(self, line: bytes) -> None:
        """Write a line, which ends with its only newline. On OSError the file is as it was before."""
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line)

    def sync(self) -> None:
        """Wait until all lines would survive a loss of power."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _whole_lines(self) -> int:
        """Octets up to and with the last newline."""
        end = os.fstat(self._descriptor).st_size
        while end:
            start = max(0, end - _BLOCK)
            os.lseek(self._descriptor, start, os.SEEK_SET)
            newline = os.read(self._descriptor, end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
        return 0


_BLOCK = 1 << 16
