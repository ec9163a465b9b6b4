"""sshd of OpenSSH on loopback, with keys, configuration and known hosts of its own in one folder."""

import contextlib
import getpass
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator
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
        self._said = said

    def wait_until_said(self, words: bytes) -> None:
        """Return when the log holds the words."""
        while words not in self._said:
            assert select.select([self.process.stderr], [], [], 10)[0], self._said
            self._said += os.read(self.process.stderr.fileno(), 65536)

    def stop(self) -> None:
        """Let it be there and say nothing; who connects to the kernel is not refused."""
        for pid in _family(self.process.pid):
            os.kill(pid, signal.SIGSTOP)

    def kill(self) -> None:
        """End it and all its connections."""
        if self.process is not None:
            for pid in _family(self.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            self.process.stderr.close()
            self.process = None


def _family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


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
