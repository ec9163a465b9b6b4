"""Where namespaces are refused the laboratory says so in one line and is the smaller one."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from lab_tools import need_network, need_products, run

# A user namespace that allows no more of them: what a container or a hardened system is like.
REFUSING = ("unshare", "--user", "--map-root-user", "sh", "-c",
            'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"', "sh")  # fmt: skip
SAID = "no network of namespaces here, so the smaller laboratory on loopback: this system refuses"


@pytest.fixture
def name(worker_id: str) -> str:
    return f"fallback-{worker_id}-{os.getpid()}"


def test_a_laboratory_to_work_in(tmp_path: Path, name: str):
    need_network()

    def lab(*words: str) -> "subprocess.CompletedProcess[str]":
        return run("lab", *words, home=tmp_path, before=REFUSING)

    up = lab("up", "--name", name)
    assert up.returncode == 0, up.stderr
    assert up.stderr.startswith(SAID)
    assert up.stderr.count("\n") == 1
    try:
        on = lab("on", "rst", "--set", "watched=bank.lab.test", "--name", name, "--json")
        assert json.loads(on.stdout)["kind"] == "loopback"
        scan = lab("scan", "--name", name, "bank.lab.test", "news.lab.test", "--json")
        outcomes = {row["hostname"]: row["outcome"] for row in json.loads(scan.stdout)["targets"]}
        assert outcomes == {"bank.lab.test": "blocked", "news.lab.test": "clean"}
        assert lab("run", "--name", name, "client", "--", "echo", "hi").stdout == "hi\n"
        assert lab("run", "--name", name, "operator", "true").returncode == 2
        network_only = lab("on", "squid", "--name", name)
        assert (network_only.returncode, network_only.stdout) == (2, "")
        trace = lab("trace", "--name", name)
        assert (trace.returncode, trace.stdout) == (2, "")
        assert "has no routers" in trace.stderr
    finally:
        assert lab("down", "--name", name).returncode == 0
    assert lab("status", "--name", name).returncode == 2


def test_check_has_the_profiles_that_can_be(tmp_path: Path):
    need_network()
    done = run("lab", "check", "none", "expired", "plain-http", "--json", home=tmp_path, before=REFUSING)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(SAID)
    document = json.loads(done.stdout)
    assert document["kind"] == "loopback"
    assert [row["result"] for row in document["profiles"]] == ["pass"] * 3


def test_demo_is_the_one_on_loopback(tmp_path: Path):
    need_network()
    need_products("mitmproxy")
    done = run("lab", "demo", "--auto", home=tmp_path, before=REFUSING, PATH=f"{os.environ['PATH']}")
    assert SAID in done.stderr
    assert "1. A small Internet on this computer" in done.stdout
