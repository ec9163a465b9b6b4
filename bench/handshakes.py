"""Capture and verdict of many HOST/SNI pairs: kzmitm against curl and a Go scanner, in one run.

    python bench/handshakes.py [--pairs 5000] [--rounds 3] [--rtt] [--only kzmitm,go]

The server has core 0, each client core 1; the rounds are interleaved and the medians are compared, since
only ratios taken side by side mean something. `--rtt` puts 80 ms of round-trip time between (root only).
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from farm import Farm, running_farm

HERE = Path(__file__).resolve().parent
CLIENT_CORE = "1"
LEFT, RIGHT = "kzbench-client", "kzbench-server"


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds of wall, seconds of CPU, and the peak resident memory in MB."""

    wall: float
    cpu: float
    memory: float


def go_binary(name: str, folder: Path) -> Path | None:
    """Build bench/NAME with the Go of the bench's environment, or of the system."""
    go = shutil.which("go", path=f"{HERE.parent / '.venv-bench' / 'bin'}:{os.environ.get('PATH', '')}")
    if go is None:
        return None
    target = folder / name
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    subprocess.run([go, "build", "-o", str(target), "."], cwd=HERE / name, check=True, env=environment)
    return target


def run(command: list[str]) -> Cost:
    """Run a client on its core and take what it cost from the kernel."""
    cost = [sys.executable, str(HERE / "cost.py"), CLIENT_CORE]
    done = subprocess.run([*cost, *command], stdout=subprocess.PIPE, check=True)
    seen = json.loads(done.stdout)
    if seen["status"] != 0:
        raise SystemExit(f"bench: {command[0]} failed")
    return Cost(seen["wall"], seen["cpu"], seen["memory"])


def check_rows(path: Path, count: int) -> None:
    """Every pair must have given a verified two-certificate chain; else the figures mean nothing."""
    good = sum(1 for line in path.open() if (r := json.loads(line))["failure"] == "" and len(r["chain"]) == 2)
    if good != count:
        raise SystemExit(f"bench: {path.name} has {good} good rows of {count}")


@dataclass(frozen=True)
class Job:
    """One configuration of the bench."""

    farm: Farm
    version: str
    pairs: int
    concurrency: int
    folder: Path
    prefix: tuple[str, ...] = ()


def kzmitm(job: Job, pairs: Path, loop: str, via: str = "direct:") -> Cost:
    out = job.folder / "kz.jsonl"
    cost = run(
        [
            *job.prefix,
            sys.executable,
            str(HERE / "kz_client.py"),
            f"--roots={job.farm.roots}",
            f"--pairs={pairs}",
            f"--concurrency={job.concurrency}",
            f"--out={out}",
            f"--loop={loop}",
            f"--via={via}",
        ]
    )
    check_rows(out, job.pairs)
    return cost


def goscan(job: Job, pairs: Path, binary: Path) -> Cost:
    out = job.folder / "go.jsonl"
    arguments = [
        "-roots",
        str(job.farm.roots),
        "-pairs",
        str(pairs),
        "-concurrency",
        str(job.concurrency),
        "-out",
        str(out),
    ]
    cost = run([*job.prefix, str(binary), *arguments])
    check_rows(out, job.pairs)
    return cost


def curl(job: Job, pairs: Path) -> Cost:
    """curl verifies as the others do (with -k it would not), and asks for the head of a page besides."""
    config = job.folder / "curl.cfg"
    port = job.farm.ports[job.version]
    with config.open("w") as file:
        file.writelines(f'url = "https://{line.split()[0]}/"\n' for line in pairs.open())
    out = job.folder / "curl.txt"
    shell = (
        f"exec curl -sI -Z --parallel-max 200 --cacert {job.farm.roots} "
        f"--connect-to ::{job.farm.address}:{port} -w '%{{certs}}\\n' -K {config} > {out}"
    )
    cost = run([*job.prefix, "sh", "-c", shell])
    seen = out.read_text().count("BEGIN CERTIFICATE")
    if seen < 2 * job.pairs * 0.99:
        raise SystemExit(f"bench: curl captured {seen} certificates of {2 * job.pairs}")
    return cost


def measure(job: Job, rounds: int, peers: dict[str, object]) -> dict[str, Cost]:
    """Medians by client over interleaved rounds."""
    pairs = job.farm.write_pairs(job.version, job.folder / "pairs.txt", job.pairs)
    seen: dict[str, list[Cost]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, client in peers.items():
            seen[name].append(client(job, pairs))  # type: ignore[operator]
    medians = {name: _combine(costs, statistics.median) for name, costs in seen.items()}
    return medians | {f"{name} spread": _combine(costs, _spread) for name, costs in seen.items()}


def _combine(costs: list[Cost], combine: Callable[[list[float]], float]) -> Cost:
    return Cost(
        combine([c.wall for c in costs]), combine([c.cpu for c in costs]), combine([c.memory for c in costs])
    )


def _spread(values: list[float]) -> float:
    """(max - min) / median: the machine's noise."""
    return (max(values) - min(values)) / statistics.median(values)


def report(title: str, pairs: int, costs: dict[str, Cost]) -> None:
    print(f"\n{title}, {pairs} pairs")
    print(f"  {'client':<16}{'pairs/s':>9}{'cpu ms/pair':>13}{'RSS MB':>8}{'noise wall/cpu':>18}")
    names = [n for n in costs if not n.endswith(" spread")]
    for name in names:
        cost, noise = costs[name], costs[f"{name} spread"]
        print(
            f"  {name:<16}{pairs / cost.wall:>9.0f}{cost.cpu / pairs * 1e3:>13.3f}{cost.memory:>8.0f}"
            f"{noise.wall * 100:>11.0f}% /{noise.cpu * 100:>3.0f}%"
        )
    for ours in (n for n in names if n.startswith("kzmitm")):
        for peer in (n for n in names if not n.startswith("kzmitm")):
            cpu, wall = costs[peer].cpu / costs[ours].cpu, costs[peer].wall / costs[ours].wall
            print(f"  {ours} to {peer}: {cpu:.2f} in pairs per CPU second, {wall:.2f} in rate")


@contextlib.contextmanager
def delayed_wire(relay: Path) -> Iterator[None]:
    """Two namespaces joined by the relay with 40 ms each way."""
    for netns in (LEFT, RIGHT):
        subprocess.run(["ip", "netns", "add", netns], check=True)
    wire = None
    try:
        for netns in (LEFT, RIGHT):
            subprocess.run(["ip", "-n", netns, "link", "set", "lo", "up"], check=True)
        command = [
            "taskset",
            "-c",
            "0",
            str(relay),
            "-left",
            f"{LEFT}:198.18.0.1/24",
            "-right",
            f"{RIGHT}:198.18.0.2/24",
        ]
        wire = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert wire.stdout is not None
        if wire.stdout.readline() != b"ready\n":
            raise SystemExit("bench: the relay did not start")
        yield
    finally:
        if wire is not None:
            wire.kill()
            wire.wait()
        for netns in (LEFT, RIGHT):
            subprocess.run(["ip", "netns", "del", netns], check=False)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--hosts", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument(
        "--rtt", action="store_true", help="80 ms of round-trip time, 1,000 connections at once"
    )
    parser.add_argument("--only", default="kzmitm,uvloop,go,curl", help="clients to run")
    parser.add_argument("--versions", default="TLSv1.3,TLSv1.2")
    arguments = parser.parse_args()
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (16384, max(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    )
    with tempfile.TemporaryDirectory(prefix="kzbench-") as name:
        folder = Path(name)
        if arguments.rtt:
            with_delay(arguments, folder)
        else:
            on_loopback(arguments, folder)


def clients(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    only = arguments.only.split(",")
    found: dict[str, object] = {}
    if "kzmitm" in only:
        found["kzmitm"] = lambda job, pairs: kzmitm(job, pairs, "asyncio")
    if "uvloop" in only:
        found["kzmitm uvloop"] = lambda job, pairs: kzmitm(job, pairs, "uvloop")
    if "go" in only:
        binary = go_binary("goscan", folder)
        if binary is None:
            print("bench: no Go toolchain (make bench brings one), so no Go figures", file=sys.stderr)
        else:
            found["go"] = lambda job, pairs: goscan(job, pairs, binary)
    if "curl" in only and not arguments.rtt:
        found["curl -Z"] = curl
    return found


def on_loopback(arguments: argparse.Namespace, folder: Path) -> None:
    peers = clients(arguments, folder)
    with running_farm(folder / "farm", arguments.hosts) as farm:
        for version in arguments.versions.split(","):
            job = Job(farm, version, arguments.pairs, arguments.concurrency, folder)
            report(
                f"{version}, {arguments.concurrency} at once",
                arguments.pairs,
                measure(job, arguments.rounds, peers),
            )


def with_delay(arguments: argparse.Namespace, folder: Path) -> None:
    relay = go_binary("relay", folder)
    if os.geteuid() != 0 or relay is None or not Path("/dev/net/tun").exists():
        raise SystemExit("bench: --rtt needs root, a Go toolchain and /dev/net/tun")
    peers = clients(arguments, folder)
    client, server = ("ip", "netns", "exec", LEFT), ("ip", "netns", "exec", RIGHT)
    with (
        delayed_wire(relay),
        running_farm(folder / "farm", arguments.hosts, address="198.18.0.2", prefix=server) as farm,
    ):
        for version in arguments.versions.split(","):
            job = Job(farm, version, arguments.pairs, 1000, folder, client)
            report(f"{version}, 80 ms, 1,000 at once", arguments.pairs, measure(job, arguments.rounds, peers))


if __name__ == "__main__":
    main()
