r"""Registry files of another Windows (`NTUSER.DAT`, `SOFTWARE`), read by `regipy`, the extra `hives`.

What was written last may still be in the logs beside a file, which are not replayed.
"""

import importlib
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from kzmitm.roots.system import System, UnreadableError
from kzmitm.roots.windows_blob import moment
from kzmitm.roots.windows_keys import MAX_CERTIFICATES, KeptBlob
from kzmitm.wording import Wording

MAX_HIVE = 512 << 20
"""Octets of a file; that of the machine has about 100 MiB after years of use."""
MAX_SUBKEYS = 20_000
"""Keys beside each other that are looked at."""

NOT_INSTALLED = Wording("a file of the registry, which needs the extra `hives`: pip install 'kzmitm[hives]'")
DAMAGED = Wording("a damaged file of the registry")

_BASE = 4096
"""Octets of the base block; all offsets in a hive are from its end (Windows registry file format
specification, github.com/msuhanov/regf)."""
_ROOT_CELL = 32
"""Where the root key is, behind the head of the first bin."""


class Hive:
    """A registry file that is open."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def kept(self, key: str) -> Iterator[KeptBlob]:
        """The certificates below a key of the file; raises FileNotFoundError, UnreadableError."""
        try:
            found = self._root
            for part in key.split("\\"):
                found = self._subkey(found, part)
            for entry in islice(found.iter_subkeys(), MAX_CERTIFICATES):
                blob = entry.get_value("Blob")
                written_at = moment(int(entry.header.last_modified))
                yield KeptBlob(entry.name, blob if isinstance(blob, bytes) else b"", written_at)
        except FileNotFoundError:
            raise
        except Exception:  # noqa: BLE001 (of a damaged file the library raises whatever it meets)
            raise UnreadableError(DAMAGED) from None

    @staticmethod
    def _subkey(key: Any, name: str) -> Any:
        for each in islice(key.iter_subkeys(), MAX_SUBKEYS):
            if each.name.lower() == name.lower():
                return each
        raise FileNotFoundError(name)


@contextmanager
def opened(system: System, path: str) -> Iterator[Hive]:
    """A registry file by its path in the system; raises FileNotFoundError, UnreadableError."""
    octets = system.read(path, max_octets=MAX_HIVE)
    if not _is_sound(octets):
        raise UnreadableError(DAMAGED)
    try:
        library = importlib.import_module("regipy.registry")
    except ImportError:
        raise UnreadableError(NOT_INSTALLED) from None
    # It tells of damage in a log of its own; we tell of it in the reading.
    logging.getLogger("regipy").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="kzmitm-") as folder:
        file = Path(folder) / "hive"
        file.write_bytes(octets)
        del octets
        try:
            root = library.RegistryHive(str(file)).root
            next(root.iter_subkeys(), None)  # damage at the root is told of once, not for each store
        except Exception:  # noqa: BLE001 (as above)
            raise UnreadableError(DAMAGED) from None
    yield Hive(root)


def _is_sound(octets: bytes) -> bool:
    """The root key is where Windows puts it; the library would look for it for minutes in a made-up file."""
    cell = _BASE + _ROOT_CELL
    return (
        octets.startswith(b"regf")
        and octets[_BASE : _BASE + 4] == b"hbin"
        and int.from_bytes(octets[36:40], "little") == _ROOT_CELL
        and int.from_bytes(octets[cell : cell + 4], "little", signed=True) < 0
        and octets[cell + 4 : cell + 6] == b"nk"
    )
