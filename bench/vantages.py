"""What each kind of vantage costs: the same scan directly and through links to this computer itself.

    python bench/vantages.py [--pairs 2000] [--rounds 3] [--concurrency 200] [--loop asyncio]

Nothing is in the way but the link: sshd forwards to loopback, the namespace and the interface are the
computer's own. nginx and sshd share core 0, the client has core 1; rounds are interleaved. Root only.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from farm import free_port, running_farm
from handshakes import Job, kzmitm, measure, report

_SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile {folder}/pid
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
LogLevel QUIET
"""


@contextlib.contextmanager
def running_sshd(folder: Path) -> Iterator[str]:
    """sshd on core 0; yields the URI of the vantage."""
    sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if sshd is None:
        raise SystemExit("bench: sshd is missing (Debian: openssh-server)")
    port = free_port()
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "config").write_text(_SSHD.format(port=port, folder=folder))
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen(["taskset", "-c", "0", sshd, "-D", "-f", str(folder / "config")])
    try:
        while not (folder / "pid").exists():
            time.sleep(0.02)
        yield f"ssh://127.0.0.1:{port}?key={folder / 'user'}&known_hosts={folder / 'known'}"
    finally:
        server.terminate()
        server.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument("--loop", default="asyncio")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("bench: root only, for the namespace")
    with tempfile.TemporaryDirectory(prefix="kzbench-") as name:
        folder = Path(name)
        with running_farm(folder / "farm", arguments.pairs) as farm, running_sshd(folder) as ssh:
            vantages = {
                "direct": "direct:",
                "netns": "netns:/proc/self/ns/net",
                "interface": "interface:lo",
                "ssh": ssh,
            }
            job = Job(farm, "TLSv1.3", arguments.pairs, arguments.concurrency, folder)
            clients = {
                f"kzmitm {kind}": lambda job, pairs, via=via: kzmitm(job, pairs, arguments.loop, via)
                for kind, via in vantages.items()
            }
            report(
                f"TLS 1.3, {arguments.concurrency} at once, {arguments.loop}",
                arguments.pairs,
                measure(job, arguments.rounds, clients),
            )


if __name__ == "__main__":
    main()
