"""However a network dies, nothing of it is left: fifty times kill -9, at any moment, of any process."""

import contextlib
import gc
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from network_support import (
    PATIENCE_S,
    Process,
    Trace,
    elders,
    environment,
    eventually,
    files,
    lab_name,
    namespace_mounts,
    needs_network,
    needs_product,
    pid_namespace,
)

from kzmitm.cli.clock import now
from kzmitm.errors import KzmitmError, UsageError
from kzmitm.lab.control.client import Lab, find_lab, own_lab
from kzmitm.lab.control.commands import module_command
from kzmitm.lab.errors import LaboratoryError

pytestmark = needs_network

ROUNDS = range(10)
"""Of each of five situations."""

COMMANDS = {
    "unshare": "--kill-child",
    "labd": "kzmitm.lab.network.labd",
    "nginx": "nginx.conf",
    "dnsmasq": "--keep-in-foreground",
    "quic": "quic_origin",
    "interceptor": "kzmitm.lab.interceptor",
    "sslsplit": "sslsplit-key.pem",
    "squid": "squid.conf",
    "scan": "--no-save",
    "cli": "--jobs",
}
"""What in the command line of a victim tells it."""
SERVERS = ("nginx", "dnsmasq", "quic")
EVERYTHING = ("unshare", "labd", *SERVERS)
FATAL = ("unshare", "labd")

PROFILES = {"kz-inline": "interceptor", "kz-proxy": "interceptor", "sslsplit": "sslsplit", "squid": "squid"}
SCAN = ["social.lab.test", "--i-understand", "--doh", "none", "--timeout", "1", "--no-save", "--no-follow-up"]


class Scene:
    """Where a kill happens: what was there before, and what is there after."""

    def __init__(self, name: str, folder: Path) -> None:
        self.random = Random(name)
        self.trace = Trace(lab_name(f"kill-{name}"))
        self.killed: str | None = None
        self._folder = folder
        self._before = files(), namespace_mounts()
        self._namespaces: set[str] = set()
        self._moment = 0.0

    def kill(self, names: Sequence[str]) -> None:
        """Kill one of the processes of these names that are there."""
        there = [(name, process) for name in names for process in self._called(name)]
        self._namespaces = {pid_namespace(process) for process in self.trace.processes()}
        self._namespaces -= {"", str(Path("/proc/self/ns/pid").readlink())}
        self._moment = time.clock_gettime(time.CLOCK_BOOTTIME)
        if there:
            self.killed, process = self.random.choice(there)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    def _called(self, name: str) -> list[Process]:
        # `unshare` and `nsenter` bear the words of what they become.
        found = self.trace.called(COMMANDS[name])
        return [one for one in found if name == "unshare" or one.name not in ("unshare", "nsenter")][:1]

    def _survivors(self) -> list[Process]:
        return [one for one in elders(self._moment) if pid_namespace(one) in self._namespaces]

    def assert_nothing_is_left(self) -> None:
        eventually(lambda: not self.trace.processes(), f"after {self.killed}: {self.trace.processes()}")
        # One that is dying has no environment any more, and is there for a moment yet.
        eventually(lambda: not self._survivors(), f"after {self.killed}: {self._survivors()}")
        assert list(self._folder.iterdir()) == []
        assert namespace_mounts() == self._before[1]
        eventually(lambda: files() <= self._before[0], f"after {self.killed}: {files() - self._before[0]}")


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """In an empty folder, with everything marked that is started from here; in the end nothing is left."""
    scene = Scene(request.node.name, tmp_path)
    monkeypatch.setenv("PATH", scene.trace.path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.chdir(tmp_path)
    yield scene
    scene.assert_nothing_is_left()


class Meanwhile:
    """Something that is done while something else happens; how it ended."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do
        self.result: object = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait(self, seconds: float = PATIENCE_S) -> None:
        """Return when it has ended, or after so long."""
        self._thread.join(seconds)

    def finish(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "hangs"
        if self.error is not None:
            if not isinstance(self.error, KzmitmError):
                raise self.error
            self.error.__traceback__ = None
            gc.collect()  # what it left open is told of now, and not during a later round

    def _run(self) -> None:
        try:
            self.result = self._do()
        except Exception as exc:  # noqa: BLE001 - looked at by who waits
            self.error = exc


def settle(lab: Lab, scene: Scene) -> None:
    """After the death of process 1 it is said so; after any other, orders are taken as before."""
    try:
        if scene.killed in FATAL:
            # Process 1 is killed by the system when `unshare` has gone, not at the moment of the signal.
            eventually(
                lambda: lab.pid not in {one.pid for one in scene.trace.processes()},
                f"process 1 outlives {scene.killed}",
            )
            with pytest.raises(LaboratoryError):
                lab.refresh()
        else:
            lab.refresh()
            lab.switch_off()
            assert lab.status["profile"] is None
    finally:
        lab.close()


@pytest.mark.parametrize("number", ROUNDS)
def test_kill_while_it_comes_up(scene: Scene, number: int):
    coming = Meanwhile(lambda: own_lab(now()))
    eventually(scene.trace.processes)
    coming.wait(scene.random.uniform(0, 0.35))
    scene.kill(EVERYTHING)
    coming.finish()
    if isinstance(coming.result, Lab):
        settle(coming.result, scene)
    else:
        assert scene.killed is not None


@pytest.mark.parametrize("number", ROUNDS)
def test_kill_while_nothing_is_on(scene: Scene, number: int):
    lab = own_lab(now())
    scene.kill(EVERYTHING[number % len(EVERYTHING) :][:1])
    assert scene.killed
    settle(lab, scene)


@pytest.mark.parametrize("number", ROUNDS)
def test_kill_while_a_profile_is_switched_on(scene: Scene, number: int):
    profile = sorted(PROFILES)[number % len(PROFILES)]
    needs_product(profile)
    lab = own_lab(now())
    switching = Meanwhile(lambda: lab.switch_on(profile, {}))
    switching.wait(scene.random.uniform(0, 0.4))
    scene.kill((*EVERYTHING, PROFILES[profile], PROFILES[profile]))
    switching.finish()
    settle(lab, scene)


@pytest.mark.parametrize("number", ROUNDS)
def test_kill_during_a_scan(scene: Scene, number: int):
    profile = sorted(PROFILES)[number % len(PROFILES)]
    needs_product(profile)
    lab = own_lab(now())
    lab.switch_on(profile, {})
    words = module_command("kzmitm", "scan", *SCAN, "--store", str(lab.directory / "roots.pem"))
    scanning = Meanwhile(lambda: lab.run("client", words))
    scanning.wait(scene.random.uniform(0, 0.8))
    scene.kill((*EVERYTHING, PROFILES[profile], "scan", "scan"))
    scanning.finish()
    assert scanning.error is None
    settle(lab, scene)


@pytest.mark.parametrize("number", ROUNDS[:5])
def test_kill_of_a_command_with_its_own_network(scene: Scene, number: int):
    """By the command's own death in most rounds; else it says what happened, and ends."""
    command = module_command("kzmitm", "lab", "check", "kz-proxy", "--jobs", "1")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(scene.random.uniform(0.2, 1.8))
        scene.kill(("cli", "cli", "cli", *EVERYTHING, "interceptor"))
        _, said = process.communicate(timeout=PATIENCE_S)
    assert b"Traceback" not in said
    assert process.returncode == -signal.SIGKILL if scene.killed == "cli" else process.returncode in (0, 70)


@pytest.mark.parametrize("number", ROUNDS[5:])
def test_kill_of_the_command_that_brings_one_up(scene: Scene, number: int):
    name = lab_name(f"orphan-{number}")
    command = module_command("kzmitm", "lab", "up", "--name", name)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(scene.random.uniform(0.2, 0.9))
        scene.kill(("unshare", "labd", "nginx") if number % 2 else ())
        process.kill()
    try:
        lab = find_lab(name)
    except (UsageError, LaboratoryError):
        return  # what had come up so far is gone, as the end of the test finds
    lab.switch_on("none", {})
    lab.down()
