"""Workers that are killed, runs that are stopped, shares and clusters: no part is lost, none is there twice.

A file that a worker cannot come to the end of keeps it where the test wants it: a pipe nobody writes to, or
zeros beyond number in gzip.
"""

import gzip
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import duckdb
import pytest

from kzmitm.errors import UsageError
from kzmitm.ooni.archive import planning, running
from kzmitm.ooni.archive.parts import ABANDONED_S, EXTRACT, parts_of, read_summary, scratch_in
from kzmitm.ooni.archive.planning import MIN_TASK, plan, sources_in
from kzmitm.ooni.archive.rows import COLUMNS
from kzmitm.ooni.archive.running import MAX_LOSSES, WorkersLostError, processes, run_all, run_here

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "bench"))

from corpus import plans, write_corpus  # noqa: E402

MEGABYTES = 30
PATIENCE_S = 30
ENDLESS = "endless.jsonl.gz"
ENDLESS_OCTETS = 80 << 20
"""A thousand times as much when it is decompressed, and no more than leaves the plan of the others alone."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="shared by Linux only: /proc")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Files of more than half a task each, so that each is a task."""
    out = tmp_path_factory.mktemp("corpus")
    write_corpus(out, plans(5, MEGABYTES, 8, "none", "go"), processes=2)
    tasks = plan(sources_in([out / "raw"]))
    assert len(tasks) >= 6
    return out


@pytest.fixture(scope="module")
def undisturbed(corpus, tmp_path_factory):
    """The rows of a run in which nothing happened."""
    folder = tmp_path_factory.mktemp("undisturbed") / EXTRACT
    summaries = list(run_here(plan(sources_in([corpus / "raw"])), str(folder)))
    return rows_of(folder), sum(each["counts"]["handshakes"] for each in summaries)


def rows_of(extract):
    """All rows of an extract by table, each with its part."""
    found = {}
    for table in COLUMNS:
        files = [str(file) for part in parts_of(extract) for file in part.glob(f"{table}-*.parquet")]
        found[table] = duckdb.sql(
            "SELECT parse_filename(parse_dirpath(filename)) AS part, * EXCLUDE (filename)"  # noqa: S608
            f" FROM read_parquet({files}, filename = true) ORDER BY ALL"
        ).fetchall()
    return found


def is_tidy(extract):
    """Nothing lies there but whole parts."""
    return sorted(extract.iterdir()) == list(parts_of(extract))


def until(condition):
    """What the condition gives once it gives something."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)  # so that what is waited for has the processor
    raise AssertionError("it did not happen")


def reader_of(path, *, but=()):
    """The process that has a file open, or None."""
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            for each in folder.iterdir():
                with suppress(OSError):
                    pid = int(folder.parent.name)
                    if each.readlink() == path and pid != os.getpid() and pid not in but:
                        return pid
    return None


def kill_reader_of(path, *, but=()):
    pid = until(lambda: reader_of(path, but=but))
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.fixture(scope="module")
def endless(tmp_path_factory):
    """A file that takes a minute to read."""
    path = tmp_path_factory.mktemp("endless") / ENDLESS
    member = gzip.compress(bytes(1 << 20))
    path.write_bytes(member * (ENDLESS_OCTETS // len(member)))
    return path


def linked(corpus, folder, more=()):
    """The files of the corpus in another folder, and more files."""
    for source in sources_in([corpus / "raw", *more]):
        target = folder / source.shown
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(source.path)
    return folder


@pytest.fixture
def archive(corpus, endless, tmp_path):
    """A folder with the corpus and the file that takes a minute, which as the largest is read first."""
    return linked(corpus, tmp_path / "archive", [endless])


def analyze(*words: object, **options):
    command = [sys.executable, "-m", "kzmitm", "ooni", "analyze", "--extract-only", *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, cwd="/", **pipes, **options)
    started.append(process)
    return process


started = []


@pytest.fixture(autouse=True)
def _no_run_is_left():
    yield
    while started:
        with started.pop() as process:
            process.kill()


def ended(process):
    """Its exit code, and what it said but for how far it was."""
    _, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, "".join(
        line for line in err.splitlines(keepends=True) if " pieces, " not in line
    )


def test_processes_give_what_one_gives(corpus, undisturbed, tmp_path):
    tasks = plan(sources_in([corpus / "raw"]))
    summaries = list(run_all(tasks, str(tmp_path / EXTRACT), processes(2)))
    assert sum(each["counts"]["handshakes"] for each in summaries) == undisturbed[1]
    assert rows_of(tmp_path / EXTRACT) == undisturbed[0]
    assert is_tidy(tmp_path / EXTRACT)


def test_a_killed_worker_loses_nothing_and_doubles_nothing(corpus, undisturbed, tmp_path):
    tasks = plan(sources_in([corpus / "raw"]))
    source = Path(tasks[0].sources[0].path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    blocked = planning.Source(str(pipe), tasks[0].sources[0].shown, tasks[0].sources[0].size)
    tasks[0] = planning.Task(tasks[0].id, (blocked, *tasks[0].sources[1:]))

    def disturb():
        with pipe.open("wb") as file:
            killed.append(kill_reader_of(pipe))
            until(lambda: reader_of(pipe, but=killed))  # another one took the task
            file.write(source.read_bytes())

    killed = []
    thread = threading.Thread(target=disturb)
    thread.start()
    summaries = list(run_all(tasks, str(tmp_path / EXTRACT), processes(2)))
    thread.join()
    assert len(killed) == 1
    assert len(summaries) == len(tasks)
    assert rows_of(tmp_path / EXTRACT) == undisturbed[0]
    assert is_tidy(tmp_path / EXTRACT)
    assert not multiprocessing.active_children()


def test_a_file_that_kills_every_worker_is_named_when_all_else_is_read(archive, undisturbed, tmp_path):
    run = analyze(archive, "--out", tmp_path / "out", "--jobs", 2)
    killed = set()
    for _ in range(1 + MAX_LOSSES):
        killed.add(kill_reader_of(archive / ENDLESS, but=killed))
    code, err = ended(run)
    assert code == 70
    assert err.count("\n") == 1
    assert f"workers died again and again at {ENDLESS}" in err
    assert rows_of(tmp_path / "out" / EXTRACT) == undisturbed[0]
    assert is_tidy(tmp_path / "out" / EXTRACT)


def test_the_exception_names_the_file(endless, tmp_path):
    killed = set()

    def disturb():
        for _ in range(1 + MAX_LOSSES):
            killed.add(kill_reader_of(endless, but=killed))

    thread = threading.Thread(target=disturb)
    thread.start()
    with pytest.raises(WorkersLostError, match=ENDLESS):
        list(run_all(plan(sources_in([endless])), str(tmp_path / EXTRACT), processes(1)))
    thread.join()


def test_ctrl_c_leaves_whole_parts_and_the_next_run_reads_the_rest(archive, undisturbed, tmp_path):
    out = tmp_path / "out"
    run = analyze(archive, "--out", out, "--jobs", 2, process_group=0)
    until(lambda: reader_of(archive / ENDLESS) and list(parts_of(out / EXTRACT)))
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does, to all of them
    code, err = ended(run)
    assert reader_of(archive / ENDLESS) is None
    (archive / ENDLESS).unlink()
    assert (code, err) == (3, "kzmitm: stopped\n")
    assert is_tidy(out / EXTRACT)
    before = {part: part.stat().st_ino for part in parts_of(out / EXTRACT)}
    assert before
    assert ended(analyze(archive, "--out", out, "--jobs", 2))[0] == 0
    assert {part: part.stat().st_ino for part in before} == before
    assert rows_of(out / EXTRACT) == undisturbed[0]


def test_workers_do_not_outlive_a_killed_run(archive, tmp_path):
    run = analyze(archive, "--out", tmp_path / "out", "--jobs", 2)
    until(lambda: reader_of(archive / ENDLESS))
    run.kill()
    ended(run)
    until(lambda: reader_of(archive / ENDLESS) is None)
    unfinished = tmp_path / "out" / EXTRACT
    assert not is_tidy(unfinished)
    left = next(each for each in unfinished.iterdir() if each.name.startswith("."))
    with scratch_in(str(unfinished)):
        assert left.is_dir()  # it may be somebody's who is alive
    old = left.stat().st_mtime - ABANDONED_S - 60
    os.utime(left, (old, old))
    with scratch_in(str(unfinished)):
        assert not left.is_dir()


def test_shares_in_one_folder_are_one_run(corpus, undisturbed, tmp_path):
    out = tmp_path / "out"
    runs = [analyze(corpus / "raw", "--out", out, "--jobs", 1, "--shard", f"{n}/3") for n in (1, 2, 3)]
    assert [ended(run)[0] for run in runs] == [0, 0, 0]
    assert rows_of(out / EXTRACT) == undisturbed[0]
    assert is_tidy(out / EXTRACT)


def test_two_runs_of_one_share_do_no_harm(corpus, undisturbed, tmp_path):
    out = tmp_path / "out"
    runs = [analyze(corpus / "raw", "--out", out, "--jobs", 1, "--shard", "1/1") for _ in range(2)]
    assert [ended(run)[0] for run in runs] == [0, 0]
    assert rows_of(out / EXTRACT) == undisturbed[0]
    assert is_tidy(out / EXTRACT)


def test_a_fault_in_a_task_ends_the_run_with_it(corpus, tmp_path):
    tasks = plan(sources_in([corpus / "raw"]))
    place = tmp_path / EXTRACT / tasks[0].id
    place.mkdir(parents=True)
    (place / "part.json").write_text('{"format": "kzmitm.extract/9.0"}')
    with pytest.raises(ValueError, match="no part of an extract"):
        list(run_all(tasks, str(tmp_path / EXTRACT), processes(2)))


def test_a_run_that_nobody_reads_on_stops(archive, tmp_path):
    tasks = plan(sources_in([archive]))
    with closing(run_all(tasks, str(tmp_path / EXTRACT), processes(2))) as results:
        next(results)
    assert reader_of(archive / ENDLESS) is None
    assert is_tidy(tmp_path / EXTRACT)


# A cluster: a scheduler and workers as processes of their own.


@contextmanager
def dask(*words: str, **variables):
    """One of distributed's commands; its log, line by line."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{words[0]}", *words[1:]]
    environment = {**os.environ, **variables}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/", env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def logged(process, what):
    """Waits for a line of the log."""
    for line in process.stderr:
        if what in line:
            # The rest is read away, so that nothing waits for the pipe.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return line
    raise AssertionError(f"no {what}")


@contextmanager
def scheduler(**variables):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    words = ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show")
    with dask(*words, **variables) as process:
        yield f"tcp://127.0.0.1:{port}", process


def worker(address):
    return dask("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")


def test_a_cluster_loses_a_worker_and_nothing_else(corpus, undisturbed, tmp_path):
    archive = linked(corpus, tmp_path / "archive")
    largest = max(sources_in([archive]), key=lambda each: each.size)
    path = Path(largest.path)
    content = path.read_bytes()
    assert len(content) > MIN_TASK // 2
    with scheduler() as (address, process):
        run = analyze(archive, "--out", tmp_path / "out", "--scheduler", address)
        logged(process, "Receive client connection")  # what is to be done is known, and nobody is there yet
        path.unlink()
        os.mkfifo(path)
        with worker(address) as one, worker(address) as two:
            with path.open("wb") as file:
                killed = kill_reader_of(path)
                assert killed in (one.pid, two.pid)
                until(lambda: reader_of(path, but=[killed]))
                file.write(content)
            code, err = ended(run)
    assert (code, err.count("\n")) == (0, 1)
    assert rows_of(tmp_path / "out" / EXTRACT) == undisturbed[0]
    assert is_tidy(tmp_path / "out" / EXTRACT)
    assert all(read_summary(part)["bad"] == 0 for part in parts_of(tmp_path / "out" / EXTRACT))


def test_a_file_that_kills_the_workers_of_a_cluster_is_named(archive, tmp_path):
    with (
        scheduler(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as (address, _),
        ExitStack() as stack,
    ):
        run = analyze(archive, "--out", tmp_path / "out", "--scheduler", address)
        killed = set()
        for _ in range(1 + MAX_LOSSES):
            stack.enter_context(worker(address))
            killed.add(kill_reader_of(archive / ENDLESS, but=killed))
        code, err = ended(run)
    assert code == 70
    assert err.count("\n") == 1
    assert f"workers died again and again at {ENDLESS}" in err


def test_a_scheduler_that_is_not_there_is_one_line(corpus, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    run = analyze(corpus / "raw", "--out", tmp_path / "out", "--scheduler", f"tcp://127.0.0.1:{port}")
    code, err = ended(run)
    assert code == 2
    assert err.count("\n") == 1
    assert "no scheduler answers" in err


def test_a_scheduler_that_goes_is_one_line(archive, tmp_path):
    with scheduler() as (address, process), worker(address):
        run = analyze(archive, "--out", tmp_path / "out", "--scheduler", address)
        until(lambda: reader_of(archive / ENDLESS))
        process.kill()
        code, err = ended(run)
    assert code == 70
    assert err.count("\n") == 1
    assert "the scheduler has gone" in err
    assert is_tidy(tmp_path / "out" / EXTRACT)


def test_a_cluster_without_workers_is_said_to_be_one(endless, tmp_path, monkeypatch):
    with scheduler() as (address, _):
        monkeypatch.setattr(running, "WORKERS_S", 0.1)
        with pytest.raises(UsageError, match="no workers"), running.cluster(address):
            pass
        monkeypatch.setattr(running, "WORKERS_S", PATIENCE_S)
        with worker(address), running.cluster(address) as them:
            monkeypatch.setattr(running, "WORKERS_S", 0.5)
            results = run_all(plan(sources_in([endless])), str(tmp_path / EXTRACT), them)
            threading.Thread(target=kill_reader_of, args=(endless,)).start()
            with pytest.raises(WorkersLostError, match="no workers"):
                next(results)
    assert is_tidy(tmp_path / EXTRACT)
