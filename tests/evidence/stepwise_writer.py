"""Writes argv[2] targets into a journal in argv[1] and makes the bundle, a step per line on stdin."""

import sys
from pathlib import Path

from evidence_samples import FINISHED
from journal_samples import KEY, add, plan, proven

from kzmitm.evidence.journal import JournalWriter, read_journal
from kzmitm.evidence.recovery import write_bundle


def step(word: str) -> None:
    """Say what was done last; go on at a line on stdin."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()
    sys.stdin.readline()


folder, count = Path(sys.argv[1]), int(sys.argv[2])
measured = [proven(number) for number in range(count)]
step("started")
writer = JournalWriter.begin(folder, plan())
step("begun")
for each in measured:
    add(writer, each)
    step("added")
writer.finish(finished_at=FINISHED)
step("finished")
write_bundle(read_journal(writer.medium), writer.medium.path, KEY)
step("written")
writer.release()
