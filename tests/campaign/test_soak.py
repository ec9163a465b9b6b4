"""A short soak: a campaign under faults, whose every result the site's own log bears out (bench/soak.py)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[2] / "bench" / "soak.py"
PROGRAMS = ("nats-server", "microsocks", "tinyproxy", "ssh-keygen")


@pytest.mark.skipif(
    any(shutil.which(each) is None for each in PROGRAMS), reason=f"needs {', '.join(PROGRAMS)}"
)
@pytest.mark.parametrize("seed", [20261126])
def test_a_soak_of_some_seconds(seed, tmp_path):
    words = ("--minutes", "0.25", "--every", "7", "--targets", "25", "--without", "cut a proxy")
    done = subprocess.run(
        [sys.executable, SOAK, "--seed", str(seed), *words, "--keep", tmp_path / "soak"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(SOAK.parents[1])},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"complaints": 0' in done.stdout
