"""The setting of a soak: a site, proxies, a NATS server, workers and a campaign, kept running."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random, SystemRandom

from soak_site import make_root

HERE = Path(__file__).resolve().parent
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
WORKERS = ("far-a", "far-b")
CONTROLS = tuple(f"control-{i}.soak.test" for i in range(1, 9))

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
        self._pids: list[int] = []
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
        self._pids.append(self._process.pid)
        return self._process

    def clear(self) -> None:
        """Remove what libfaketime leaves of a process that was killed."""
        for pid in self._pids:
            for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
                Path("/dev/shm", name).unlink(missing_ok=True)

    async def end(self, how: int = signal.SIGKILL) -> int:
        """Its exit code; None of it is running afterwards."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(how)
        return await self._process.wait()


class Setting:
    """Everything that runs."""

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
            for part in self.parts.values():
                part.clear()


def free_ports() -> Iterator[int]:
    """Ports that nobody's outgoing connection is given, as a server that starts again needs its own."""
    for port in SystemRandom().sample(range(15_000, 32_000), 1000):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            yield port
