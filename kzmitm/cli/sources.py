"""What a verb is given to judge by: the registry, the pinned store, files of the user."""

import sys
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from kzmitm import resources
from kzmitm.errors import UsageError
from kzmitm.pki.baseline import Baseline, pinned_baseline
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.registry import Registry, parse_registry
from kzmitm.pki.root_class import classify
from kzmitm.pki.store import TrustStore, parse_store, pinned_store
from kzmitm.roots.examination import Classify
from kzmitm.wording import reason_of

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


def root_classifier(overlays: Sequence[Path], now: datetime, cache: CertificateCache) -> Classify:
    """What tells the class of a root at `now`, by the registry with overlays and the baseline."""
    return partial(classify, registry=registry_of(overlays), baseline=baseline_of(), cache=cache, now=now)


def registry_of(overlays: Sequence[Path]) -> Registry:
    """The registry with the overlays laid over it, the last one on top."""
    return parse_registry(resources.fingerprint_files(overlays))


def store_of(path: str | None) -> TrustStore:
    """The pinned store, or the one in the PEM file of `--store`, which only its hash names in results.

    A file's name is chosen by the user and may tell who that is.
    """
    if path is None:
        return pinned_store(resources.truststore_files(), PINNED)
    pem = read_file(path, option="--store", max_octets=MAX_STORE_OCTETS)
    try:
        return parse_store(pem, name=CUSTOM, version="", date="")
    except UsageError as exc:
        raise UsageError(
            "--store: {path}: it holds no certificate that could be trusted", hint=exc.hint, path=path
        ) from None


def pinned_pem() -> str:
    """The roots of the pinned store, whatever `--store` says: encrypted DNS is checked against them."""
    # Between the blocks stand names of authorities in all scripts; `ssl` takes ASCII only.
    return resources.truststore_files().get(f"{PINNED}.pem", b"").decode("ascii", "ignore")


def read_file(path: str, *, option: str, max_octets: int) -> bytes:
    """The content of a file the user named (`-` for stdin); raises UsageError that says what is wrong."""
    try:
        if path == STDIN:
            content = sys.stdin.buffer.read(max_octets + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(max_octets + 1)
    except (OSError, ValueError) as exc:
        reason = reason_of(exc)
        raise UsageError(
            "{option}: {path}: {reason}",
            hint="name a file that can be read",
            option=option,
            path=path,
            reason=reason,
        ) from exc
    if len(content) > max_octets:
        raise UsageError(
            "{option}: {path}: larger than {max_octets} MiB",
            hint="is it the right file?",
            option=option,
            path=path,
            max_octets=max_octets >> 20,
        )
    return content
