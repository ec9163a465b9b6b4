"""The programs in the network: started inside a host, awaited, stopped, and reaped by process 1."""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kzmitm.lab.errors import LaboratoryError
from kzmitm.wording import Wording

START_TIMEOUT_S = 10.0
"""squid listens after a second on an idle machine; the rest is for a busy one."""
POLL_S = 0.005
COMMAND_TIMEOUT_S = 10.0
"""`ip` and `nft` answer in milliseconds."""
LOG_TAIL = 400
"""Characters of a program's last words that are passed on."""

READY = "READY"
"""What programs of ours say when they are in force."""

LISTEN = "0A"
"""A TCP socket that listens, in /proc/net/tcp (include/net/tcp_states.h)."""
UNCONNECTED = "07"
"""The same for UDP, in /proc/net/udp."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port that somebody listens on."""

    number: int
    protocol: str = "tcp"


class Processes:
    """Programs by name. Every one leads a process group of its own, inside a host's network namespace."""

    def __init__(self, directory: Path, hosts: Mapping[str, int]) -> None:
        """`hosts` are the network namespaces, as file descriptors that this process holds open."""
        self._directory = directory
        self._hosts = hosts
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def host_descriptors(self) -> dict[str, int]:
        """The descriptor of this process that holds each host's namespace."""
        return dict(self._hosts)

    def inside(self, host: str) -> list[str]:
        """The words before a command that run it inside a host."""
        return ["nsenter", f"--net=/proc/1/fd/{self._hosts[host]}", "--"]

    def execute(self, host: str, argv: Sequence[str], text: str = "") -> str:
        """Run a short command inside a host; its output. Raises LaboratoryError if it fails."""
        try:
            done = subprocess.run(
                [*self.inside(host), *argv],
                input=text,
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
                env=self._environment(),
            )
        except subprocess.TimeoutExpired as exc:
            raise LaboratoryError("{argv} did not end", argv=argv[0]) from exc
        if done.returncode:
            words = " ".join(done.stderr.split())[-LOG_TAIL:]
            raise LaboratoryError(
                "{argv}: {words}",
                argv=" ".join(argv[:4]),
                words=words or Wording("ended with {returncode}", returncode=done.returncode),
            )
        return done.stdout

    def start(
        self,
        name: str,
        host: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
    ) -> None:
        """Start a program; `stdin` is given to it on a pipe that stays open until it is stopped."""
        with (self._directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*self.inside(host), *argv],
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env=self._environment(),
                start_new_session=True,
            )
        self._running[name] = process
        if stdin is not None:
            assert process.stdin is not None  # noqa: S101 - a pipe by construction
            with contextlib.suppress(BrokenPipeError):  # said by wait_for, with its last words
                process.stdin.write(stdin)
                process.stdin.flush()

    def wait_for(self, name: str, *ports: Port) -> None:
        """Return once somebody listens on every port in the program's namespace; raises LaboratoryError."""
        self._wait(name, lambda pid: all(_listens(pid, port) for port in ports), Wording("does not listen"))

    def wait_for_word(self, name: str, word: str) -> None:
        """Return once the program has said a word in its log; raises LaboratoryError."""
        log = self._directory / f"{name}.log"
        self._wait(
            name, lambda _pid: word.encode() in log.read_bytes(), Wording("does not say {word}", word=word)
        )

    def stop(self, name: str) -> None:
        """End a program and all of its group; return when it is gone. Nothing of it is worth saving."""
        process = self._running.pop(name, None)
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        process.wait()

    def reap(self) -> None:
        """Take leave of all that ended: orphans, too, are process 1's to bury."""
        own = {process.pid: process for process in self._running.values()}
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                process = own.get(ended.si_pid)
                if process is not None:
                    process.poll()  # keeps how it ended
                else:
                    os.waitpid(ended.si_pid, 0)

    def last_words(self, name: str) -> str:
        """The end of a program's log, in one line."""
        try:
            text = (self._directory / f"{name}.log").read_text(errors="replace")
        except OSError:
            return Wording("(no log)")
        return " ".join(text[-LOG_TAIL:].split()) or Wording("(it said nothing)")

    def _wait(self, name: str, is_ready: Callable[[int], bool], complaint: str) -> None:
        process = self._running[name]
        deadline = time.monotonic() + START_TIMEOUT_S
        with _pidfd(process.pid) as ends:
            while not is_ready(process.pid):
                if select.select([ends], [], [], POLL_S)[0]:
                    code = process.wait()
                    raise LaboratoryError(
                        "{name} ended with {code}: {name_2}",
                        name=name,
                        code=code,
                        name_2=self.last_words(name),
                    )
                if time.monotonic() > deadline:
                    raise LaboratoryError(
                        "{name} {complaint}: {name_2}",
                        name=name,
                        complaint=complaint,
                        name_2=self.last_words(name),
                    )

    def _environment(self) -> dict[str, str]:
        """Little, so that nothing of the user's shell changes what the laboratory does."""
        return {
            "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin",
            "HOME": str(self._directory),
            "TMPDIR": str(self._directory),
            "LC_ALL": "C",
        } | {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    fd = os.pidfd_open(pid)
    try:
        yield fd
    finally:
        os.close(fd)


def _listens(pid: int, port: Port) -> bool:
    """True if a socket of the namespace of a process listens on a port, of either address family."""
    state = LISTEN if port.protocol == "tcp" else UNCONNECTED
    for family in ("", "6"):
        try:
            lines = Path(f"/proc/{pid}/net/{port.protocol}{family}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == state and fields[1].endswith(f":{port.number:04X}"):
                return True
    return False
