"""A disk that takes no more: nothing is lost, doubled or torn, and it goes on once there is room."""

import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager

import pytest
import zstandard

from kzmitm.campaign.log import Log, read_log
from kzmitm.campaign.share_store import LOG, Result, ShareStore, results_of


@contextmanager
def no_file_beyond(octets):
    """As a disk that is full in the middle of a write: a part of it is taken, then comes an error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 7])
def test_a_record_that_did_not_fit_is_written_once_there_is_room(tmp_path, room):
    path = tmp_path / "log"
    with Log(path) as log:
        log.append({"n": 1})
        for _ in range(2):
            with no_file_beyond(path.stat().st_size + room), pytest.raises(OSError, match="too large"):
                log.append({"n": 2})
        log.append({"n": 2})
        log.append({"n": 3})
    assert [each["n"] for each in read_log(path)] == [1, 2, 3]


def done(number):
    return Result(number, "done", "clean")


def line(number):
    return json.dumps({"job": number, "noise": os.urandom(200).hex()}).encode()


def jobs_in(store):
    octets = b"".join(path.read_bytes() for path in store.segments())
    text = zstandard.ZstdDecompressor().stream_reader(octets, read_across_frames=True).read()
    return [json.loads(each)["job"] for each in text.splitlines()]


def test_a_batch_that_did_not_fit_is_there_once_when_there_is_room(tmp_path):
    with ShareStore(tmp_path, plan="p", jobs=10) as store:
        store.add(done(1), line(1))
        store.flush()
        store.add(done(2), line(2))
        for _ in range(2):
            with (
                no_file_beyond(store.segments()[0].stat().st_size + 20),
                pytest.raises(OSError, match="too large"),
            ):
                store.flush()
        assert store.waiting == 1
        store.add(done(3), line(3))
        store.flush()
        store.flush()
        assert jobs_in(store) == [1, 2, 3]
    assert [each.number for each in results_of(tmp_path)] == [1, 2, 3]


def test_lines_whose_log_did_not_fit_are_not_written_twice(tmp_path):
    with ShareStore(tmp_path, plan="p" * 4000, jobs=10) as store:
        store.add(done(1), line(1))
        with no_file_beyond((tmp_path / LOG).stat().st_size), pytest.raises(OSError, match="too large"):
            store.flush()
        store.flush()
        assert jobs_in(store) == [1]
        assert counted(store) == store.segments()[0].stat().st_size


def counted(store):
    return [each["end"] for each in read_log(store.folder / LOG) if "end" in each][-1]


# -- the whole run, on a disk of its own

RUN = """
import os, subprocess, sys
folder = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", folder], check=True)
full = open(folder + "/filler", "wb", buffering=0)
def fill():
    for block in (4096, 1):
        try:
            while full.write(bytes(block)):
                pass
        except OSError:
            pass
WHEN = sys.argv[2]
if WHEN == "before":
    fill()
from kzmitm.campaign import room, share_run
room.ROOM_S = share_run.ROOM_S = 0.05
from kzmitm.cli.campaign.running import Telling
told = Telling.on_note
taken = Telling.on_result
def on_note(self, share, code, detail=""):
    told(self, share, code, detail)
    if code == "disk_full":
        os.ftruncate(full.fileno(), 0)
def on_result(self, job, judged):
    taken(self, job, judged)
    if WHEN == "amid" and self.__dict__.setdefault("count", 0) == 5:
        fill()
    self.count = self.__dict__.get("count", 0) + 1
Telling.on_note, Telling.on_result = on_note, on_result
from kzmitm.cli.main import main
status = main(sys.argv[3:])
subprocess.run(["cp", "-r", folder + "/out", folder + "/../kept"], check=True)
sys.exit(status)
"""
CAMPAIGN = """[campaign]
name = "full"
contact = "nobody@example.org"
[targets]
names = [{names}]
[controls]
names = ["c.test"]
every = 0
[limits]
rate = 1000
endpoint_gap = "0s"
endpoint_concurrency = 10
network_concurrency = 10
timeout = "3s"
[collect]
families = [4]
doh = false
follow_ups = false
"""


def may_mount():
    command = ["unshare", "--mount", "--map-root-user", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not may_mount(), reason="no mount namespace may be made here")
@pytest.mark.parametrize("when", ["before", "amid"])
def test_a_run_waits_for_room_and_says_so(tmp_path, when):
    path, disk = tmp_path / "full.toml", tmp_path / "disk"
    names = [f"h{i}.test" for i in range(20)]
    path.write_text(CAMPAIGN.format(names=", ".join(f'"{name}"' for name in names)))
    disk.mkdir()
    (disk / "out").mkdir()
    words = (
        "campaign",
        "run",
        path,
        "--out",
        disk / "out",
        "--i-understand",
        "--connect-to",
        "::127.0.0.1:1",
    )
    start = [sys.executable, "-c", RUN, str(disk), when, *map(str, words)]
    finished = subprocess.run(
        ["unshare", "--mount", "--map-root-user", *start], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "the disk is full; waiting for room: No space left on device" in finished.stderr
    assert "there is room again" in finished.stderr
    kept = tmp_path / "kept"
    manifest = json.loads((kept / "rounds/0001/here/manifest.json").read_text())
    assert manifest["jobs"] == {"done": 20, "failed": 0, "left": 0}
    found = [each.number for each in results_of(kept / "rounds/0001/here")]
    assert sorted(found) == list(range(20))
