"""Mounts of process 1's own mount namespace: nobody outside it sees them (mount(2))."""

import ctypes
import os
from pathlib import Path

from kzmitm.lab.errors import LaboratoryError
from kzmitm.wording import Wording

MS_BIND = 4096
"""linux/mount.h"""
MNT_DETACH = 2
"""sys/mount.h: also while somebody has a file in it open."""

_libc = ctypes.CDLL(None, use_errno=True)


def memory(path: Path) -> None:
    """An empty file system in memory over a directory. ramfs, unlike tmpfs, is never written to swap."""
    _mount(b"none", path, b"ramfs", 0, b"mode=1777")


def bind(source: Path, target: Path) -> None:
    """Let a file be seen in the place of another."""
    _mount(os.fsencode(source), target, None, MS_BIND, None)


def unbind(target: Path) -> None:
    """Let the file itself be seen again."""
    _libc.umount2(os.fsencode(target), MNT_DETACH)


def _mount(source: bytes, target: Path, kind: bytes | None, flags: int, options: bytes | None) -> None:
    if _libc.mount(source, os.fsencode(target), kind, flags, options):
        raise LaboratoryError(
            "{target}: nothing can be mounted there: {why}",
            target=target,
            why=Wording(os.strerror(ctypes.get_errno())),
        )
