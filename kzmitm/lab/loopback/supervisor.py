"""Runs the interceptors for a laboratory and survives it just long enough to clean up.

A script of its own, started as `python -I -S supervisor.py DIRECTORY`. Its standard input is a pipe from the
laboratory: one JSON command per line. When the pipe ends, however the laboratory ended (SIGKILL included),
every process group is killed and the private directory with the keys removed. That needs no privilege, no
prctl, and no code between fork and exec in a process that has threads.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

PREFIX = "kzmitm-lab-"
"""Only a directory of this name is ever removed."""

PR_SET_CHILD_SUBREAPER = 36
"""linux/prctl.h"""


class Supervisor:
    """The interceptors by name, each leader of its own process group."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command and say how that went."""
        name = command["name"]
        if command["do"] == "start":
            return self._start(name, command["argv"])
        if command["do"] == "stop":
            self._stop(name)
            return {}
        return {"exit": self._processes[name].poll()}

    def clean_up(self) -> None:
        """Kill what runs, then remove the directory."""
        for name in list(self._processes):
            self._stop(name)
        if self._directory.name.startswith(PREFIX):
            shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, name: str, argv: list[str]) -> dict[str, Any]:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._directory),
            "TMPDIR": str(self._directory),
            "LC_ALL": "C",
        }
        with (self._directory / f"{name}.log").open("wb") as log:
            try:
                self._processes[name] = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._directory,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as exc:
                return {"error": f"{argv[0]}: {exc.strerror}"}
        return {}

    def _stop(self, name: str) -> None:
        """SIGKILL to the whole group: nothing of an interceptor is worth saving, and sslsplit forks."""
        process = self._processes.pop(name, None)
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with contextlib.suppress(ChildProcessError):
            while True:  # what it forked came to us when it died
                os.waitpid(-process.pid, 0)


def _adopt_orphans() -> None:
    """Let grandchildren become our children when their parent dies, to be waited for (Linux, prctl(2))."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes  # noqa: PLC0415 - where Python was built without it, a zombie may be left to init

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _leave(_signal: int, _frame: object) -> NoReturn:
    sys.exit(0)


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    _adopt_orphans()
    supervisor = Supervisor(Path(sys.argv[1]))
    try:
        for line in sys.stdin:
            sys.stdout.write(json.dumps(supervisor.obey(json.loads(line))) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:
        pass  # the laboratory went while we answered
    finally:
        supervisor.clean_up()
        # what could not be written any more must not raise when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    main()
