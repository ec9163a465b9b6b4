"""A database in a process of its own: its result, its complaints, its death, and whose death ends it."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from judged_corpora import (
    ROOT,
    every_situation,
    extract,
    grounds_beside,
    judge,
    verdicts,
    write_grounds,
    write_lines,
)

from kzmitm.errors import UsageError
from kzmitm.ooni.archive import apart as module
from kzmitm.ooni.archive.apart import DatabaseLostError, apart, here
from kzmitm.ooni.archive.choice import Choice
from kzmitm.ooni.archive.parts import EXTRACT
from kzmitm.ooni.archive.rows import COLUMNS


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    folder = write_grounds(tmp_path_factory.mktemp("corpus"))
    documents = [document for document, _ in every_situation()][::4]
    extract([write_lines(folder / "raw" / "a.jsonl", documents)], folder)
    return folder


def test_it_gives_what_this_process_gives(read, tmp_path):
    told = {}
    for name, sql in (("apart", apart), ("here", here)):
        (tmp_path / name).mkdir()
        (tmp_path / name / EXTRACT).symlink_to(read / EXTRACT)
        choice = Choice(since=date(2018, 1, 1))
        told[name] = (
            judge(tmp_path / name, grounds_beside(read), choice=choice, sql=sql),
            verdicts(tmp_path / name),
        )
    assert told["apart"] == told["here"]


def test_a_damaged_file_is_told_as_ever(tmp_path):
    part = tmp_path / EXTRACT / "part"
    part.mkdir(parents=True)
    told = {"octets": 1, "bad": 0, "problems": [], "counts": dict.fromkeys(COLUMNS, 1)}
    (part / "part.json").write_text(json.dumps({"format": "kzmitm.extract/1.0"} | told))
    (part / "measurements-0.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "place").mkdir()
    with pytest.raises(UsageError, match="measurements-0"):
        apart("index", [tmp_path / EXTRACT], Choice(), [], tmp_path / "place", 1)


def test_a_fault_there_is_raised_here(tmp_path):
    with pytest.raises(FileNotFoundError):
        apart("tables", tmp_path / "nowhere", 1)


def test_one_that_dies_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(DatabaseLostError):
        apart("tables", tmp_path, 1)


def test_without_an_interpreter_it_is_done_here(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", "")
    done = []
    monkeypatch.setattr(module, "here", lambda *given: done.append(given))
    apart("tables", tmp_path, 1)
    assert done == [("tables", tmp_path, 1)]


def test_an_exception_that_cannot_be_carried_is_told_by_its_words():
    class OddError(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} {two}")

    told = module._pickled((False, OddError("a", "b")))
    with pytest.raises(RuntimeError, match="OddError: a b"):
        raise module.pickle.loads(told)[1]


def children_of(pid):
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(condition):
    end = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_parent(tmp_path, kill):
    """The part is a pipe that nobody writes into, so that the database waits for ever."""
    part = tmp_path / EXTRACT / "part"
    part.mkdir(parents=True)
    told = {"octets": 1, "bad": 0, "problems": [], "counts": dict.fromkeys(COLUMNS, 1)}
    (part / "part.json").write_text(json.dumps({"format": "kzmitm.extract/1.0"} | told))
    os.mkfifo(part / "measurements-0.parquet")
    (tmp_path / "place").mkdir()
    code = (
        "from pathlib import Path; from kzmitm.ooni.archive.apart import apart;"
        "from kzmitm.ooni.archive.choice import Choice;"
        f"out = Path({str(tmp_path)!r});"
        f"apart('index', [out / {EXTRACT!r}], Choice(), [], out / 'place', 1)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        (child,) = until(lambda: children_of(parent.pid))
        until(lambda: Path(f"/proc/{child}/cmdline").read_bytes().count(b"kzmitm.ooni.archive.apart"))
        parent.send_signal(kill)
        assert parent.wait(30) != 0
        until(
            lambda: (
                not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes()
            )
        )
    finally:
        parent.kill()
        parent.wait()
