"""kill -9 at any moment: the next start makes exactly the bundle of what was measured, and no rubbish."""

import hashlib
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from journal_samples import check_schemas, key_of, killed, members, octets_of, proven, rubbish, verified

from kzmitm.evidence.bundle_reader import read_bundle
from kzmitm.evidence.journal import PREFIX
from kzmitm.evidence.recovery import recover

HERE = Path(__file__).parent
TARGETS = 12
STEPS = TARGETS + 3
"""The beginning, each target, the end, the bundle."""
KILLS = 2 * STEPS


def recovered(folder, safe, *, most, target=None):
    """Recover what a killed writer left, and check it; `safe` targets had been added, at most `most`."""
    expected = None
    for journal in folder.glob(f"{PREFIX}*"):
        lines = journal / "measurements.jsonl"
        if (journal / "journal.json").exists() and b"\n" in lines.read_bytes():
            expected = octets_of(journal)
    found = recover(folder, key_of)
    assert all(each.bundle is not None for each in found), found
    assert rubbish(folder) == []
    bundles = list(folder.iterdir()) if folder.exists() else []
    if not bundles:
        assert (safe, expected) == (0, None)
        return None
    (path,) = bundles
    if expected is not None:
        assert (path.name, path.read_bytes()) == (target or expected[0], expected[1])
    check_schemas(members(path))
    assert verified(path).is_unaltered
    with read_bundle(path) as bundle:
        measured = list(bundle.measurements())
        rows = [row["target"] for row in bundle.rows()]
        complete = bundle.complete
    assert measured == [proven(number) for number in range(len(measured))]
    assert rows == [f"www{number}.example.test" for number in range(len(rows))]
    assert safe <= len(rows) <= len(measured) <= most
    assert len(measured) <= len(rows) + 1
    octets = path.read_bytes()
    assert recover(folder, key_of) == ()
    assert list(folder.iterdir()) == [path]
    assert path.read_bytes() == octets
    return complete


def kill_in(step, spin, folder):
    """Let a writer begin its `step`-th step, and kill it `spin` rounds of work later; all that it said."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "stepwise_writer.py"), str(folder), str(TARGETS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as writer:
        said = ""
        for _ in range(step):
            said += writer.stdout.readline()
            writer.stdin.write("\n")
            writer.stdin.flush()
        for _ in range(spin):
            hashlib.sha256(b"x" * 1000).digest()
        writer.send_signal(signal.SIGKILL)
        return said + writer.stdout.read()


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_writer_that_is_killed_at_a_random_moment(tmp_path, seed):
    # Every step in its turn, and a moment of its own inside it.
    step = 1 + seed % STEPS
    said = kill_in(step, random.Random(seed).randrange(2500), tmp_path / "out")
    added = said.count("added")
    complete = recovered(tmp_path / "out", added, most=added + 1)
    if "finished" in said:
        assert complete


def die_at_every_step(kind, folder, copied=None):
    """(folder, targets that were safe, signal) of each death of `dying_process.py`."""
    done = subprocess.run(
        [sys.executable, str(HERE / "dying_process.py"), kind, *map(str, filter(None, (folder, copied)))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ends = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert {status for _, status in ends[:-1]} == {signal.SIGKILL}
    assert ends[-1][1] == 0
    return [(folder / str(number), safe) for number, (safe, _) in enumerate(ends)]


def test_a_writer_that_is_killed_at_each_of_its_steps(tmp_path):
    deaths = die_at_every_step("write", tmp_path)
    assert len(deaths) > 60
    for folder, safe in deaths:
        recovered(folder, safe, most=3)
    assert {safe for _, safe in deaths} == {0, 1, 2, 3}


@pytest.mark.parametrize("target", [None, "mine.zip"])
def test_a_recovery_that_is_killed_at_each_of_its_steps(tmp_path, target):
    killed(tmp_path / "left", target=target)
    journal = next((tmp_path / "left").iterdir())
    (journal / ".part-0123456789abcdef").write_bytes(b"half")
    name, octets = octets_of(journal)
    (tmp_path / "tried").mkdir()
    deaths = die_at_every_step("recover", tmp_path / "tried", tmp_path / "left")
    assert len(deaths) > 25
    for folder, _ in deaths:
        recovered(folder, 3, most=3, target=target)
        assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [(target or name, octets)]
