import json
import os
import pty
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from kzmitm.cli.main import main


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of our own, so that no test sees the consent or the results of whoever runs it."""
    folder = tmp_path / "home"
    monkeypatch.setenv("KZMITM_HOME", str(folder))
    for name in ("NO_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def kzmitm(capsys):
    """Run the command in this process: `kzmitm("show", folder)`."""

    def run(*words: object):
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def process():
    """Run the command as a process of its own, through pipes: what a script sees, in octets."""

    def run(*words: object, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "kzmitm", *map(str, words)],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def terminal():
    """Run the command on a pseudo-terminal and type `typed`; what a person sees, in octets."""

    def run(*words: object, typed="", **environment):
        controller, terminal = pty.openpty()
        seen = bytearray()

        def watch():
            try:
                while chunk := os.read(controller, 4096):
                    seen.extend(chunk)
            except OSError:
                pass  # how Linux says that nobody has the terminal open any more

        child = subprocess.Popen(
            [sys.executable, "-m", "kzmitm", *map(str, words)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )
        os.close(terminal)
        watcher = threading.Thread(target=watch)
        watcher.start()
        os.write(controller, typed.encode())
        code = child.wait(timeout=60)
        watcher.join(timeout=10)
        os.close(controller)
        return code, bytes(seen).decode().replace("\r\n", "\n")

    return run


@pytest.fixture(scope="session")
def certificates():
    """The folder of real certificates beside a development checkout."""
    folder = Path(__file__).parents[3] / "shared" / "certs"
    if not folder.is_dir():
        pytest.skip("the real certificates are not beside this checkout")
    return folder
