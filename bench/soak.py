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
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random

from soak_check import Expected, check
from soak_setting import FAKETIME, HERE, WORKERS, Setting

DISK_OCTETS = 192 << 20
START_S = 2.0
"""For a program to begin to listen, generously."""
PATIENCE_S = 180.0
"""For the campaign to end once there are no more faults, beside the time of the rounds that are left."""
PROGRAMS = ("nats-server", "microsocks", "tinyproxy", "ssh-keygen")
IN_ITS_PLACE = "KZMITM_SOAK_DISK"


class Tormented(Setting):
    """The setting with the faults that it can be given."""

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


async def soak(setting: Tormented, seconds: float) -> None:
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
    setting = Tormented(folder, disk, Random(arguments.seed), arguments.targets, rounds, arguments.every)
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
