"""However a laboratory ends, its interceptors end with it and its keys are gone."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kzmitm.cli.clock import now
from kzmitm.errors import UsageError
from kzmitm.lab.errors import LaboratoryError
from kzmitm.lab.loopback.children import Children
from kzmitm.lab.loopback.laboratory import Lab
from kzmitm.lab.loopback.supervisor import PREFIX, Supervisor
from kzmitm.lab.products import Products, find_products
from kzmitm.model.target import Endpoint

PATIENCE_S = 10.0

# An interceptor that forks as sslsplit does, says both process ids, and never ends by itself.
FORKING = """
import os, sys, time
child = os.fork()
if child:
    open(sys.argv[1], "w").write(f"{os.getpid()} {child}\\n")
while True:
    time.sleep(60)
"""

LABORATORY = f"""
import sys, time
from kzmitm.lab.loopback.children import Children
children = Children()
(children.directory / "key.pem").write_text("secret")
children.start("forking", [sys.executable, "-c", {FORKING!r}, sys.argv[1]])
print(children.directory, flush=True)
time.sleep(60)
"""


def eventually(condition):
    """Wait for what another process does; there is nothing to be told by."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        os.sched_yield()


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_signal_leaves_nothing(number: signal.Signals, tmp_path: Path):
    pids_file = tmp_path / "pids"
    process = subprocess.Popen(
        [sys.executable, "-c", LABORATORY, str(pids_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        directory = Path(process.stdout.readline().strip())
        eventually(lambda: pids_file.exists() and pids_file.read_text().endswith("\n"))
        pids = [int(word) for word in pids_file.read_text().split()]
        assert directory.stat().st_mode & 0o777 == 0o700
        assert (directory / "key.pem").exists()
        process.send_signal(number)
        process.wait()
        eventually(lambda: not directory.exists() and not any(map(exists, pids)))


def test_supervisor_starts_polls_stops_and_cleans_up(tmp_path: Path):
    directory = tmp_path / f"{PREFIX}x"
    directory.mkdir()
    supervisor = Supervisor(directory)
    start = {"do": "start", "name": "brief", "argv": [sys.executable, "-c", "import os; print(os.environ)"]}
    assert supervisor.obey(start) == {}
    eventually(lambda: supervisor.obey({"do": "poll", "name": "brief"}) == {"exit": 0})
    environment = (directory / "brief.log").read_text()
    assert str(directory) in environment
    assert "PYTHON" not in environment
    assert supervisor.obey({"do": "stop", "name": "brief"}) == {}
    assert supervisor.obey({"do": "stop", "name": "brief"}) == {}
    missing = {"do": "start", "name": "ghost", "argv": ["/nonexistent/ghost"]}
    assert supervisor.obey(missing) == {"error": "/nonexistent/ghost: No such file or directory"}
    supervisor.obey(
        {"do": "start", "name": "long", "argv": [sys.executable, "-c", "import time; time.sleep(60)"]}
    )
    supervisor.clean_up()
    assert not directory.exists()


def test_supervisor_removes_no_directory_of_another_name(tmp_path: Path):
    Supervisor(tmp_path).clean_up()
    assert tmp_path.exists()


def test_supervisor_that_is_gone_is_said(children: Children):
    children._supervisor.kill()
    children._supervisor.wait()
    with pytest.raises(LaboratoryError, match="supervisor is gone"):
        children.stop("anything")
    shutil.rmtree(children.directory)


def test_close_waits_until_all_is_gone(tmp_path: Path):
    children = Children()
    pids_file = tmp_path / "pids"
    children.start("forking", [sys.executable, "-c", FORKING, str(pids_file)])
    eventually(lambda: pids_file.exists() and pids_file.read_text().endswith("\n"))
    children.close()
    assert not children.directory.exists()
    if sys.platform.startswith("linux"):
        assert not any(exists(int(word)) for word in pids_file.read_text().split())


@pytest.fixture
def children():
    children = Children()
    yield children
    children.close()


def test_program_that_is_missing_is_named(children: Children):
    with pytest.raises(LaboratoryError, match="ghost did not start: /nonexistent/ghost: No such file"):
        children.start("ghost", ["/nonexistent/ghost"])


def test_program_that_ends_at_once_is_quoted(children: Children, lab_endpoint: Endpoint):
    children.start("brief", [sys.executable, "-c", "print('no certificate'); raise SystemExit(3)"])
    with pytest.raises(LaboratoryError, match="brief ended with 3: no certificate"):
        children.wait_for("brief", [lab_endpoint])


def test_program_that_does_not_listen_is_named(
    children: Children, lab_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("kzmitm.lab.loopback.children.START_TIMEOUT_S", 0.05)
    children.start("deaf", [sys.executable, "-c", "import time; time.sleep(60)"])
    with pytest.raises(LaboratoryError, match=f"deaf does not listen on {lab_endpoint}"):
        children.wait_for("deaf", [lab_endpoint])


@pytest.fixture
def lab_endpoint() -> Endpoint:
    """An endpoint at which nobody listens."""
    with Lab(now=now(), products=Products({})).running() as lab:
        return lab.free_endpoint("127.0.0.1")


def test_profile_without_its_product_says_how_to_get_it():
    with (
        Lab(now=now(), products=Products({})).running() as lab,
        pytest.raises(UsageError) as caught,
    ):
        lab.switch_on("sslsplit")
    assert "apt-get install sslsplit" in caught.value.hint


def test_mitmdump_is_found_where_the_variable_says(tmp_path: Path):
    program = tmp_path / "mitmdump"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = find_products({"PATH": "/nonexistent", "KZMITM_MITMDUMP": str(program)})
    assert found.programs["mitmproxy"] == program
    program.chmod(0o644)
    assert "mitmproxy" not in find_products({"KZMITM_MITMDUMP": str(program)}).programs


def test_mitmdump_is_found_in_the_data_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kzmitm.lab.products.__file__", str(tmp_path / "a/b/c.py"))
    program = tmp_path / "kzmitm/.venv-mitmproxy/bin/mitmdump"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = find_products({"PATH": "/nonexistent", "XDG_DATA_HOME": str(tmp_path)})
    assert found.programs["mitmproxy"] == program
