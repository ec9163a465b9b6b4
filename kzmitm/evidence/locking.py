"""Locks that end with the process that holds them: what tells a running writer from a killed one."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30
    """A lock of Windows keeps others from reading what it covers, so it covers an octet that is not there."""
else:
    import fcntl

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def lock(descriptor: int) -> bool:
    """Take the lock of an open file without waiting; False if somebody else holds it.

    False, too, where the file system has no locks: then nothing can be known to be left behind.
    """
    try:
        if sys.platform == "win32":
            here = os.lseek(descriptor, 0, os.SEEK_CUR)
            os.lseek(descriptor, _FAR, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(descriptor, here, os.SEEK_SET)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """True if a process that is alive holds the lock of a file, or if that cannot be told."""
    with abandoned(path) as free:
        return not free and os.path.lexists(path)


@contextmanager
def abandoned(path: Path) -> Iterator[bool]:
    """True if there is a file whose lock nobody holds; then it is ours until the end of the context."""
    try:
        descriptor = os.open(path, os.O_RDWR | _NO_FOLLOW)
    except OSError:  # absent; or of another user, or no file at all: not ours to judge
        yield False
        return
    try:
        yield lock(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process begins or looks for what was left behind in a folder, and keep it so.

    Windows cannot lock a folder, nor can some network file systems; there it is left to luck.
    """
    if sys.platform == "win32":
        yield
    else:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
