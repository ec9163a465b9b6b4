"""A network belongs to an ordinary user: it needs no privilege, and nobody else can touch it."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
from network_support import (
    PATIENCE_S,
    TREE,
    Trace,
    eventually,
    lab_name,
    needs_network,
    needs_product,
    needs_root,
)

from kzmitm.cli.clock import now
from kzmitm.errors import UsageError
from kzmitm.lab.control.channel import address
from kzmitm.lab.control.client import find_lab, start_lab

pytestmark = [needs_network, needs_root]

USER, STRANGER = 65534, 65533
PLAIN_PATH = "/usr/local/bin:/usr/bin:/bin"


def environment(path: str = PLAIN_PATH) -> dict[str, str]:
    """As little as a user can have."""
    packages = [entry for entry in sys.path if entry.endswith("site-packages")]
    return {"PATH": path, "HOME": "/nonexistent", "PYTHONPATH": os.pathsep.join([str(TREE), *packages])}


def becoming(uid: int) -> dict[str, object]:
    """What makes a subprocess somebody else's, without a group or a privilege."""
    return {"user": uid, "group": uid, "extra_groups": [], "cwd": "/", "text": True}


@cache
def interpreter() -> str | None:
    """A Python that the user can run, with all that the command needs; None if there is none."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/local/bin/python{version}", f"/usr/bin/python{version}"):
        test = [candidate, "-c", "import kzmitm.lab.network.labd, kzmitm.cli.main, kzmitm.scan"]
        with contextlib.suppress(OSError):
            if (
                subprocess.run(
                    test, env=environment(), capture_output=True, check=False, **becoming(USER)
                ).returncode
                == 0
            ):
                return candidate
    return None


def python() -> str:
    if (found := interpreter()) is None:
        pytest.skip("needs a Python that an ordinary user can run, with the project's packages")
    return found


def kzmitm(*words: str, uid: int = USER, path: str = PLAIN_PATH) -> subprocess.CompletedProcess[str]:
    command = [python(), "-m", "kzmitm", *words]
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 120}
    return subprocess.run(command, env=environment(path), check=False, **options, **becoming(uid))


@pytest.fixture
def trace() -> Trace:
    return Trace(lab_name("user"))


@pytest.fixture
def name(trace: Trace) -> Iterator[str]:
    """A user's laboratory that is up."""
    name = lab_name("user")
    done = kzmitm("lab", "up", "--name", name, path=f"{PLAIN_PATH}:{trace.folder}")
    assert done.returncode == 0, done.stderr
    yield name
    kzmitm("lab", "down", "--name", name)
    eventually(lambda: not trace.processes())


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {row["hostname"]: row["outcome"] for row in json.loads(done.stdout)["targets"]}


def test_all_of_it_belongs_to_the_user(name: str, trace: Trace):
    processes = trace.processes()
    assert {"nginx", "dnsmasq", "unshare"} <= {process.name for process in processes}
    for process in processes:
        status = Path(f"/proc/{process.pid}/status").read_text()
        ids = [line.split()[1:] for line in status.splitlines() if line.startswith(("Uid:", "Gid:"))]
        assert ids == [[str(USER)] * 4] * 2
    done = kzmitm("lab", "run", "--name", name, "client", "--", "sh", "-c", "id -u; touch /etc/kzmitm-test")
    assert done.stdout == "0\n"  # in there only
    assert done.returncode != 0
    assert not Path("/etc/kzmitm-test").exists()


@pytest.mark.parametrize(
    ("profile", "outcome", "code"), [("dns-hijack", "dns_hijack", 0), ("kz-inline", "interception", 1)]
)
def test_user_without_privileges_sees_it(name: str, profile: str, outcome: str, code: int):
    needs_product(profile)
    assert kzmitm("lab", "on", "--name", name, profile).returncode == 0
    done = kzmitm("lab", "scan", "--name", name, "--", "--json")
    assert done.returncode in (code, 3 if code == 0 else code), done.stderr
    said = outcomes(done)
    assert said.pop("news.lab.test") == "clean"
    assert set(said.values()) == {outcome}
    assert kzmitm("lab", "off", "--name", name).returncode == 0
    assert kzmitm("lab", "down", "--name", name).returncode == 0
    assert kzmitm("lab", "status", "--name", name).returncode == 2


def test_user_without_privileges_checks_profiles():
    profiles = ["antivirus", "nxdomain", "portal", "rst", "squid", "sslsplit"]  # mitmproxy may be root's
    for profile in profiles:
        needs_product(profile)
    done = kzmitm("lab", "check", "--json", "--jobs", "2", *profiles)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["profile"]: row["result"] for row in json.loads(done.stdout)["profiles"]} == dict.fromkeys(
        profiles, "pass"
    )


ASKING = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(10)
sock.connect(sys.argv[1].replace("@", chr(0), 1))
try:
    for word in sys.argv[2:]:
        sock.sendall(word.encode() + bytes([10]))
    print(repr(sock.recv(1000)))
except ConnectionError:
    print(repr(b""))
"""
LISTENING = """
import json, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1].replace("@", chr(0), 1))
sock.listen()
print("listens", flush=True)
while True:
    peer, _ = sock.accept()
    try:
        peer.sendall(json.dumps({"kind": "network", "hosts": {}, "profile": None}).encode() + bytes([10]))
        heard = peer.recv(1000)
    except OSError:
        heard = b""
    print("heard", heard, flush=True)
"""


@pytest.mark.parametrize("uid", [STRANGER, 0], ids=["stranger", "root"])
def test_nobody_else_is_answered(name: str, uid: int):
    orders = ('{"do": "status"}', '{"do": "on", "profile": "rst"}', '{"do": "down"}')
    where = address(name, USER).replace("\0", "@")
    done = subprocess.run(
        [python(), "-c", ASKING, where, *orders],
        env=environment(),
        capture_output=True,
        check=False,
        **becoming(uid),
    )
    assert (done.stdout, done.stderr) == ("b''\n", "")
    status = kzmitm("lab", "status", "--name", name, "--json")
    assert json.loads(status.stdout)["profile"] is None


def test_others_do_not_find_it(name: str):
    for verb in (["status"], ["down"], ["on", "rst"], ["run", "client", "true"]):
        done = kzmitm("lab", verb[0], "--name", name, *verb[1:], uid=STRANGER)
        assert (done.returncode, done.stdout) == (2, "")
    assert kzmitm("lab", "status", "--name", name).returncode == 0


def test_two_users_have_one_of_the_same_name(name: str):
    assert kzmitm("lab", "up", "--name", name, uid=STRANGER).returncode == 0
    try:
        assert kzmitm("lab", "on", "--name", name, "rst", uid=STRANGER).returncode == 0
        assert json.loads(kzmitm("lab", "status", "--name", name, "--json").stdout)["profile"] is None
    finally:
        assert kzmitm("lab", "down", "--name", name, uid=STRANGER).returncode == 0
    assert kzmitm("lab", "status", "--name", name).returncode == 0


@contextlib.contextmanager
def squatter(words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A stranger who listens at an address."""
    command = [python(), "-c", LISTENING, *words]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, **becoming(STRANGER)
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_stranger_who_was_there_before_is_told_nothing():
    name = lab_name("squat")
    with squatter([address(name, os.getuid()).replace("\0", "@")]) as process:
        assert process.stdout.readline() == "listens\n"
        with pytest.raises(UsageError, match="no laboratory is up"):
            find_lab(name)
        assert process.stdout.readline() == "heard b''\n"
        with pytest.raises(UsageError):
            start_lab(name, now(), is_network=True)
    assert process.wait(PATIENCE_S)
