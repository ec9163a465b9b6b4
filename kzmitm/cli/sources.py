"""What a verb is given to judge by: the registry, the pinned store, files of the user."""

import sys
from collections.abc import Sequence
from pathlib import Path

from kzmitm import resources
from kzmitm.errors import UsageError
from kzmitm.pki.registry import Registry, parse_registry

MAX_STORE_OCTETS = 16 << 20
"""The store of every program on earth together is below 2 MiB."""

STDIN = "-"


def registry_of(overlays: Sequence[Path]) -> Registry:
    """The registry with the overlays laid over it, the last one on top."""
    return parse_registry(resources.fingerprint_files(overlays))


def read_file(path: str, *, option: str, max_octets: int) -> bytes:
    """The content of a file the user named (`-` for stdin); raises UsageError that says what is wrong."""
    try:
        if path == STDIN:
            content = sys.stdin.buffer.read(max_octets + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(max_octets + 1)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise UsageError(f"{option}: {path}: {reason}", hint="name a file that can be read") from exc
    if len(content) > max_octets:
        raise UsageError(
            f"{option}: {path}: larger than {max_octets >> 20} MiB", hint="is it the right file?"
        )
    return content
