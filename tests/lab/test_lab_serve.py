"""The console as its users start it: one address, nobody else's, ended by Ctrl-C."""

import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from lab_tools import environment, kzmitm, need_network, run


@pytest.mark.parametrize("loopback", [False, True], ids=["network", "loopback"])
def test_console_answers_and_ends(loopback: bool, tmp_path: Path):  # noqa: FBT001
    if not loopback:
        need_network()
    process = subprocess.Popen(
        kzmitm("lab", "serve", *(["--loopback"] if loopback else [])),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path, {}),
    )
    with process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        assert len(url.rstrip("/").rpartition("/")[2]) >= 32
        with httpx.Client(trust_env=False) as client:
            page = client.get(url)
            assert page.status_code == 200
            assert "default-src 'none'" in page.headers["content-security-policy"]
            assert client.get(url.rstrip("/") + "x/").status_code == 404
            assert client.get(url.rstrip("/")[:-1] + "/").status_code == 404
            assert client.get(httpx.URL(url).copy_with(path="/")).status_code == 404
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_port_that_cannot_be(port: str, tmp_path: Path):
    done = run("lab", "serve", f"--port={port}", home=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
