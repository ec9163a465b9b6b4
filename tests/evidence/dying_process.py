"""Dies by SIGKILL before its first step on the disk, in another process before its second, and so on.

argv: `write` or `recover`, a folder, and for `recover` a folder to be copied. In a folder N below it, N steps
were made. A line of stdout per folder: how many targets the writer was told to be safe, and how it ended.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from evidence_samples import CLEAN, FINISHED
from journal_samples import KEY, add, key_of, plan, proven

from kzmitm.evidence.journal import JournalWriter, read_journal
from kzmitm.evidence.recovery import recover, write_bundle

STEPS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")
TARGETS = 3
write_octets = os.write


class Death:
    """Counts steps, and ends the process at one of them."""

    def __init__(self, steps: int, folder: Path) -> None:
        self.left = steps
        self.folder = str(folder)

    def is_due(self) -> bool:
        self.left -= 1
        return self.left < 0

    def hear(self, event: str, args: tuple) -> None:
        if event in STEPS and (event != "open" or str(args[0]).startswith(self.folder)) and self.is_due():
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, descriptor: int, octets: bytes) -> int:
        """Half of it is written when death comes."""
        if self.is_due():
            write_octets(descriptor, bytes(octets)[: len(octets) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return write_octets(descriptor, octets)


def write(folder: Path, tell: int) -> None:
    with JournalWriter.begin(folder, plan()) as writer:
        for number in range(TARGETS):
            add(writer, proven(number))
            write_octets(tell, b".")
        writer.amend(proven(0), CLEAN, explanation="settled")
        writer.finish(finished_at=FINISHED)
        write_bundle(read_journal(writer.medium), writer.medium.path, KEY)


def main() -> None:
    kind, base = sys.argv[1], Path(sys.argv[2])
    steps, status = 0, 1
    while status:
        folder = base / str(steps)
        if kind == "recover":
            shutil.copytree(sys.argv[3], folder)
        else:
            folder.mkdir()
        ear, tell = os.pipe()
        process = os.fork()
        if not process:
            death = Death(steps, folder)
            sys.addaudithook(death.hear)
            os.write = death.write
            if kind == "recover":
                recover(folder, key_of)
            else:
                write(folder, tell)
            os._exit(0)
        os.close(tell)
        _, status = os.waitpid(process, 0)
        with os.fdopen(ear, "rb") as said:
            print(len(said.read()), -os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201
        steps += 1


main()
