"""The Python that has OONI's `oonidata`, in an environment of its own."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def oonidata_python() -> str:
    """Its path; skips the test where there is none."""
    named = os.environ.get("KZMITM_OONIDATA_PYTHON")
    python = Path(named) if named else ROOT / ".venv-oonidata" / "bin" / "python"
    if not python.exists():
        reason = "no environment with oonidata (make .venv-oonidata/.done, or KZMITM_OONIDATA_PYTHON)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return str(python)
