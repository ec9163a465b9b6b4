"""Runs kzmitm over and over, and kills it when it is told to: an order a line on stdin, an answer on stdout.

The modules are loaded once and each run is a fork, so that the moments fall into the work and not into
Python's start; some runs are commands of their own all the same.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from kzmitm._registry import load
from kzmitm.cli import verbs
from kzmitm.cli.main import run
from kzmitm.netio import links

PATIENCE_S = 60


def become(order: dict) -> NoReturn:
    """Be the command of an order."""
    os.environ["KZMITM_HOME"] = order["home"]
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if order["is_command"]:
        os.execv(sys.executable, [sys.executable, "-m", "kzmitm", *order["words"]])  # noqa: S606
    sys.argv = ["kzmitm", *order["words"]]
    run()


def matches(folder: str, parts: list[str]) -> Iterator[tuple[str, int]]:
    """The files below a folder whose names match, part by part; `**` is any folder at any depth.

    Asked thousands of times a second, beside the very run that is to be killed, hence not by pathlib.
    """
    first, *rest = parts
    with suppress(OSError):  # a folder that vanishes while it is looked into
        for entry in os.scandir(folder):
            if first == "**":
                if fnmatch(entry.name, rest[0]):
                    yield entry.path, entry.inode()
                if entry.is_dir(follow_symlinks=False):
                    yield from matches(entry.path, parts)
            elif fnmatch(entry.name, first):
                yield from matches(entry.path, rest) if rest else ((entry.path, entry.inode()),)


def places(gate: dict) -> dict[Path, int]:
    """The files that a gate is about, each with what tells it from one that replaces it."""
    return {Path(path): inode for path, inode in matches(gate["folder"], gate["pattern"].split("/"))}


def happened(gate: dict, before: dict[Path, int]) -> bool:
    """Whether what the kill waits for is there: a file with some lines, new or in the place of another."""
    new = places(gate).items() - before.items()
    with suppress(OSError):
        return any(path.read_bytes().count(b"\n") >= gate["lines"] for path, _inode in new)
    return False


def follow(order: dict) -> dict:
    """Run the command of an order, and kill it a while after its gate; how it ended."""
    gate = order["gate"]
    before = places(gate) if gate else {}
    began = time.monotonic()
    child = os.fork()
    if not child:
        become(order)
    due = None if gate or order["after"] is None else began + order["after"]
    ended, status = 0, 0
    while not ended:
        ended, status = os.waitpid(child, os.WNOHANG)
        now = time.monotonic()
        if not ended and due is None and gate and happened(gate, before):
            due = now + order["after"]
        if not ended and ((due is not None and now >= due) or now > began + PATIENCE_S):
            os.kill(child, signal.SIGKILL)
            ended, status = os.waitpid(child, 0)
        elif not ended:
            time.sleep(0.0003)
    return {
        "is_killed": os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL,
        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "seconds": time.monotonic() - began,
    }


for name in ("scan", "share", "stamp", "countersign"):
    load(verbs, name)
# The verbs load them when they are needed.
for name in ("OpenSSL.SSL", "httpcore", "httpx", "rfc3161_client", "uvloop"):
    import_module(name)
load(links, "direct")
for line in sys.stdin:
    sys.stdout.write(json.dumps(follow(json.loads(line))) + "\n")
    sys.stdout.flush()
