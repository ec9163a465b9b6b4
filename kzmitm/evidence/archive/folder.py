"""Reading a bundle that lies in a folder, as somebody unpacked it."""

import os
from collections.abc import Iterator
from pathlib import Path

from kzmitm.errors import BundleError
from kzmitm.evidence import layout
from kzmitm.evidence.archive.shown import shown
from kzmitm.evidence.archive.zip_format import MAX_ARCHIVE
from kzmitm.evidence.archive.zip_writer import BLOCK
from kzmitm.evidence.damage import Code, DamagedError
from kzmitm.evidence.files import PART_PREFIX, open_regular
from kzmitm.wording import Wording

MAX_DEPTH = 4
"""Folders below each other; ours go two deep."""


class FolderContainer:
    """The files of a bundle in a folder; `names` are relative to it, in order.

    Raises DamagedError for links, devices, names that are no file of a bundle, and more than an archive could
    hold; OSError.
    """

    is_folder = True
    is_repacked = False

    def __init__(self, path: Path) -> None:
        self._path = _inner(path)
        self.root = self._path.resolve().name
        self._sizes = dict(_files(self._path))
        if sum(self._sizes.values()) > MAX_ARCHIVE:  # a sparse file costs its maker nothing
            raise DamagedError(Code.ARCHIVE_BOMB, "", Wording("more than 4 GiB"))
        self.names = tuple(sorted(self._sizes))

    def size(self, name: str) -> int:
        """Octets of a file."""
        return self._sizes[name]

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file; raises DamagedError if it is not what it was when it was listed."""
        try:
            descriptor = open_regular(self._path / name)
        except FileNotFoundError:
            raise DamagedError(Code.FILE_MISSING, name) from None
        except BundleError:
            raise DamagedError(Code.ARCHIVE_SPECIAL_FILE, name, Wording("a link or device")) from None
        left = self._sizes[name]
        with open(descriptor, "rb") as file:  # noqa: PTH123 (a descriptor)
            while block := file.read(min(BLOCK, left + 1)):
                left -= len(block)
                if left < 0:
                    break
                yield block
        if left:
            raise DamagedError(Code.FILE_CHANGED, name, Wording("it was written to while we read"))

    def close(self) -> None: ...


def is_bag(path: Path) -> bool:
    """True if a folder holds anything that makes it a bundle, however much of it is missing."""
    place = _inner(path)
    return layout.is_bundle_name(place.name) or any((place / name).exists() for name in layout.TAG_FILES)


def _inner(path: Path) -> Path:
    """The bundle's folder itself where unpacking has put another one around it."""
    with os.scandir(path) as entries:
        found = [entry for _, entry in zip(range(2), entries, strict=False)]
    if len(found) == 1 and layout.is_bundle_name(found[0].name) and found[0].is_dir(follow_symlinks=False):
        return path / found[0].name
    return path


def _files(root: Path) -> Iterator[tuple[str, int]]:
    """(path, octets) of every file below; raises DamagedError."""
    waiting, count = [("", 0)], 0
    while waiting:
        prefix, depth = waiting.pop()
        with os.scandir(root / prefix) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.name.startswith(PART_PREFIX) and not prefix:
                    continue  # what a killed writer of ours left beside the files
                count += 1
                if count > layout.MAX_FILES:
                    raise DamagedError(
                        Code.ARCHIVE_TOO_MANY_FILES,
                        "",
                        Wording("at most {max_files}", max_files=layout.MAX_FILES),
                    )
                if not layout.is_safe_path(name) or depth >= MAX_DEPTH:
                    raise DamagedError(Code.ARCHIVE_UNSAFE_NAME, shown(name))
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((f"{name}/", depth + 1))
                elif entry.is_file(follow_symlinks=False):
                    yield name, entry.stat(follow_symlinks=False).st_size
                else:
                    raise DamagedError(Code.ARCHIVE_SPECIAL_FILE, name, Wording("a link or device"))
