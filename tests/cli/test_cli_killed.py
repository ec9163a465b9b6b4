"""kill -9 at random moments of what writes: the old file is there or the new one, and nothing else for long.

200 kills of real processes. Of a scan, everything that it had measured is in a bundle after the next start.
"""

import itertools
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import zipfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli_bundles import files_of, scan_of, write

sys.path.insert(0, str(Path(__file__).parents[1] / "evidence"))
from tsa_support import StampingAuthority, serving

from kzmitm.evidence import layout
from kzmitm.evidence.container import open_container
from kzmitm.evidence.scan_document import ScanHeader
from kzmitm.evidence.verification.verify import Trust, verify_bundle
from kzmitm.model.measurement import Measurement
from kzmitm.model.target import Target, Vantage
from kzmitm.model.verdict import Outcome, Verdict

SCAN_TESTS, SHARE_TESTS, STAMP_TESTS, COUNTERSIGN_TESTS = 16, 10, 8, 6
KILLS = 5
"""Of each test, one after the other in the same folder. 40 tests: 200 kills."""
MAX_RUNS = 40
"""Of a test: some come to their end before the moment."""
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
STORE = SimpleNamespace(name="mozilla", version="2026.1.1", date="2026-01-01", sha256="ab" * 32)
HEADER = ScanHeader(started_at=NOON, rules_version="1", registry_version="r", store=STORE)
DOWN = Verdict(outcome=Outcome.UNREACHABLE, confidence=None, rules_version="1")
ROWS = [
    (Measurement(target=Target(f"{n}.test"), vantage=Vantage(), started_at=NOON), DOWN, ()) for n in range(60)
]
PARTS = "**/.part-*"


@dataclass(frozen=True)
class Gate:
    """What the kill waits for: a file below the folder with some lines, new or in the place of an old one."""

    pattern: str
    lines: int = 0


@dataclass(frozen=True)
class Ended:
    is_killed: bool
    code: int | None
    seconds: float
    said: str


class Killer:
    """A process that runs commands and kills them."""

    def __init__(self, child, home, log):
        self._child = child
        self.home = home
        self._log = log

    def run(self, words, folder, *, gate=None, after=None, is_command=False):
        """Kill `after` seconds behind the gate, or behind the start if there is none; None: let it end."""
        self._log.write_bytes(b"")
        order = {
            "words": [str(word) for word in words],
            "home": str(self.home),
            "log": str(self._log),
            "is_command": is_command,
            "gate": gate and {**gate.__dict__, "folder": str(folder)},
            "after": after,
        }
        self._child.stdin.write(json.dumps(order) + "\n")
        self._child.stdin.flush()
        return Ended(**json.loads(self._child.stdout.readline()), said=self._log.read_text())

    def kills(self, rng, words, folder, gates):
        """Killed runs until there are enough, at moments that go round all gates; each as it ended.

        `words(n)` are those of the n-th run, `gates(n)` what it may be killed behind. In front of all gates
        stands a random moment of the whole run, as long as one takes that nobody kills.
        """
        took = self.run(words(0), folder).seconds
        killed, places = 0, itertools.count(rng.randrange(100))
        commands = {rng.randrange(KILLS)}
        for n in range(1, MAX_RUNS):
            chosen = [None, *gates(n)]
            gate = chosen[next(places) % len(chosen)]
            is_command = killed in commands
            whole = took + (0.4 if is_command else 0)
            after = rng.uniform(0, whole) if gate is None else rng.choice((0, rng.uniform(0, 0.01)))
            ended = self.run(words(n), folder, gate=gate, after=after, is_command=is_command)
            assert ended.is_killed or ended.seconds < 30, ended.said
            assert "Traceback" not in ended.said
            killed += ended.is_killed
            yield n, ended
            if killed == KILLS:
                return
        pytest.fail(f"{killed} of {MAX_RUNS} runs were killed before their end")


@pytest.fixture(scope="module")
def child():
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    driver = Path(__file__).with_name("killed_verbs.py")
    with subprocess.Popen(
        [sys.executable, str(driver)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def killer(child, home, tmp_path):
    return Killer(child, home, tmp_path / "log")


def unaltered(path, *, roots=()):
    """What can be said of a bundle, which must be whole."""
    found = verify_bundle(path, trust=Trust(roots=lambda: roots), now=NOON)
    assert found.is_unaltered, found.problems
    return found


def hidden(*folders: Path):
    """What a killed writer leaves, and the next one must not."""
    return [path for folder in folders for path in folder.rglob(".*")]


# --- scan


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def lines_of(octets):
    return octets.split(b"\n")[:-1]


@dataclass
class Seen:
    """What a scan had measured when it was last seen, and whether it had come to its end."""

    lines: list[bytes]
    has_ended: bool


class Results:
    """The folder that scans write to, as it is after each kill."""

    def __init__(self, folder):
        self._folder = folder
        self._octets = {}
        self.bundles = {}
        """By salt: lines of measurements, and whether it is complete."""
        self.journals = {}

    def look(self):
        """Check what is there; the salts that were never seen before."""
        old = {*self.bundles, *self.journals}
        for path in self._folder.glob("*.zip"):
            octets = path.read_bytes()
            if path.name not in self._octets:
                self._read_bundle(path)
            assert self._octets.setdefault(path.name, octets) == octets
        assert set(self._octets) == {path.name for path in self._folder.glob("*.zip")}
        for path in self._folder.glob(".journal-*/journal.json"):
            log, end = path.with_name("measurements.jsonl"), path.with_name("end.json")
            salt = json.loads(path.read_bytes())["salts"]["scan"]
            self.journals[salt] = Seen(lines_of(log.read_bytes()), end.exists())
        return {*self.bundles, *self.journals} - old

    def _read_bundle(self, path):
        unaltered(path)
        scan, files = scan_of(path), files_of(path)
        assert scan["salt"] not in self.bundles
        self.bundles[scan["salt"]] = lines_of(files[layout.MEASUREMENTS.path]), scan["complete"]

    def check_nothing_is_lost(self):
        for salt, seen in self.journals.items():
            if not seen.lines and not seen.has_ended:
                assert salt not in self.bundles  # nothing was measured
                continue
            lines, is_complete = self.bundles[salt]
            assert lines == seen.lines
            assert is_complete == seen.has_ended


def told_of(said):
    """The sites whose lines were printed."""
    return set(re.findall(r"^(?:CLEAN|UNREACHABLE|INTERCEPTION) +(\S+\.test)\b", said, re.MULTILINE))


def measured_in(results, salt):
    lines = results.bundles[salt][0] if salt in results.bundles else results.journals[salt].lines
    return {re.findall(r"[a-z0-9]+\.test", json.loads(line)["input"])[0] for line in lines}


@pytest.mark.parametrize("seed", range(SCAN_TESTS))
def test_a_killed_scan_loses_nothing(seed, killer, serve, authority, home, tmp_path):
    rng, out = random.Random(f"scan {seed}"), tmp_path / "out"
    genuine, forger = authority("Test Root"), authority("Odd Root")
    sites = {"news.test": serve(genuine.site("news.test")), "video.test": serve(forger.site("video.test"))}
    routes = [("--connect-to", f"{name}:443:127.0.0.1:{port}") for name, port in sites.items()]
    targets = [*sites, *(f"gone{n}.test" for n in range(4))]
    rng.shuffle(targets)
    common = [
        "--i-understand", "--doh", "none", "--store", genuine.pem, "--fingerprints", forger.overlay(),
        *itertools.chain(*routes), "--connect-to", f":443:127.0.0.1:{closed_port()}", "--concurrency", 1,
        *(["--one-time-key"] if rng.randrange(2) else []),
    ]  # fmt: skip
    is_named = seed % 4 == 3

    def words(number):
        return "scan", *targets, *common, "--out", out / f"r{number}.zip" if is_named else out

    def gates(number):
        yield Gate(".journal-*/journal.json")
        yield Gate(".journal-*/measurements.jsonl", lines=rng.randint(1, len(targets)))
        yield Gate(".journal-*/end.json")
        yield Gate(PARTS)
        yield Gate("*.zip")

    results = Results(out)
    for number, ended in killer.kills(rng, words, out, gates):
        new = results.look()
        assert len(new) <= 1 + (number == 1)  # this scan's, and at first that of the unkilled one
        told = told_of(ended.said)
        assert not told or any(told <= measured_in(results, salt) for salt in new)
    results.look()
    ended = killer.run(("scan", "gone.test", *common, "--out", tmp_path / "out" / "last.zip"), out)
    assert ended.code == 3, ended.said
    results.look()
    results.check_nothing_is_lost()
    assert not hidden(out, home)
    assert {path.suffix for path in out.iterdir()} == {".zip"}


def test_the_same_command_again_does_not_replace_what_a_kill_left(killer, authority, tmp_path):
    out = tmp_path / "out"
    words = (
        "scan", "a.test", "b.test", "--i-understand", "--doh", "none", "--store", authority("Root").pem,
        "--connect-to", f":443:127.0.0.1:{closed_port()}", "--concurrency", 1, "--rate", 5,
        "--out", out / "r.zip",
    )  # fmt: skip
    assert killer.run(words, out, gate=Gate(".journal-*/measurements.jsonl", lines=1), after=0).is_killed
    again = killer.run(words, out)
    assert again.code == 2
    assert again.said.splitlines()[0] == f"a scan that was interrupted is kept as {out}/r.zip"
    assert "exists already" in again.said.splitlines()[1]
    kept = scan_of(out / "r.zip")
    assert not kept["complete"]
    assert killer.run((*words[:-1], out / "s.zip"), out).code == 3
    assert scan_of(out / "r.zip") == kept
    assert sorted(path.name for path in out.iterdir()) == ["r.zip", "s.zip"]


def test_what_is_named_in_a_similar_way_is_not_ours_to_delete(killer, authority, home, tmp_path):
    out, keys = tmp_path / "out", home / "keys"
    for folder in (out / ".journal-2026", out / ".part-ners", keys):
        folder.mkdir(parents=True)
    theirs = [
        out / ".journal-2026" / "monday.txt",
        out / ".part-ners" / "a.txt",
        out / ".part-1",
        keys / "x.key",
    ]
    ours = [out / ".part-0123456789abcdef", keys / ".part-0123456789abcdef", home / ".part-0123456789abcdef"]
    for path in (*theirs, *ours):
        path.write_text("x")
    (out / ".journal-0123456789abcdef").symlink_to(out / ".part-ners")
    words = (
        "scan", "a.test", "--i-understand", "--doh", "none", "--store", authority("Root").pem,
        "--connect-to", f":443:127.0.0.1:{closed_port()}", "--out", out,
    )  # fmt: skip
    assert killer.run(words, out).code == 3
    assert all(path.exists() for path in theirs)
    assert not any(path.exists() for path in ours)
    assert (out / ".journal-0123456789abcdef").is_symlink()


# --- share


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "kept").mkdir()
    return write(tmp_path / "kept" / "b.zip", ROWS, header=HEADER, finished_at=NOON)


@pytest.mark.parametrize("seed", range(SHARE_TESTS))
def test_a_killed_share_leaves_a_whole_file_or_none(seed, killer, bundle, home, tmp_path):
    rng, out = random.Random(f"share {seed}"), tmp_path / "shared"
    out.mkdir()
    level = ("public", "partner")[seed % 2]
    before = bundle.read_bytes()

    def words(number):
        return "share", bundle, "--level", level, "--out", out / f"{number}.zip"

    def gates(number):
        yield Gate(PARTS)
        yield Gate(f"{number}.zip")
        yield Gate(PARTS)

    for number, _ended in killer.kills(rng, words, out, gates):
        shared = out / f"{number}.zip"
        assert not shared.exists() or unaltered(shared).level == level
    assert bundle.read_bytes() == before
    # The next start puts things in order, be it one that is refused.
    last = words(0 if seed % 3 == 0 else "last")
    assert killer.run(last, out).code == (2 if seed % 3 == 0 else 0)
    assert not hidden(out, home)
    assert all(unaltered(path).level == level for path in out.iterdir())


# --- stamp and countersign


def attached(path):
    """The names that were given to what is attached."""
    with open_container(path) as container:
        names = [name for name in container.names if name.startswith("attest-")]
    return Counter(layout.plain_attestation(name) for name in names)


def place_of(bundle, seed):
    """The bundle to attach to, and the folder to watch: an archive, or its unpacked folder."""
    if seed % 3:
        return bundle, bundle.parent
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(bundle.parent / "unpacked")
    (inner,) = (bundle.parent / "unpacked").iterdir()
    return inner, inner.parent


def check_attaching(killer, rng, bundle, place, words, *, suffix, roots=()):
    """Kill a verb that attaches, again and again; nothing that was attached goes, nothing half-made comes."""

    def gates(number):
        yield Gate(PARTS)
        yield Gate("b.zip") if bundle.suffix else Gate(f"*/attest-n{number}-*")

    there = Counter([f"attest-n0{suffix}"])
    for number, _ended in killer.kills(rng, words, place, gates):
        before, there = there, attached(bundle)
        assert there - before in (Counter(), Counter([f"attest-n{number}{suffix}"]))
        assert not before - there
        unaltered(bundle, roots=roots)
    ended = killer.run(words("last"), place)
    assert ended.code == 0, ended.said
    assert attached(bundle) == there + Counter([f"attest-nlast{suffix}"])
    found = unaltered(bundle, roots=roots)
    assert not hidden(bundle.parent, killer.home)
    return found


@pytest.fixture(scope="module")
def tsa(tmp_path_factory):
    authority, one_at_a_time = StampingAuthority(tmp_path_factory.mktemp("tsa")), threading.Lock()

    def answer(handler, body):
        with one_at_a_time:  # it writes to files of fixed names
            reply = authority.reply(body)
        handler.reply(reply)

    with serving(answer) as server:
        server.authority = authority
        yield server


@pytest.mark.parametrize("seed", range(STAMP_TESTS))
def test_a_killed_stamp_leaves_the_old_result_or_the_new_one(seed, killer, bundle, tsa):
    place, watched = place_of(bundle, seed)
    root = tsa.authority.folder / "root.pem"

    def words(number):
        return "stamp", place, "--tsa", tsa.url, "--tsa-root", root, "--name", f"n{number}"

    rng = random.Random(f"stamp {seed}")
    found = check_attaching(killer, rng, place, watched, words, suffix=".tsr", roots=[tsa.authority.root.der])
    assert {stamp.status for stamp in found.attestations.timestamps} == {"valid"}


@pytest.mark.parametrize("seed", range(COUNTERSIGN_TESTS))
def test_a_killed_countersign_leaves_the_old_result_or_the_new_one(seed, killer, bundle):
    place, watched = place_of(bundle, seed)

    def words(number):
        return "countersign", place, "--name", f"n{number}"

    check_attaching(killer, random.Random(f"countersign {seed}"), place, watched, words, suffix=".sig")
