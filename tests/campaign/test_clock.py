"""A clock that is set while a campaign runs, as libfaketime sets one: rounds and rates go by what passed."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
HOURS_6 = 6 * 3600
CAMPAIGN = """[campaign]
name = "clock"
contact = "nobody@example.org"
[targets]
names = ["a.test", "b.test", "c.test", "d.test"]
[controls]
names = ["c.test"]
every = 0
[rounds]
count = 3
every = "1500ms"
[limits]
rate = 10
endpoint_gap = "100ms"
endpoint_concurrency = 10
network_concurrency = 10
timeout = "1s"
[collect]
families = [4]
doh = false
follow_ups = false
"""


@contextmanager
def running(folder, clock):
    """The campaign of a folder, by a clock that a file sets."""
    words = ("campaign", "run", folder / "clock.toml", "--out", folder / "out", "--i-understand")
    environment = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "kzmitm", *map(str, words), "--connect-to", "::127.0.0.1:1"],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed")
def test_rounds_keep_their_distance_whatever_the_clock_is_set_to(tmp_path):
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    (tmp_path / "clock.toml").write_text(CAMPAIGN)
    begun = []
    with running(tmp_path, clock) as child:
        for line in child.stderr:
            if line.startswith("round ") and line.endswith("to do\n"):
                begun.append(time.monotonic())
                clock.write_text(f"{(HOURS_6, -HOURS_6, HOURS_6)[len(begun) - 1]:+}\n")
        assert child.wait(20) == 0
    assert len(begun) == 3
    assert all(1.3 < later - earlier < 10 for earlier, later in pairwise(begun))
    times = [
        each["at"] for each in events(tmp_path / "out/campaign.log") if each.get("event") == "round_started"
    ]
    assert times[0] < times[1] > times[2]  # the clock as it was
    for number in (1, 2, 3):
        manifest = json.loads((tmp_path / f"out/rounds/000{number}/here/manifest.json").read_text())
        assert manifest["jobs"] == {"done": 4, "failed": 0, "left": 0}


def events(path):
    return [json.loads(line.partition(" ")[2]) for line in path.read_text().splitlines()]
