"""kill -9 at any moment: every file is whole or not there, and what was added can be read."""

import hashlib
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from evidence_samples import measurement

from kzmitm.errors import BundleError
from kzmitm.evidence.bundle import BundleWriter, read_bundle

WRITER = Path(__file__).with_name("stepwise_writer.py")
TARGETS = 12
KILLS = 36
STEPS = TARGETS + 2
"""Opening, each target, the end."""


def kill_in(step: int, spin: int, directory: Path) -> str:
    """Let a writer begin its `step`-th step, and kill it `spin` rounds of work later; what it said last."""
    with subprocess.Popen(
        [sys.executable, str(WRITER), str(directory), str(TARGETS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        said = ""
        for _ in range(step):
            said = writer.stdout.readline()
            writer.stdin.write("\n")
            writer.stdin.flush()
        for _ in range(spin):
            hashlib.sha256(b"x" * 1000).digest()
        writer.send_signal(signal.SIGKILL)
        return said + writer.stdout.read()


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_writer_leaves_no_half_file(tmp_path, seed):
    rng = random.Random(seed)
    directory = tmp_path / "b"
    # Every step in its turn, and a moment of its own inside it.
    step = 1 + seed % STEPS
    said = kill_in(step, rng.randrange(1200), directory)
    opened = step > 1 or "opened" in said
    added = max(step - 2, 0) + (said.count("added") - (step > 2))

    for path in directory.glob("certs/*.der"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
    lines = (directory / "measurements.jsonl").read_bytes().split(b"\n") if opened else []
    for line in lines[:-1]:
        json.loads(line)
    try:
        bundle = read_bundle(directory)
    except BundleError:
        assert not opened
        assert not (directory / "scan.json").exists()
        return
    measured = list(bundle.measurements())
    assert measured == [measurement(i) for i in range(len(measured))]
    assert added <= len(measured) <= added + 1
    rows = [row["target"] for row in bundle.rows()]
    assert rows == [f"www{i}.example.test" for i in range(len(rows))]
    assert added <= len(rows) <= len(measured)
    for m in measured:
        for der in m.tls[0].presented_chain:
            assert bundle.certificate(hashlib.sha256(der).hexdigest()) == der
    if bundle.running:
        BundleWriter.reopen(directory).close()
        assert not list(directory.rglob(".part-*"))
    else:
        assert bundle.complete
        assert len(rows) == TARGETS
