"""What a verb is given to judge by: the registry, the pinned store, files of the user."""

import hashlib
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from kzmitm import resources
from kzmitm.errors import FingerprintError, UsageError
from kzmitm.pki.baseline import Baseline, pinned_baseline
from kzmitm.pki.registry import Registry, parse_registry
from kzmitm.pki.store import TrustStore, parse_store

MAX_STORE_OCTETS = 16 << 20
"""The store of every program on earth together is below 2 MiB."""

STDIN = "-"

CUSTOM = "custom"
"""What results call a store of the user."""

PINNED = "mozilla"
"""The pinned store: NAME.pem, and NAME.toml that says where and when it was taken."""


def baseline_of() -> Baseline:
    """Every root that a public programme carries or carried."""
    return pinned_baseline(resources.truststore_files())


def registry_of(overlays: Sequence[Path]) -> Registry:
    """The registry with the overlays laid over it, the last one on top."""
    return parse_registry(resources.fingerprint_files(overlays))


def store_of(path: str | None) -> TrustStore:
    """The pinned store, or the one in the PEM file of `--store`, which only its hash names in results.

    A file's name is chosen by the user and may tell who that is.
    """
    if path is None:
        return _pinned_store()
    pem = read_file(path, option="--store", max_octets=MAX_STORE_OCTETS)
    try:
        return parse_store(pem, name=CUSTOM, version="", date="")
    except UsageError as exc:
        raise UsageError(
            f"--store: {path}: it holds no certificate that could be trusted", hint=exc.hint
        ) from None


def pinned_pem() -> str:
    """The roots of the pinned store, whatever `--store` says: encrypted DNS is checked against them."""
    # Between the blocks stand names of authorities in all scripts; `ssl` takes ASCII only.
    return resources.truststore_files().get(f"{PINNED}.pem", b"").decode("ascii", "ignore")


def _pinned_store() -> TrustStore:
    files = resources.truststore_files()
    try:
        pem, about = files[f"{PINNED}.pem"], tomllib.loads(files[f"{PINNED}.toml"].decode())
        name, version, date, sha256 = (str(about[key]) for key in ("name", "version", "date", "sha256"))
    except (KeyError, ValueError) as exc:
        raise FingerprintError(
            f"the pinned trust store is damaged: {exc}", hint="install kzmitm again"
        ) from exc
    if hashlib.sha256(pem).hexdigest() != sha256:
        raise FingerprintError("the pinned trust store is not the one described", hint="install kzmitm again")
    return parse_store(pem, name=name, version=version, date=date)


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
