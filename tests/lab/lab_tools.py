"""What the tests of the laboratory share: whether it can be here, and the command as its users start it."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from kzmitm.lab.opening import why_no_network
from kzmitm.lab.products import find_products, how_to_get

PRODUCTS = find_products()


def need(reason: str | None) -> None:
    """Skip if there is a reason to; in CI, where everything must be there, fail."""
    if reason is None:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def need_network() -> None:
    """Private namespaces, and the servers of the network."""
    need(why_no_network(PRODUCTS))


def need_products(*packages: str) -> None:
    missing = PRODUCTS.lacks(packages)
    need(f"needs {how_to_get(missing)}" if missing else None)


def kzmitm(*words: str) -> list[str]:
    return [sys.executable, "-m", "kzmitm", *words]


def run(
    *words: str, home: Path, given: str | None = None, before: Sequence[str] = (), **more: str
) -> "subprocess.CompletedProcess[str]":
    """The command with a home of its own, to its end; `before` are words before it."""
    return subprocess.run(
        [*before, *kzmitm(*words)],
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        text=True,
        check=False,
        env=environment(home, more),
    )


def environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    return kept | {"KZMITM_HOME": str(home), "NO_COLOR": "1"} | dict(more)
