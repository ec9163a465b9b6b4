"""Process 1 takes orders from a socket: whatever comes, it answers the next one."""

import contextlib
import json
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from network_support import eventually, kzmitm, lab_name, named_lab, needs_network

from kzmitm.lab.control.channel import MAX_LINE, address
from kzmitm.lab.control.client import Lab, find_lab

pytestmark = needs_network

TIMEOUT_S = 5.0
"""An order takes milliseconds; longer than this is not answered."""


@pytest.fixture(scope="module")
def name() -> Iterator[str]:
    with named_lab(lab_name("control")) as name:
        yield name


@pytest.fixture
def fresh() -> Iterator[Lab]:
    """One that may be ruined."""
    with named_lab(lab_name("ruin")) as name:
        lab = find_lab(name)
        try:
            yield lab
        finally:
            lab.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(lab.pid, 9)


@contextlib.contextmanager
def connected(name: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(TIMEOUT_S)
        sock.connect(address(name, os.getuid()))
        yield sock


def answer(sock: socket.socket) -> dict:
    data = b""
    while not data.endswith(b"\n"):
        more = sock.recv(65536)
        if not more:
            raise EOFError
        data += more
    return json.loads(data)


def ask(sock: socket.socket, line: bytes) -> dict:
    sock.sendall(line + b"\n")
    return answer(sock)


def assert_answers(name: str) -> None:
    with connected(name) as sock:
        status = ask(sock, b'{"do": "status"}')
    assert status["kind"] == "network"
    assert len(status["hosts"]) == 5


NONSENSE = {
    "nothing": b"",
    "no JSON": b"down",
    "no UTF-8": b"\xff\xfe\x00",
    "NUL": b"\0" * 100,
    "a number": b"7",
    "a list": b'["down"]',
    "null": b"null",
    "deep": b"[" * 100_000,
    "a huge number": b'{"do": ' + b"9" * 5000 + b"}",
    "no order": b"{}",
    "unknown order": b'{"do": "explode"}',
    "order that is a list": b'{"do": ["down"]}',
    "order that is null": b'{"do": null}',
    "inner name": b'{"do": "__class__"}',
    "no profile": b'{"do": "on"}',
    "unknown profile": b'{"do": "on", "profile": "../../etc/passwd"}',
    "profile that is a number": b'{"do": "on", "profile": 5}',
    "profile that is a list": b'{"do": "on", "profile": ["rst"]}',
    "profile that is null": b'{"do": "on", "profile": null}',
    "settings that are text": b'{"do": "on", "profile": "rst", "given": "watched"}',
    "settings that are a list": b'{"do": "on", "profile": "rst", "given": ["watched"]}',
    "settings that are null": b'{"do": "on", "profile": "rst", "given": null}',
    "value that is a number": b'{"do": "on", "profile": "rst", "given": {"watched": 5}}',
    "value that is null": b'{"do": "on", "profile": "rst", "given": {"watched": null}}',
    "value that is a list": b'{"do": "on", "profile": "rst", "given": {"watched": ["bank.lab.test"]}}',
    "value that is no site": b'{"do": "on", "profile": "rst", "given": {"watched": "$(reboot).test"}}',
    "lone surrogate": b'{"do": "on", "profile": "\\ud800", "given": {"\\udfff": "\\ud800"}}',
    "unknown parameter": b'{"do": "on", "profile": "rst", "given": {"colour": "red"}}',
}


@pytest.mark.parametrize("line", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_an_error_and_no_more(name: str, line: bytes):
    with connected(name) as sock:
        told = ask(sock, line)
        assert set(told) <= {"error", "hint", "kind", "parts"}
        assert told["error"]
        assert told["kind"] in ("usage", "laboratory")
        assert "\n" not in told["error"]
        status = ask(sock, b'{"do": "status"}')  # the same peer is still listened to
    assert status["profile"] is None
    assert_answers(name)


def test_half_lines_are_waited_for(name: str):
    with connected(name) as slow:
        slow.sendall(b'{"do": "sta')
        assert_answers(name)
        slow.sendall(b'tus"}')
        assert_answers(name)
        slow.sendall(b'\n{"do": "status"}\n{"do"')
        data = b""
        while data.count(b"\n") < 2:
            data += slow.recv(65536)
        assert [json.loads(line)["kind"] for line in data.splitlines()] == ["network"] * 2
    assert_answers(name)


@pytest.mark.parametrize("byte", [b"x", b"["], ids=["text", "brackets"])
def test_line_without_an_end_is_cut_off(name: str, byte: bytes):
    with connected(name) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(byte * (2 * MAX_LINE))
        with pytest.raises((EOFError, ConnectionError)):
            answer(sock)
    assert_answers(name)


def test_peers_that_hang_up_are_forgotten(name: str):
    lab = find_lab(name)
    descriptors = Path(f"/proc/{lab.pid}/fd")
    before = len(list(descriptors.iterdir()))
    for line in (b"", b'{"do": "status"}\n' * 50, b'{"do":', b"\n\n\n"):
        for _ in range(10):
            with connected(name) as sock:
                sock.sendall(line)
    assert_answers(name)
    eventually(lambda: len(list(descriptors.iterdir())) <= before)
    lab.close()


def test_many_peers_at_once(name: str):
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(connected(name)) for _ in range(200)]
        assert ask(peers[0], b'{"do": "status"}')["kind"] == "network"
        assert ask(peers[-1], b'{"do": "status"}')["kind"] == "network"
    assert_answers(name)


def test_more_peers_than_it_can_have(fresh: Lab):
    """More than a process may have open is an ordinary thing where 1024 is the limit."""
    name = lab_name("ruin")
    resource.prlimit(fresh.pid, resource.RLIMIT_NOFILE, (48, 48))
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            with contextlib.suppress(OSError):
                stack.enter_context(connected(name))
        assert fresh.refresh()["kind"] == "network"
    assert_answers(name)


def test_peer_that_never_reads_keeps_nobody_waiting(fresh: Lab):
    name = lab_name("ruin")
    with connected(name) as deaf:
        deaf.settimeout(0.5)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                deaf.sendall(b'{"do": "status"}\n')
        assert_answers(name)
    assert_answers(name)


def test_two_users_of_one_laboratory_see_the_same(name: str):
    one, other = find_lab(name), find_lab(name)
    try:
        one.switch_on("rst", {"watched": "bank.lab.test"})
        assert other.refresh()["profile"] == "rst"
        assert other.status["settings"]["watched"] == "bank.lab.test"
        other.switch_off()
        assert one.refresh()["profile"] is None
    finally:
        one.close()
        other.close()


def test_dead_server_keeps_no_orphan_unburied(fresh: Lab):
    """Process 1 buries orphans also while a server that was killed lies before them."""
    done = kzmitm("lab", "run", "--name", lab_name("ruin"), "server", "--", "sh", "-c", KILL)
    assert done.returncode == 0, done.stderr
    orphan = "for i in 1 2 3; do (setsid sh -c 'exit 5' &) ; done"
    assert fresh.run("client", ["sh", "-c", orphan]).returncode == 0
    counting = "grep -l '^State:.Z' /proc/[0-9]*/status | wc -l"
    eventually(lambda: int(fresh.run("client", ["sh", "-c", counting]).stdout) <= 1, "not buried")
    assert fresh.refresh()["kind"] == "network"


KILL = (
    "for f in /proc/[0-9]*/comm; do [ $(cat $f) = nginx ] && p=${f%/comm} && kill -9 ${p#/proc/}; done; true"
)
