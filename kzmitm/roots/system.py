"""The system whose stores are read: this computer, or another one below a folder (`--root`).

All paths that readers use are absolute paths inside that system. Below a folder, links are followed as that
system would follow them, and never out of the folder.
"""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from kzmitm.errors import WordedError
from kzmitm.roots.values import Platform
from kzmitm.wording import reason_of

MAX_STORE = 64 << 20
"""Octets of one file of a store: the largest in use, with all roots that ever were, have 2 MiB."""
MAX_ENTRIES = 20_000
"""Entries of one folder; those of certificates have some hundreds."""
MAX_LINKS = 40
"""Links followed for one path, as Linux has it (path_resolution(7))."""


class UnreadableError(WordedError):
    """A file that is there and cannot be read; the message says why, in one line."""


class System:
    """Files and surroundings of the system that is looked at."""

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        platform: Platform,
        environ: Mapping[str, str] | None = None,
        home: str | None = None,
        deep: bool = False,
    ) -> None:
        """`environ` and `home` are those of this user if it is this computer, else None."""
        self.root = root
        self.platform = platform
        self.is_live = environ is not None
        """It is this computer, which can be asked more than its files."""
        self.environ: Mapping[str, str] = environ or {}
        self.deep = deep
        """Look into the folders of programs, too, which takes long."""
        self._home = home

    def homes(self) -> tuple[str, ...]:
        """The home folders to look into: this user's own, or every one of the other system."""
        if self._home is not None:
            return (self._home,)
        patterns = {
            Platform.LINUX: ("/root", "/home/*"),
            Platform.MACOS: ("/Users/*", "/var/root"),
            Platform.WINDOWS: ("/Users/*",),
            Platform.ANDROID: (),
        }[self.platform]
        return tuple(path for pattern in patterns for path in self.glob(pattern) if self.is_folder(path))

    def read(self, path: str, *, max_octets: int = MAX_STORE) -> bytes:
        """The content of a plain file; raises FileNotFoundError, UnreadableError."""
        with self._open(path) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
            size = os.fstat(descriptor).st_size
            if size > max_octets:
                raise UnreadableError(
                    "larger than {max_octets} MiB, so it was not read", max_octets=max_octets >> 20
                )
            octets = file.read(max_octets + 1)
        if len(octets) > max_octets:
            raise UnreadableError(
                "larger than {max_octets} MiB, so it was not read", max_octets=max_octets >> 20
            )
        return octets

    def exists(self, path: str) -> bool:
        return self._status(path) is not None

    def is_folder(self, path: str) -> bool:
        status = self._status(path)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def is_file(self, path: str) -> bool:
        status = self._status(path)
        return status is not None and stat.S_ISREG(status.st_mode)

    def modified_at(self, path: str) -> datetime | None:
        """When a file was changed last; aware UTC, None if it is not there."""
        status = self._status(path)
        return None if status is None else datetime.fromtimestamp(status.st_mtime, UTC)

    def entries(self, path: str) -> tuple[str, ...]:
        """The names in a folder, sorted; () if there is none or it cannot be read."""
        try:
            with os.scandir(self._real(path)) as found:
                names = [entry.name for _, entry in zip(range(MAX_ENTRIES), found, strict=False)]
        except (OSError, ValueError):
            return ()
        return tuple(sorted(names))

    def glob(self, pattern: str) -> tuple[str, ...]:
        """The paths that exist and match, sorted; `*` and `?` stand for parts of one name, never for `/`."""
        found: Sequence[str] = ("/",)
        for part in PurePosixPath(pattern).parts[1:]:
            if any(sign in part for sign in "*?["):
                found = [
                    os.path.join(place, name)  # noqa: PTH118 (paths of another system)
                    for place in found
                    for name in self.entries(place)
                    if fnmatchcase(name, part) and name.startswith(".") == part.startswith(".")
                ]
            else:
                found = [os.path.join(place, part) for place in found]  # noqa: PTH118
        return tuple(path for path in found if self.exists(path))

    @contextmanager
    def copied(self, *paths: str) -> Iterator[Path]:
        """Copies of some files side by side in a temporary folder, the first one's path; for databases.

        Opening a database in its place would lock it for the program that uses it, or write into it. Files
        that are absent are left out, except the first. Raises FileNotFoundError, UnreadableError.
        """
        folder = Path(tempfile.mkdtemp(prefix="kzmitm-"))
        try:
            for number, path in enumerate(paths):
                if number and not self.is_file(path):
                    continue
                (folder / PurePosixPath(path).name).write_bytes(self.read(path))
            yield folder / PurePosixPath(paths[0]).name
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _open(self, path: str) -> Iterator[int]:
        try:
            # O_NONBLOCK: a pipe in the place of a file must not hold us up.
            descriptor = os.open(self._real(path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(path) from None
        except (OSError, ValueError) as exc:
            why = reason_of(exc)
            raise UnreadableError(why) from None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableError("not a plain file")
            yield descriptor
        except OSError as exc:
            raise UnreadableError(reason_of(exc)) from None
        finally:
            os.close(descriptor)

    def _status(self, path: str) -> os.stat_result | None:
        try:
            return os.stat(self._real(path))  # noqa: PTH116 (a path already resolved)
        except (OSError, ValueError):
            return None

    def _real(self, path: str) -> str:
        """Where a path of the system is on this computer; raises OSError for a ring of links."""
        if self.root == Path("/"):
            return path
        left = list(PurePosixPath(path).parts[1:])
        done: list[str] = []
        links = 0
        while left:
            part = left.pop(0)
            if part == "..":
                done = done[:-1]
                continue
            here = self.root.joinpath(*done, part)
            if not here.is_symlink():
                done.append(part)
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = PurePosixPath(here.readlink())
            if target.is_absolute():
                done = []
            left = [each for each in target.parts if each != "/"] + left
        return str(self.root.joinpath(*done))
