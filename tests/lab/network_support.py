"""What the tests of the network of namespaces share: whether there can be one, and what one leaves behind."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kzmitm.evidence.schema import schema_text
from kzmitm.lab.control.commands import module_command, module_environment
from kzmitm.lab.opening import why_no_network
from kzmitm.lab.products import find_products, how_to_get
from kzmitm.lab.profile import profile_named

PATIENCE_S = 15.0
"""Everything waited for takes milliseconds; the rest is for a busy machine."""

TREE = Path(__file__).resolve().parents[2]


@cache
def _why_not() -> str | None:
    return why_no_network(find_products())


needs_network = pytest.mark.skipif(_why_not() is not None, reason=f"no network of namespaces: {_why_not()}")
"""In CI the rules of all tests turn the skip into a failure."""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def needs_product(profile: str) -> None:
    """Skip where the product of a profile is not installed."""
    if missing := find_products().lacks(profile_named(profile).needs):
        pytest.skip(f"needs {how_to_get(missing)}")


def lab_name(what: str) -> str:
    """A name for a laboratory that no other test and no person uses at the same time."""
    return f"{what}-{os.environ.get('PYTEST_XDIST_WORKER', 'only')}-{os.getpid()}"


def kzmitm(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    given = {"stdin": subprocess.DEVNULL} if "input" not in options else {}
    return subprocess.run(
        module_command("kzmitm", *words),
        capture_output=True,
        text=True,
        timeout=options.pop("timeout", 120),
        check=False,
        **given,
        **{"env": environment()} | options,
    )


def environment(**more: str) -> dict[str, str]:
    """That of this process, for an ordinary user's run."""
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTHONSAFEPATH")}
    return module_environment(kept) | more


def complaint(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line with which a command ended; nothing else was said."""
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("kzmitm")
    assert done.stderr.count("\n") == 1
    return done.stderr


def run(name: str, *command: str, host: str = "client", **options: Any) -> subprocess.CompletedProcess[str]:
    """`kzmitm lab run`."""
    return kzmitm("lab", "run", "--name", name, host, "--", *command, **options)


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What a command said that ended well."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return by_its_schema(json.loads(done.stdout))


def by_its_schema(told: dict[str, Any]) -> dict[str, Any]:
    """A document, if it is what the schema of its name says."""
    name = told["schema"].removeprefix("kzmitm.").partition("/")[0]
    jsonschema.validate(told, json.loads(schema_text(name)))
    return told


def eventually(condition: Callable[[], object], what: str = "") -> None:
    """Wait for what other processes do; there is nothing to be told by."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what or condition
        os.sched_yield()


@contextlib.contextmanager
def named_lab(name: str, **options: Any) -> Iterator[str]:
    """A laboratory of this name, brought up and taken down by the command."""
    done = kzmitm("lab", "up", "--name", name, **options)
    assert done.returncode == 0, done.stderr
    try:
        yield name
    finally:
        kzmitm("lab", "down", "--name", name)


# --- what is left


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told from a later one of the same number by when it began."""

    pid: int
    name: str
    began: int

    @property
    def exists(self) -> bool:
        return any(other == self for other in _processes([self.pid]))


class Trace:
    """Tells the processes of one laboratory from all others: by a word in the PATH that they all inherit."""

    def __init__(self, word: str) -> None:
        self.folder = f"/nonexistent/{word}"

    @property
    def path(self) -> str:
        """A PATH with the word."""
        return f"{os.environ['PATH']}:{self.folder}"

    def processes(self) -> list[Process]:
        """Those that are there now, without this one."""
        mark = self.folder.encode()
        return [one for one in _processes() if mark in _read(one.pid, "environ") and one.pid != os.getpid()]

    def called(self, word: str) -> list[Process]:
        """Those with a word in their command line, the eldest first."""
        found = [one for one in self.processes() if word.encode() in _read(one.pid, "cmdline")]
        return sorted(found, key=lambda one: (one.began, one.pid))


def _processes(pids: Sequence[int] | None = None) -> Iterator[Process]:
    for pid in pids or [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]:
        name, _, rest = _read(pid, "stat").rpartition(b")")
        if rest and rest.split()[0] != b"Z":  # proc_pid_stat(5): the state, and the time it began
            yield Process(pid, name.partition(b"(")[2].decode(errors="replace"), int(rest.split()[19]))


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def pid_namespace(process: Process) -> str:
    """The process namespace that a process was born in; nothing if it is gone."""
    try:
        return str(Path(f"/proc/{process.pid}/ns/pid").readlink())
    except OSError:
        return ""


def elders(moment: float) -> list[Process]:
    """All processes that began before a moment of the clock since boot: numbers of namespaces come again."""
    tick = int(moment * os.sysconf("SC_CLK_TCK"))
    return [process for process in _processes() if process.began < tick]


def namespace_mounts() -> list[str]:
    """The namespaces that a mount keeps alive, as `ip netns add` does."""
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if " nsfs " in line]


PLACES = [Path(place) for place in ("/dev/shm", "/run", "/run/netns", "/run/lock", "/var/lib/misc")]
SHARED = [Path(place) for place in ("/tmp", "/var/tmp")]
"""Where anybody leaves things at any time; what a laboratory leaves is told by its name."""
TELLING = ("kzmitm", "nginx", "dnsmasq", "squid", "sslsplit", "mitm")
OTHERS = ("kzmitm-lab-", "pytest", ".org.chromium", "kzmitm-browser")
"""What other tests keep there for a while."""


def files() -> set[str]:
    """What there is where programs leave things."""
    found = set()
    for place in (*PLACES, *SHARED):
        with contextlib.suppress(OSError):
            found |= {
                str(path)
                for path in place.iterdir()
                if not path.name.startswith(OTHERS)
                and (place in PLACES or any(word in path.name for word in TELLING))
            }
    return found
