"""Starting a laboratory, finding one that is up, and running commands in its hosts."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kzmitm.errors import UsageError
from kzmitm.lab.control.channel import Channel, address, peer_uid
from kzmitm.lab.control.commands import environment_inside, module_command, module_environment, search_path
from kzmitm.lab.errors import LaboratoryError
from kzmitm.lab.network.namespaces import UNSHARE, entering
from kzmitm.wording import Wording, put_together

NETWORK = (*UNSHARE, *module_command("kzmitm.lab.network.labd"))
LOOPBACK = tuple(module_command("kzmitm.lab.loopback.labd"))
"""The commands of the two laboratories."""
START_TIMEOUT_S = 20.0
"""It takes half a second; the rest is for a busy machine."""
MAX_WORD = 65_536
DEFAULT_NAME = "default"
"""Of the laboratory that is meant where none is named."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)


class Lab:
    """A laboratory that is up, seen from outside. Each order is an answer of process 1."""

    def __init__(self, channel: Channel, process: subprocess.Popen[bytes] | None = None) -> None:
        """`process` is what started it, if it belongs to this process and ends with it."""
        self._channel = channel
        self._process = process
        self.status = self._channel.ask("status")
        """What is on, what there is, and where; as of the last order."""

    @property
    def is_network(self) -> bool:
        """A network of namespaces, and not the laboratory on loopback."""
        return bool(self.status["kind"] == "network")

    def scan_words(self, hostnames: Sequence[str]) -> list[str]:
        """What a scan on loopback must be told, beside the sites."""
        return list(self._channel.ask("scan_words", hostnames=list(hostnames))["words"])

    @property
    def pid(self) -> int:
        """Process 1 of the laboratory, as this process sees it."""
        return self._channel.pid

    @property
    def directory(self) -> Path:
        """The laboratory's memory, as those inside see it."""
        return Path(self.status["directory"])

    @property
    def outer_directory(self) -> Path:
        """The same, as this process sees it."""
        return Path(f"/proc/{self.pid}/root{self.directory}")

    def refresh(self) -> Mapping[str, Any]:
        """Ask again what is on; others may have given orders meanwhile."""
        self.status = self._channel.ask("status")
        return self.status

    def switch_on(self, profile: str, given: Mapping[str, str]) -> None:
        """Switch a profile on in place of what was on; raises UsageError, LaboratoryError."""
        self.status = self._channel.ask("on", profile=profile, given=dict(given))

    def switch_off(self) -> None:
        """Take away what is on."""
        self.status = self._channel.ask("off")

    def genuine(self) -> Mapping[str, tuple[bytes, ...]]:
        """The chain that each site itself presents, DER in order."""
        answer = self._channel.ask("genuine")
        return {name: tuple(map(bytes.fromhex, chain)) for name, chain in answer.items()}

    def prefix(self, host: str) -> list[str]:
        """The words before a command that run it in a host; raises UsageError for an unknown one."""
        hosts = self.status["hosts"]
        if host not in hosts:
            raise UsageError(
                "no host is called {host}",
                hint="there is: {hosts}",
                host=repr(host[:40]),
                hosts=", ".join(hosts),
            )
        if not self.is_network:
            return []
        # Set inside, as what is preloaded must touch nothing on this side.
        variables = [f"{name}={value}" for name, value in self.status["environment"].get(host, {}).items()]
        return [*entering(self.pid, hosts[host]), *(["env", *variables] if variables else [])]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every command inside: the user's, less what would turn its trust."""
        return module_environment(environment_inside(os.environ))

    def run(self, host: str, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command in a host to its end and return what it said."""
        return subprocess.run(
            [*self.prefix(host), *argv],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )

    def call(self, host: str, argv: Sequence[str]) -> int:
        """Run a command in a host with this terminal; its exit code, 128 + N after a signal N, as shells say.

        Ctrl-C is the command's to take, not ours.
        """
        # nsenter ignores it with us, else it would go and leave the command behind; and as it cannot die of a
        # signal that it ignores, a shell inside tells how the command ended.
        heeding = ("sh", "-c", '"$@"; exit $?', "sh", "env", "--default-signal=INT")
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            code = subprocess.call([*self.prefix(host), *heeding, *argv], env=self.environment)
        finally:
            signal.signal(signal.SIGINT, before)
        return code if code >= 0 else 128 - code

    def down(self) -> None:
        """End it; return when everything of it is gone."""
        # What started it holds its name as well, and goes a moment later.
        with _ending(self.pid) as ended, _ending(_parent(self.pid)) as parent_ended:
            with contextlib.suppress(LaboratoryError):  # it may be going already
                self._channel.ask("down")
            for end in (ended, parent_ended):
                if end is not None:
                    select.select([end], [], [], START_TIMEOUT_S)
        self.close()

    def close(self) -> None:
        """Let go of it; one that belongs to this process ends by that."""
        self._channel.close()
        if self._process is not None:
            self._process.wait()


def own_lab(now: datetime) -> Lab:
    """A new network that belongs to this process: it ends with it, however that ends.

    Raises LaboratoryError if it does not come up.
    """
    here, there = socket.socketpair()
    with _hung_up_on_failure(here):
        with there:
            process = _start(NETWORK, now, ("--channel", str(there.fileno())), there.fileno())
        return Lab(Channel(here), process)


def start_lab(name: str, now: datetime, *, is_network: bool) -> Lab:
    """A new laboratory that stays until `down`; raises UsageError if there is one of this name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.bind(address(_checked(name), os.getuid()))
        except OSError as exc:
            raise UsageError(
                "the laboratory {name} is up already", hint="kzmitm lab down", name=name
            ) from exc
        command = NETWORK if is_network else LOOPBACK
        _start(command, now, ("--listen", str(sock.fileno())), sock.fileno())
    return find_lab(name)


def find_lab(name: str) -> Lab:
    """The network of this user and name that is up; raises UsageError if there is none."""
    where = address(_checked(name), os.getuid())
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _hung_up_on_failure(sock):
        try:
            sock.connect(where)
            if peer_uid(sock) != os.getuid():
                raise ConnectionError(Wording("a stranger listens there"))
        except OSError as exc:
            if name == DEFAULT_NAME:
                raise UsageError("no laboratory is up", hint="kzmitm lab up") from exc
            raise UsageError(
                "no laboratory is up by the name {name}", hint="kzmitm lab up --name {name}", name=name
            ) from exc
        return Lab(Channel(sock))


@contextlib.contextmanager
def _hung_up_on_failure(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            "--name: not possible: {name}",
            hint="letters, digits, dot, dash, underscore",
            name=repr(name[:40]),
        )
    return name


def _start(command: Sequence[str], now: datetime, words: Sequence[str], fd: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [*command, "--now", now.isoformat(), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[fd],
        start_new_session=True,  # Ctrl-C is for the command that uses the laboratory
        env=module_environment({**os.environ, "PATH": search_path()}),
        cwd="/",
    )
    assert process.stdout is not None  # noqa: S101 - pipes by construction
    assert process.stderr is not None  # noqa: S101
    with process.stdout, process.stderr:
        ready, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
        line = process.stdout.readline(MAX_WORD) if ready else b""
        if not line:
            process.kill()
            words_of = b"" if ready == [] else process.stderr.read(MAX_WORD)
            process.wait()
            last = " ".join(words_of.decode(errors="replace").split())[-400:]
            raise LaboratoryError("the laboratory did not come up: {last}", last=last or Wording("no answer"))
    answer = json.loads(line)
    if "error" in answer:
        process.wait()
        raise LaboratoryError(put_together(answer, "error"), hint=put_together(answer, "hint"))
    return process


def _parent(pid: int) -> int:
    """The parent of a process, 0 if either is none of ours (proc(5): `stat`)."""
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        return parent if Path(f"/proc/{parent}/comm").read_text().strip() == UNSHARE[0] else 0
    except OSError:
        return 0


@contextlib.contextmanager
def _ending(pid: int) -> Iterator[int | None]:
    """A descriptor that becomes readable when a process ends; None if it has."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:  # also for 0
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)
