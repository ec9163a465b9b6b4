"""sshd of OpenSSH on loopback, with keys, configuration and known hosts of its own in one folder."""

import contextlib
import getpass
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_netio_proxies import free_port

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_sshd = pytest.mark.skipif(SSHD is None, reason="openssh-server is not installed")

_CONFIG = """\
Port {port}
ListenAddress {address}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
LogLevel DEBUG1
{more}
"""


def make_key(path: Path, *, passphrase: str = "") -> Path:
    """A new key of its own at `path`, its public half beside it."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


@dataclass
class Server:
    """A server that is running or can be started again."""

    folder: Path
    port: int
    address: str = "127.0.0.1"
    more: str = ""
    process: subprocess.Popen | None = None

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def uri(self, *, key: str = "user", host: str = "") -> str:
        at = host or (f"[{self.address}]" if ":" in self.address else self.address)
        keys = f"key={self.folder / key}&known_hosts={self.known_hosts}"
        return f"ssh://{getpass.getuser()}@{at}:{self.port}?{keys}"

    def know(self, key: str = "host") -> None:
        """Write this key down as the server's."""
        kind, octets, _ = (self.folder / f"{key}.pub").read_text().split()
        self.known_hosts.write_text(f"[{self.address}]:{self.port} {kind} {octets}\n")

    def start(self) -> None:
        config = self.folder / "sshd_config"
        config.write_text(
            _CONFIG.format(folder=self.folder, port=self.port, address=self.address, more=self.more)
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where its unprivileged half is locked into
        self.process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        said = b""
        while b"Server listening on" not in said:
            assert select.select([self.process.stderr], [], [], 10)[0], said
            data = os.read(self.process.stderr.fileno(), 4096)
            assert data, said
            said += data

    def stop(self) -> None:
        """Let it be there and say nothing; who connects to the kernel is not refused."""
        while any(state != "T" for state in _family(self.process.pid).values()):
            _signal(_family(self.process.pid), signal.SIGSTOP)

    def kill(self) -> None:
        """End it and all its connections."""
        if self.process is not None:
            _signal(_family(self.process.pid), signal.SIGKILL)
            self.process.wait()
            self.process.stderr.close()
            self.process = None


def _family(pid: int) -> dict[int, str]:
    """The state of a process and of its descendants; some may end meanwhile."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return {}
    found = {} if state == "Z" else {pid: state}
    for child in children:
        found |= _family(int(child))
    return found


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@contextlib.contextmanager
def running_sshd(folder: Path, *, address: str = "127.0.0.1", more: str = "") -> Iterator[Server]:
    """A server that lets in whoever has `folder`/user, and whose key is known."""
    for name in ("host", "user"):
        make_key(folder / name)
    shutil.copy(folder / "user.pub", folder / "authorized")
    server = Server(folder, free_port(), address, more)
    server.know()
    server.start()
    try:
        yield server
    finally:
        server.kill()
