"""The interceptors as the laboratory sees them: started, awaited and stopped through the supervisor."""

import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kzmitm.lab.errors import LaboratoryError
from kzmitm.lab.loopback import supervisor
from kzmitm.model.target import Endpoint
from kzmitm.wording import Wording

START_TIMEOUT_S = 10.0
"""mitmproxy listens after half a second on an idle machine; the rest is for a busy one."""
POLL_S = 0.01
LOG_TAIL = 400
"""Characters of an interceptor's last words that are passed on."""

MEMORY_DIRECTORY = Path("/dev/shm")  # noqa: S108 - memory-backed, and mkdtemp makes the name safe


class Children:
    """Processes that end, and a private directory that vanishes, however this process ends."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=supervisor.PREFIX, dir=_memory_backed()))
        self._lock = threading.Lock()
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(self, name: str, argv: Sequence[str]) -> None:
        """Start a program; raises LaboratoryError if it cannot be executed."""
        answer = self._ask(do="start", name=name, argv=list(argv))
        if "error" in answer:
            raise LaboratoryError("{name} did not start: {answer}", name=name, answer=answer["error"])

    def wait_for(self, name: str, endpoints: Sequence[Endpoint]) -> None:
        """Return once the program listens on all `endpoints`; raises LaboratoryError if it does not."""
        deadline = time.monotonic() + START_TIMEOUT_S
        for endpoint in endpoints:
            while not _listens(endpoint):
                exit_code = self._ask(do="poll", name=name)["exit"]
                if exit_code is not None:
                    raise LaboratoryError(
                        "{name} ended with {exit_code}: {name_2}",
                        name=name,
                        exit_code=exit_code,
                        name_2=self._last_words(name),
                    )
                if time.monotonic() > deadline:
                    raise LaboratoryError(
                        "{name} does not listen on {endpoint}: {name_2}",
                        name=name,
                        endpoint=endpoint,
                        name_2=self._last_words(name),
                    )

    def stop(self, name: str) -> None:
        """End a program and all that it started; return when they are gone."""
        self._ask(do="stop", name=name)

    def close(self) -> None:
        """End every program and remove the directory; return when both are gone."""
        with self._lock:
            self._supervisor.communicate()

    def _ask(self, **command: Any) -> dict[str, Any]:
        pipes = self._supervisor
        assert pipes.stdin is not None  # noqa: S101 - both are pipes by construction
        assert pipes.stdout is not None  # noqa: S101
        with self._lock:
            try:
                pipes.stdin.write(json.dumps(command) + "\n")
                pipes.stdin.flush()
                answer = json.loads(pipes.stdout.readline())
            except (OSError, ValueError) as exc:
                raise LaboratoryError("the laboratory's supervisor is gone") from exc
        return dict(answer)

    def _last_words(self, name: str) -> str:
        try:
            text = (self.directory / f"{name}.log").read_text(errors="replace")
        except OSError:
            return Wording("(no log)")
        return " ".join(text[-LOG_TAIL:].split())


def _memory_backed() -> Path | None:
    """Where keys never reach a disk; None, the ordinary temporary directory, where there is no such place."""
    return MEMORY_DIRECTORY if os.access(MEMORY_DIRECTORY, os.W_OK | os.X_OK) else None


def _listens(endpoint: Endpoint) -> bool:
    """True if something accepts at a loopback endpoint; waits a moment for the next try if not."""
    family = socket.AF_INET6 if ":" in endpoint.ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        if sock.connect_ex((endpoint.ip, endpoint.port)) == 0:
            return True
    with selectors.DefaultSelector() as selector:
        selector.select(POLL_S)
    return False
