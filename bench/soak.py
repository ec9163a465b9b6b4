"""A campaign under random faults, and whether every target still has exactly one final result.

    python bench/soak.py [--minutes 30] [--seed 1] [--targets 300] [--keep DIR]

Five vantages: this computer, a SOCKS and an HTTP proxy (microsocks, tinyproxy), two workers over a NATS
server. Meanwhile, as the seed says: the run and the workers are killed or stopped, the NATS server, the
proxies and the site are killed and started again, the disk is full and free again, clocks are set wrong, the
run is paused, and connections break. Then all is left alone until the campaign ends, and soak_check.py
compares what it kept with the log of the site, which shows every connection a certificate of its own. Exit
code 0 if nothing is amiss.

The disk is a tmpfs in a mount namespace of its own; without unshare(1) that fault is left out, and said so.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random, SystemRandom

from soak_check import Expected, check
from soak_site import make_root

HERE = Path(__file__).resolve().parent
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
WORKERS = ("far-a", "far-b")
DISK_OCTETS = 192 << 20
START_S = 2.0
"""For a program to begin to listen, generously."""
PATIENCE_S = 180.0
"""For the campaign to end once there are no more faults, beside the time of the rounds that are left."""
CONTROLS = tuple(f"control-{i}.soak.test" for i in range(1, 9))
PROGRAMS = ("nats-server", "microsocks", "tinyproxy", "ssh-keygen")
IN_ITS_PLACE = "KZMITM_SOAK_DISK"

CAMPAIGN = """\
[campaign]
name = "soak"
contact = "nobody@example.org"
seed = {seed}
[targets]
files = ["targets.txt"]
[controls]
names = {controls}
every = 25
[rounds]
count = {rounds}
every = "{every}s"
jitter = "2s"
[limits]
concurrency = 100
rate = {rate}
endpoint_gap = "0s"
endpoint_concurrency = 100
network_concurrency = 100
timeout = "4s"
attempts = 3
[collect]
families = [4]
doh = false
follow_ups = false
[stop]
vantage_failures = 5
[[vantages]]
name = "here"
[[vantages]]
name = "socks"
uri = "socks5://127.0.0.1:{socks}"
[[vantages]]
name = "http"
uri = "http://127.0.0.1:{http}"
[[vantages]]
name = "far-a"
uri = "worker:"
[[vantages]]
name = "far-b"
uri = "worker:"
"""


class Part:
    """A program of the setting: kept running, and started again by whoever ended it."""

    def __init__(self, name: str, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self.name = name
        self._command = command
        self._log = log
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self.turn = asyncio.Lock()
        """Of one fault at a time."""

    async def start(self) -> asyncio.subprocess.Process:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
            )
        return self._process

    async def end(self, how: int = signal.SIGKILL) -> int:
        """Its exit code; None of it is running afterwards."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(how)
        return await self._process.wait()


class Setting:
    """Everything that runs, and the faults that it can be given."""

    def __init__(self, folder: Path, disk: Path, rng: Random, targets: int, rounds: int, every: int) -> None:
        self.folder = folder
        self.disk = disk
        self.every = every
        self._rounds = rounds
        self.out = disk / "out"
        self.rng = rng
        self.without: list[str] = []
        self.faults: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.is_ended = asyncio.Event()
        self.away_s = 0.0
        """Seconds for which the site or a proxy was away."""
        self._wanted = True
        self._is_interrupted = False
        ports = dict(zip(("site", "socks", "http", "nats"), free_ports(), strict=False))
        self.campaign = folder / "soak.toml"
        # Every share takes about two thirds of its round where nothing is in the way.
        rate = self.rate = 5 * targets / (every * 2 / 3)
        self.campaign.write_text(
            CAMPAIGN.format(
                seed=rng.randrange(1 << 30),
                controls=json.dumps(CONTROLS),
                rounds=rounds,
                every=every,
                rate=rate,
                socks=ports["socks"],
                http=ports["http"],
            )
        )
        self.names = [f"t{i:05}.soak.test" for i in range(targets)]
        (folder / "targets.txt").write_text("\n".join(self.names))
        self._prepare(ports)
        self.parts = self._make_parts(ports, rate)

    def _prepare(self, ports: dict[str, int]) -> None:
        make_root(self.folder)
        (self.folder / "cut").write_text("0.01")
        (self.folder / "tinyproxy.conf").write_text(
            f"Port {ports['http']}\nListen 127.0.0.1\nAllow 127.0.0.1\nMaxClients 200\nLogLevel Critical\n"
        )
        for name in ("run", *WORKERS):
            (self.folder / f"clock-{name}").write_text("+0\n")

    def _make_parts(self, ports: dict[str, int], rate: float) -> dict[str, Part]:
        folder, server = self.folder, self.folder / "server"
        kzmitm = [sys.executable, "-m", "kzmitm"]
        home = {"KZMITM_HOME": str(folder / "home")}
        os.environ.update(home, NO_COLOR="1")
        created = [
            *kzmitm, "campaign", "serve-config", str(self.campaign), "--out", str(server),
            "--listen", f"127.0.0.1:{ports['nats']}",
        ]  # fmt: skip
        subprocess.run(created, check=True, stdout=subprocess.DEVNULL)
        way = [
            "--store", str(folder / "root.pem"), "--i-understand",
            "--server", f"nats://127.0.0.1:{ports['nats']}", "--creds",
        ]  # fmt: skip
        # An address and a block of addresses for each, as a worker is gentle whatever it is asked for.
        for number, name in enumerate((*CONTROLS, *self.names)):
            address = f"127.{1 + number // 250}.{number % 250}.1"
            way = ["--connect-to", f"{name}:443:{address}:{ports['site']}", *way]
        commands = {
            "site": [sys.executable, str(HERE / "soak_site.py"), str(folder), str(ports["site"])],
            "nats": ["nats-server", "-c", str(server / "nats-server.conf")],
            "socks": ["microsocks", "-i", "127.0.0.1", "-p", str(ports["socks"])],
            "http": ["tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf")],
            "run": [
                *kzmitm, "campaign", "run", str(self.campaign), "--out", str(self.out), *way,
                str(server / "coordinator.creds"),
            ],
        } | {
            name: [
                *kzmitm, "worker", *way, str(server / f"worker-{name}.creds"),
                "--key", str(self._key(name)), "--concurrency", "10", "--rate", str(rate),
            ]
            for name in WORKERS
        }  # fmt: skip
        return {
            name: Part(name, command, folder / f"{name}.log", self._clock(name))
            for name, command in commands.items()
        }

    def _key(self, name: str) -> Path:
        path = self.folder / f"{name}.key"
        made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
        subprocess.run(made, check=True)
        return path

    def _clock(self, name: str) -> dict[str, str]:
        """A clock of its own, which a fault can set wrong; time that passes is nobody's to set."""
        if FAKETIME is None or name not in ("run", *WORKERS):
            return {}
        return {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / f"clock-{name}"),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    # -- the run itself

    async def keep_running(self) -> None:
        """Start the campaign again whenever it was ended, until it has ended by itself."""
        part = self.parts["run"]
        while True:
            process = await part.start()
            code = await process.wait()
            if not self._wanted:
                return
            if code in (0, 1, 3) and not self.rounds_left():
                break
            # Who is interrupted before Python has loaded the command dies of it, with 1 or by the signal.
            allowed = (-signal.SIGKILL, 3, *((1, -signal.SIGINT) if self._is_interrupted else ()))
            if code not in allowed:
                self.complaints.append(f"the run ended by itself with {code}")
            self._is_interrupted = False
            await asyncio.sleep(self.rng.uniform(0, 2))
        self.is_ended.set()

    def rounds_left(self) -> int:
        log = self.out / "campaign.log"
        return self._rounds - (log.read_bytes().count(b'"round_finished"') if log.exists() else 0)

    # -- faults

    def kinds(self) -> dict[str, Callable[[], Awaitable[None]]]:
        found = {
            "kill the run": lambda: self._hit("run", signal.SIGKILL),
            "stop the run": lambda: self._hit("run", signal.SIGINT),
            "kill a worker": lambda: self._restart(self.rng.choice(WORKERS), 5),
            "stop a worker": lambda: self._restart(self.rng.choice(WORKERS), 5, signal.SIGINT),
            "kill the NATS server": lambda: self._restart("nats", 5),
            "cut a proxy": lambda: self._restart(self.rng.choice(("socks", "http")), 20),
            "restart the site": lambda: self._restart("site", 1),
            "break connections": self._break,
            "pause": self._pause,
        }
        if FAKETIME is not None:
            found["set a clock wrong"] = self._set_clock
        if self.disk != self.folder:
            found["fill the disk"] = self._fill
        return {kind: fault for kind, fault in found.items() if kind not in self.without}

    async def _hit(self, name: str, how: int) -> None:
        self._is_interrupted = how == signal.SIGINT
        await self.parts[name].end(how)

    async def _restart(self, name: str, longest: float, how: int = signal.SIGKILL) -> None:
        part = self.parts[name]
        async with part.turn:
            began = time.monotonic()
            await part.end(how)
            await asyncio.sleep(self.rng.uniform(0, longest))
            await part.start()
            if name in ("site", "socks", "http"):
                self.away_s += time.monotonic() - began + START_S

    async def _break(self) -> None:
        """Some minutes are worse than others."""
        (self.folder / "cut").write_text(f"{self.rng.uniform(0, 0.2):.3f}")
        await asyncio.sleep(self.rng.uniform(1, 8))
        (self.folder / "cut").write_text("0.01")

    async def _pause(self) -> None:
        mark = self.out / "paused"
        with suppress(OSError):
            mark.touch()
        await asyncio.sleep(self.rng.uniform(0, 4))
        mark.unlink(missing_ok=True)

    async def _set_clock(self) -> None:
        name = self.rng.choice(("run", *WORKERS))
        place = self.folder / f".clock-{name}"
        place.write_text(f"{self.rng.randrange(-6 * 3600, 6 * 3600):+}\n")
        place.replace(self.folder / f"clock-{name}")

    async def _fill(self) -> None:
        """No room for another octet; a little later there is."""
        filler = self.disk / "filler"
        if filler.exists():
            return
        # One octet at the end, too: whatever still fits would be luck.
        for block in (1 << 20, 4096, 1):
            with suppress(OSError), filler.open("ab", buffering=0) as file:
                while file.write(bytes(block)):
                    pass
        await asyncio.sleep(self.rng.uniform(1, 15))
        filler.unlink()

    async def torment(self, seconds: float) -> None:
        """Give it one fault after another; several may be under way."""
        kinds = self.kinds()
        until = time.monotonic() + seconds
        under_way: set[asyncio.Task[None]] = set()
        queue: list[str] = []
        while not self.is_ended.is_set() and time.monotonic() < until:
            await asyncio.sleep(min(self.rng.expovariate(1 / (3 if seconds < 120 else 8)), 20))
            if not queue:
                queue = self.rng.sample(sorted(kinds), len(kinds))  # all of them, in any order
            kind = queue.pop()
            self.faults[kind] += 1
            print(f"  {time.strftime('%H:%M:%S')} {kind}", flush=True)
            task = asyncio.ensure_future(kinds[kind]())
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All parts, until the end."""
        for name, part in self.parts.items():
            if name != "run":
                await part.start()
        keeping = asyncio.ensure_future(self.keep_running())
        try:
            yield
        finally:
            self._wanted = False
            for name, part in self.parts.items():
                with suppress(AssertionError):
                    await part.end(signal.SIGKILL if name in ("site", "socks") else signal.SIGTERM)
            await keeping


def free_ports() -> Iterator[int]:
    """Ports that nobody's outgoing connection is given, as a server that starts again needs its own."""
    for port in SystemRandom().sample(range(15_000, 32_000), 1000):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            yield port


async def soak(setting: Setting, seconds: float) -> None:
    async with setting.running():
        await setting.torment(seconds)
        print("  no more faults; waiting for the end", flush=True)
        try:
            patience = PATIENCE_S + 2 * setting.every * setting.rounds_left()
            async with asyncio.timeout(patience):
                await setting.is_ended.wait()
        except TimeoutError:
            setting.complaints.append(f"the campaign did not end within {patience:.0f} s without faults")


def with_a_disk() -> None:
    """Go on in a mount namespace, whose tmpfs goes when we go."""
    unshare = shutil.which("unshare")
    if unshare is None or IN_ITS_PLACE in os.environ:
        return
    options = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    if subprocess.run([unshare, *options, "true"], check=False).returncode != 0:
        return
    os.environ[IN_ITS_PLACE] = "1"
    os.execv(unshare, [unshare, *options, sys.executable, *sys.argv])  # noqa: S606


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", type=int, default=300)
    parser.add_argument("--every", type=int, default=60, help="seconds of a round")
    parser.add_argument("--without", action="append", default=[], help="a kind of fault to leave out")
    parser.add_argument("--keep", type=Path, help="keep everything in this folder, which must not exist")
    arguments = parser.parse_args()
    # What was started in the background of a shell has Ctrl-C switched off, and its children, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["PYTHONPATH"] = str(HERE.parent)
    with_a_disk()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="kzsoak-"))
    folder.mkdir(parents=True, exist_ok=arguments.keep is None)
    try:
        return run(arguments, folder.resolve())
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def run(arguments: argparse.Namespace, folder: Path) -> int:
    disk = folder
    if IN_ITS_PLACE in os.environ:
        disk = folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_OCTETS}", "tmpfs", str(disk)]
        subprocess.run(mount, check=True)
    seconds = arguments.minutes * 60
    rounds = max(2, round(seconds / arguments.every))
    missing = [each for each in PROGRAMS if shutil.which(each) is None]
    if missing:
        raise SystemExit(f"soak: not installed: {', '.join(missing)} (tools/packages.sh brings them)")
    setting = Setting(folder, disk, Random(arguments.seed), arguments.targets, rounds, arguments.every)
    setting.without = arguments.without
    print(
        f"seed {arguments.seed}: {rounds} rounds of {arguments.targets} targets from 5 vantages", flush=True
    )
    for what, is_there in (("disk", disk != folder), ("clocks", FAKETIME is not None)):
        if not is_there:
            print(f"  no {what} of its own, so it stays as it is", flush=True)
    asyncio.run(soak(setting, seconds))
    if arguments.keep is not None and disk != folder:
        shutil.copytree(setting.out, folder / "out")
    most_lost = round(setting.away_s * setting.rate) + 100 * setting.faults["cut a proxy"]
    expected = Expected(setting.campaign, setting.out, folder, rounds, most_lost)
    found = check(expected)
    print(json.dumps({"seed": arguments.seed, "faults": dict(setting.faults), **found.told()}, indent=1))
    for complaint in (*setting.complaints, *found.complaints):
        print(f"soak: {complaint}", file=sys.stderr)
    return 1 if setting.complaints or found.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
