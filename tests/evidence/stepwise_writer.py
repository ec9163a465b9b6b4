"""Writes argv[2] targets into the bundle argv[1], a step per line on stdin; to be killed."""

import sys
from pathlib import Path

from evidence_samples import CLEAN, FINISHED, header, measurement

from kzmitm.evidence.bundle import BundleWriter


def step(word: str) -> None:
    """Say what was done last; go on at a line on stdin."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()
    sys.stdin.readline()


directory, count = Path(sys.argv[1]), int(sys.argv[2])
step("started")
writer = BundleWriter(directory, header=header())
step("opened")
for i in range(count):
    writer.add(measurement(i), CLEAN, failures=[None])
    step(f"added {i}")
writer.finish(finished_at=FINISHED)
step("finished")
