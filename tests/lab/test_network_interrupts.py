"""Ctrl-C where a laboratory is used: it ends the command as that sees fit, and nothing else."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from network_support import (
    PATIENCE_S,
    Trace,
    document,
    environment,
    eventually,
    kzmitm,
    lab_name,
    named_lab,
    needs_network,
    run,
)

from kzmitm.lab.control.commands import module_command

pytestmark = needs_network


@pytest.fixture(scope="module")
def name() -> Iterator[str]:
    with named_lab(lab_name("interrupt")) as name:
        yield name


WAITING = """
trap 'echo caught; exit 7' INT
echo ready
while :; do sleep 0.05; done
"""


def interrupted(command: list[str], wait_for: str = "") -> tuple[int, str, str]:
    """Ctrl-C at a terminal where a command runs: the whole process group is told."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    ) as process:
        try:
            if wait_for:
                assert process.stdout.readline() == f"{wait_for}\n"
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    return process.returncode, out, err


def test_interrupt_ends_the_command_and_not_the_laboratory(name: str):
    command = module_command("kzmitm", "lab", "run", "--name", name, "client", "--", "sh", "-c")
    code, out, err = interrupted([*command, "echo ready; exec sleep 60"], "ready")
    assert (code, out, err) == (128 + signal.SIGINT, "", "")
    assert document(kzmitm("lab", "status", "--name", name, "--json"))["kind"] == "network"
    assert run(name, "pgrep", "-x", "sleep").returncode == 1


def test_interrupt_is_the_command_s_to_take(name: str):
    command = module_command("kzmitm", "lab", "run", "--name", name, "client", "--", "sh", "-c", WAITING)
    assert interrupted(command, "ready") == (7, "caught\n", "")


def test_interrupt_of_a_scan_is_told_by_the_scan(name: str, tmp_path: Path):
    assert kzmitm("lab", "on", "--name", name, "drop").returncode == 0
    out = tmp_path / "results"
    command = module_command("kzmitm", "lab", "scan", "--name", name, "social.lab.test", "--out", str(out))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), start_new_session=True
    ) as process:
        try:
            eventually(lambda: list(out.glob(".journal-*/journal.json")))
            os.killpg(process.pid, signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 3, err
    assert b"Traceback" not in err
    [left] = out.iterdir()
    # The journal has become a bundle, or nothing had been measured when the scan was told to end.
    assert left.match("bundle-*.zip") or not (left / "measurements.jsonl").stat().st_size


SOON_S = 8.0
"""Of the profiles that are left, one alone takes longer."""


def test_interrupt_ends_a_check(monkeypatch: pytest.MonkeyPatch):
    trace = Trace(lab_name("check"))
    monkeypatch.setenv("PATH", trace.path)
    command = module_command(
        "kzmitm", "lab", "check", "--jobs", "1", "none", "rst", "nxdomain", "drop", "mtu-hole"
    )
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), start_new_session=True
    ) as process:
        try:
            eventually(lambda: trace.called("nginx.conf"))
            os.killpg(process.pid, signal.SIGINT)
            _, err = process.communicate(timeout=SOON_S)
        finally:
            process.kill()
    assert process.returncode == 3
    assert err.endswith(b"kzmitm: stopped\n")
    assert b"mtu-hole" not in err
    eventually(lambda: not trace.processes())
