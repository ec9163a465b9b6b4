"""A campaign of many targets against the hand-shake bench's own client, in one run, over the same slow wire.

    python bench/campaign.py [--targets 100000] [--small 10000] [--rounds 3] [--vantages 10]

All go through 80 ms of round-trip time with 1,000 connections at once to the same nginx; the servers, the
relay and the proxies have core 0, the client core 1, and the rounds are interleaved. What is compared:

- the campaign's rate to that of kz_client.py (capture and verdict, a row for each), which keeps nothing else;
- the CPU of the campaign without writing, and without making its lines, to all of it: what the store costs;
- the memory of many targets to that of few;
- vantages through SOCKS proxies (microsocks), side by side, to one with the same number of connections.

Root only, for the wire.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from farm import Farm, running_farm
from handshakes import LEFT, RIGHT, Cost, Job, _combine, _spread, delayed_wire, go_binary, kzmitm, run

HERE = Path(__file__).resolve().parent
AT_ONCE = 1000
HOSTS = 5000
PLACES = 20
"""Addresses of the server: a campaign has at most 100 connections to one."""
FIRST_PORT, FIRST_PROXY = 10_000, 20_000
VERSION = "TLSv1.3"

CAMPAIGN = """\
[campaign]
name = "bench"
contact = "nobody@example.org"
[targets]
files = ["{targets}"]
[controls]
names = ["{control}"]
every = 0
[limits]
concurrency = {at_once}
vantage_concurrency = {share}
rate = 100000
endpoint_gap = "0s"
endpoint_concurrency = 100
network_concurrency = {at_once}
[collect]
families = [4]
doh = false
follow_ups = {follow_ups}
{vantages}
"""


class Bench:
    """The farm behind the wire, and what runs against it."""

    def __init__(self, farm: Farm, folder: Path, *, follow_ups: bool) -> None:
        self.farm = farm
        self.folder = folder
        self.follow_ups = follow_ups
        self.prefix = ("ip", "netns", "exec", LEFT)

    def targets(self, count: int) -> Path:
        """As many targets: hosts under ports of which each leads to another address, evenly."""
        path = self.folder / f"targets-{count}.txt"
        if not path.exists():
            with path.open("w") as file:
                for i in range(count):
                    host, lap = i % len(self.farm.names), i // len(self.farm.names)
                    file.write(f"{self.farm.names[host]}:{FIRST_PORT + (host + lap) % PLACES}\n")
        return path

    def pairs(self, count: int) -> Path:
        path = self.folder / f"pairs-{count}.txt"
        if not path.exists():
            port = self.farm.ports[VERSION]
            with path.open("w") as file:
                for i in range(count):
                    host, lap = i % len(self.farm.names), i // len(self.farm.names)
                    file.write(f"{self.farm.names[host]} {address(host + lap)}:{port}\n")
        return path

    def client(self, count: int) -> Cost:
        """The hand-shake bench's client."""
        job = Job(self.farm, VERSION, count, AT_ONCE, self.folder, self.prefix)
        return kzmitm(job, self.pairs(count), "uvloop")

    def campaign(self, count: int, what: str = "all", vantages: str = "", share: int = AT_ONCE) -> Cost:
        """`kzmitm campaign run`; all of its results must be there, and clean."""
        file = self.folder / "bench.toml"
        text = CAMPAIGN.format(
            targets=self.targets(count),
            control=f"{self.farm.names[0]}:{FIRST_PORT}",
            at_once=AT_ONCE,
            share=share,
            follow_ups=str(self.follow_ups).lower(),
            vantages=vantages or '[[vantages]]\nname = "here"\n',
        )
        file.write_text(text)
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        words = ["campaign", "run", str(file), "--out", str(out), "--i-understand", "--json"]
        words += ["--store", str(self.farm.roots)]
        for number in range(PLACES):
            place = f"{address(number)}:{self.farm.ports[VERSION]}"
            words += ["--connect-to", f":{FIRST_PORT + number}:{place}"]
        cost = run([*self.prefix, sys.executable, str(HERE / "campaign_client.py"), what, *words])
        if what == "all":
            self._check(out, count * max(1, text.count("[[vantages]]")))
        return cost

    def _check(self, out: Path, count: int) -> None:
        told = [json.loads(path.read_text())["jobs"] for path in out.glob("rounds/0001/*/manifest.json")]
        done = sum(each["done"] for each in told)
        clean = sum(
            path.read_bytes().count(b'"done","clean"') for path in out.glob("rounds/0001/*/results.log")
        )
        if not done == clean == count:
            raise SystemExit(f"bench: the campaign has {done} results of {count}, {clean} of them clean")


def address(number: int) -> str:
    return f"198.18.0.{10 + number % PLACES}"


def vantages(count: int) -> str:
    return "".join(
        f'[[vantages]]\nname = "v{i}"\nuri = "socks5://198.18.0.2:{FIRST_PROXY + i}"\n' for i in range(count)
    )


@contextmanager
def running_proxies(count: int) -> Iterator[None]:
    """SOCKS proxies beside the servers, on their core."""
    server = ["ip", "netns", "exec", RIGHT, "taskset", "-c", "0"]
    command = [*server, "microsocks", "-i", "198.18.0.2", "-p"]
    started = [
        subprocess.Popen([*command, str(FIRST_PROXY + i)], stderr=subprocess.DEVNULL) for i in range(count)
    ]
    try:
        time.sleep(0.5)  # nothing tells when they listen
        yield
    finally:
        for each in started:
            each.kill()
            each.wait()


def measured(cases: dict[str, Callable[[], Cost]], rounds: int) -> dict[str, tuple[Cost, Cost]]:
    """Median and noise of each case over interleaved rounds."""
    seen: dict[str, list[Cost]] = {name: [] for name in cases}
    for number in range(rounds):
        for name, case in cases.items():
            seen[name].append(case())
            cost = seen[name][-1]
            told = f"wall {cost.wall:.2f} s, CPU {cost.cpu:.2f} s, {cost.memory:.0f} MB"
            print(f"  round {number + 1}: {name}: {told}", file=sys.stderr)
    return {name: (_combine(costs, median), _combine(costs, _spread)) for name, costs in seen.items()}


def report(title: str, counts: dict[str, int], costs: dict[str, tuple[Cost, Cost]]) -> None:
    print(f"\n{title}")
    print(f"  {'':<34}{'targets':>9}{'per s':>8}{'CPU ms':>8}{'MB':>6}{'noise wall/CPU':>17}")
    for name, (cost, noise) in costs.items():
        count = counts[name]
        print(
            f"  {name:<34}{count:>9}{count / cost.wall:>8.0f}"
            f"{cost.cpu / count * 1e3:>8.3f}{cost.memory:>6.0f}"
            f"{noise.wall * 100:>11.0f}% /{noise.cpu * 100:>3.0f}%"
        )


def compare(bench: Bench, arguments: argparse.Namespace) -> None:
    many, few = arguments.targets, arguments.small
    cases = {
        "hand-shake bench": partial(bench.client, many),
        "campaign": partial(bench.campaign, many),
        "campaign, nothing written": partial(bench.campaign, many, "unwritten"),
        "campaign, no lines made": partial(bench.campaign, many, "unkept"),
        "campaign, few targets": partial(bench.campaign, few),
    }
    if arguments.brief:
        cases = {name: case for name, case in cases.items() if ", no" not in name}
    counts = {name: few if "few" in name else many for name in cases}
    costs = measured(cases, arguments.rounds)
    report(f"80 ms, {AT_ONCE} at once, follow-ups {bench.follow_ups}", counts, costs)
    whole, client = costs["campaign"][0], costs["hand-shake bench"][0]
    print(f"  rate to the hand-shake bench: {client.wall / whole.wall:.2f} (goal: 0.9); by CPU ", end="")
    print(f"{client.cpu / whole.cpu:.2f}")
    for name, what in (
        ()
        if arguments.brief
        else (("nothing written", "journal and store"), ("no lines made", "with making the lines"))
    ):
        part = 1 - costs[f"campaign, {name}"][0].cpu / whole.cpu
        print(f"  {what}: {part * 100:.1f} % of the CPU (goal: below 10)")
    small = costs["campaign, few targets"][0].memory
    print(
        f"  memory: {whole.memory:.0f} MB, {whole.memory / small:.2f} times that of {few} (goals: 300, flat)"
    )


def compare_vantages(bench: Bench, arguments: argparse.Namespace) -> None:
    count, per = arguments.vantages, arguments.targets // arguments.vantages
    with running_proxies(count):
        cases = {
            "one vantage through SOCKS": partial(bench.campaign, per * count, "all", vantages(1)),
            f"{count} vantages through SOCKS": partial(
                bench.campaign, per, "all", vantages(count), AT_ONCE // count
            ),
        }
        costs = measured(cases, arguments.rounds)
    report("through SOCKS proxies", dict.fromkeys(cases, per * count), costs)
    one, ten = (cost for cost, _noise in costs.values())
    print(f"  {count} to one: {one.wall / ten.wall:.2f} in rate (goal: 1), {one.cpu / ten.cpu:.2f} by CPU")


def main() -> None:
    os.environ["PYTHONPATH"] = str(HERE.parent)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", type=int, default=100_000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--vantages", type=int, default=10, help="0: leave these out")
    parser.add_argument("--brief", action="store_true", help="leave out what tells the cost of the store")
    parser.add_argument(
        "--follow-ups", action="store_true", help="with follow-ups, as campaigns have by default"
    )
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (16384, max(16384, most)))
    with tempfile.TemporaryDirectory(prefix="kzbench-") as name:
        folder = Path(name)
        relay = go_binary("relay", folder)
        if os.geteuid() != 0 or relay is None or not Path("/dev/net/tun").exists():
            raise SystemExit(
                "bench: needs root, a Go toolchain (make bench-campaign brings one) and /dev/net/tun"
            )
        server = ("ip", "netns", "exec", RIGHT)
        with delayed_wire(relay):
            for number in range(PLACES):
                place = ["ip", "-n", RIGHT, "addr", "add", f"{address(number)}/24", "dev", "kzrelay1"]
                subprocess.run(place, check=True)
            with running_farm(folder / "farm", arguments.hosts, address="0.0.0.0", prefix=server) as farm:
                bench = Bench(farm, folder, follow_ups=arguments.follow_ups)
                compare(bench, arguments)
                if arguments.vantages:
                    compare_vantages(bench, arguments)


if __name__ == "__main__":
    main()
