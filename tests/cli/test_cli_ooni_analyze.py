"""`kzmitm ooni analyze`: every option, every exit code, one document, and nothing half done."""

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from jsonschema import Draft202012Validator

from kzmitm.cli import progress
from kzmitm.cli.exits import Exit
from kzmitm.cli.ooni import reading
from kzmitm.cli.ooni.actions import analyze
from kzmitm.evidence.schema import schema_text
from kzmitm.model.verdict import Outcome
from kzmitm.ooni.archive import second_pass, work
from kzmitm.report import archive as report

sys.path.insert(0, str(Path(__file__).parents[1] / "ooni" / "archive"))

from judged_corpora import every_situation, extract, write_grounds, write_lines

SCHEMA = Draft202012Validator(json.loads(schema_text("archive")))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Files of every situation of the newest form, and what they are to be judged by."""
    folder = write_grounds(tmp_path_factory.mktemp("archive"), 9)
    made = every_situation(9, eras=("v05",))
    documents = [document for document, _ in made]
    half = len(documents) // 2
    write_lines(folder / "raw" / "a.jsonl", documents[:half])
    write_lines(folder / "raw" / "b.jsonl.gz", documents[half:])
    truths = [truth for _, truth in made]
    return SimpleNamespace(folder=folder, raw=folder / "raw", documents=documents, truths=truths)


@pytest.fixture
def grounds(archive):
    return ("--store", archive.folder / "store.pem", "--fingerprints", archive.folder / "registry")


@pytest.fixture
def innocent(archive, tmp_path):
    documents = [
        document
        for document, truth in zip(archive.documents, archive.truths, strict=True)
        if truth["class"] == "clean_https"
    ]
    return write_lines(tmp_path / "innocent.jsonl", documents)


def analyzed(kzmitm, *words):
    ended = kzmitm("ooni", "analyze", *words, "--jobs", 1, "--json")
    SCHEMA.validate(ended.json)
    return ended


def test_the_document_is_one_and_all_that_is_on_stdout(kzmitm, archive, grounds):
    ended = analyzed(kzmitm, archive.raw, *grounds)
    told = ended.json
    assert ended.code == Exit.FOUND
    assert (told["schema"], told["version"]) == ("kzmitm.archive/1.0", "1.0")
    assert told["read"]["measurements"] == told["counts"]["measurements"] == len(archive.documents)
    assert told["read"]["files"] == 2
    assert told["chosen"] == {"since": None, "until": None, "cc": None, "asns": []}
    assert told["store"]["name"] == "custom"
    assert sum(told["outcomes"].values()) == len(archive.documents)
    assert told["counts"]["intercepted"] == told["outcomes"]["interception"]


def test_the_schema_knows_every_outcome():
    assert json.loads(schema_text("archive"))["properties"]["outcomes"]["propertyNames"]["enum"] == list(
        Outcome
    )


def test_the_answer_comes_first(kzmitm, archive, grounds):
    ended = kzmitm("ooni", "analyze", archive.raw, *grounds, "--jobs", 1)
    assert ended.code == Exit.FOUND
    first, second, *_ = ended.out.splitlines()
    assert first.startswith("INTERCEPTION in ")
    assert "Information Security Certification Authority (ISCA)" in second
    assert "who had the root installed saw an error" in ended.out
    assert "kzmitm ooni query" not in ended.out, "nothing was kept"
    assert ended.err == ""


def test_nothing_found(kzmitm, innocent, grounds):
    ended = kzmitm("ooni", "analyze", innocent, *grounds, "--jobs", 1)
    assert (ended.code, ended.out.splitlines()[0]) == (
        Exit.OK,
        "No interception was found in 1 measurement.",
    )
    ended = analyzed(kzmitm, innocent, *grounds)
    assert (ended.code, ended.json["share_of_users"]) == (Exit.OK, None)


def test_nothing_to_judge(kzmitm, innocent, grounds):
    ended = kzmitm("ooni", "analyze", innocent, *grounds, "--cc", "FR", "--jobs", 1)
    assert ended.code == Exit.UNDECIDED
    assert ended.out.startswith("Nothing to judge")
    ended = analyzed(kzmitm, innocent, *grounds, "--cc", "FR")
    assert ended.code == Exit.UNDECIDED
    assert (ended.json["counts"]["measurements"], ended.json["counts"]["first"]) == (0, None)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_is_kept_is_judged_again_without_reading(kzmitm, archive, grounds, tmp_path, jobs):
    out = tmp_path / "deep" / "out"
    first = kzmitm("ooni", "analyze", archive.raw, "--out", out, "--jobs", jobs, *grounds)
    assert f"kzmitm ooni query --from {out} SQL" in first.out
    assert sorted(path.name for path in out.iterdir()) == ["extract", "index", "tables", "verdicts"]
    parts = {path: path.stat().st_mtime_ns for path in (out / "extract").rglob("*")}
    whole = analyzed(kzmitm, "--out", out, *grounds).json
    assert whole["counts"]["measurements"] == len(archive.documents)
    assert {path: path.stat().st_mtime_ns for path in (out / "extract").rglob("*")} == parts
    shipped = analyzed(kzmitm, "--out", out, "--store", archive.folder / "store.pem").json
    assert {row["match"] for row in shipped["authorities"] if row["authority"] == "kz-isca"} == {
        "family",
        "name",
    }
    assert shipped["registry"] != whole["registry"]


def test_reading_goes_on_where_it_stood(kzmitm, archive, grounds, tmp_path):
    out = tmp_path / "out"
    kzmitm("ooni", "analyze", archive.raw / "a.jsonl", "--out", out, "--extract-only", "--jobs", 1)
    (before,) = (out / "extract").iterdir()
    stamp = before.stat().st_mtime_ns
    told = analyzed(kzmitm, archive.raw / "a.jsonl", archive.raw / "b.jsonl.gz", "--out", out, *grounds).json
    assert told["counts"]["measurements"] == len(archive.documents)
    assert before.stat().st_mtime_ns == stamp


def test_reading_only(kzmitm, archive, tmp_path):
    ended = kzmitm("ooni", "analyze", archive.raw, "--out", tmp_path / "o", "--extract-only", "--jobs", 1)
    assert (ended.code, ended.out) == (Exit.OK, "")
    assert f"kzmitm ooni analyze --out {tmp_path / 'o'}" in ended.err
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["extract"]


def test_shards_make_one(kzmitm, archive, grounds, tmp_path):
    out = tmp_path / "out"
    for n in (1, 2, 3):
        ended = kzmitm("ooni", "analyze", archive.raw, "--out", out, "--shard", f"{n}/3", "--jobs", 1)
        assert (ended.code, ended.out) == (Exit.OK, "")
    assert analyzed(kzmitm, "--out", out, *grounds).json["counts"]["measurements"] == len(archive.documents)


def elsewhere(n, document):
    """Every third of another country, every fifth of another network, a day for each, noon or midnight."""
    clock = "00:00:00" if n % 2 else "12:00:00"
    return document | {
        "probe_cc": "KG" if n % 3 == 0 else "KZ",
        "probe_asn": "AS64500" if n % 5 == 0 else "AS9198",
        "measurement_start_time": f"2024-01-{1 + n % 28:02} {clock}",
    }


@pytest.fixture(scope="module")
def kept(archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("kept")
    documents = [elsewhere(n, each) for n, each in enumerate(archive.documents)]
    return extract([write_lines(out / "raw.jsonl", documents)], out)


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        (["--cc", "kg"], lambda n: n % 3 == 0),
        (["--asn", "AS64500"], lambda n: n % 5 == 0),
        (["--asn", "as64500", "--asn", "9198"], lambda _: True),
        (["--until", "2024-01-10"], lambda n: 1 + n % 28 < 10),
        (["--since", "2024-01-05", "--until", "2024-01-06"], lambda n: 1 + n % 28 == 5),
        (["--since", "2024-01-06", "--until", "2024-01-05"], lambda _: False),
        (["--cc", "KZ", "--asn", "AS9198", "--since", "2024-01-03"],
         lambda n: n % 3 and n % 5 and 1 + n % 28 >= 3),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)  # fmt: skip
def test_what_is_judged_is_chosen(kzmitm, archive, grounds, kept, words, holds):
    chosen = [n for n in range(len(archive.documents)) if holds(n)]
    ended = analyzed(kzmitm, "--out", kept, *grounds, *words)
    told = ended.json
    assert told["counts"]["measurements"] == len(chosen)
    assert told["read"]["measurements"] == len(archive.documents), "what was read is all the same"
    assert sum(told["outcomes"].values()) == len(chosen)
    assert (ended.code == Exit.UNDECIDED) is (not chosen)


def test_what_was_chosen_stands_in_the_document(kzmitm, grounds, kept):
    words = ("--cc", "kz", "--asn", "AS9198", "--since", "2024-01-02", "--until", "2024-01-20")
    assert analyzed(kzmitm, "--out", kept, *grounds, *words).json["chosen"] == {
        "since": "2024-01-02",
        "until": "2024-01-20",
        "cc": "KZ",
        "asns": [9198],
    }


BAD_WORDS = [
    ([], "nothing to read"),
    (["--since", "2024-02-30", "x"], "not a date"),
    (["--until", "today", "x"], "not a date"),
    (["--cc", "KAZ", "x"], "not a country code"),
    (["--cc", "К3", "x"], "not a country code"),
    (["--asn", "ASx", "x"], "not a network"),
    (["--asn", "4294967296", "x"], "not a network"),
    (["--asn", "٣", "x"], "not a network"),
    (["--jobs", "0", "x"], "not a number of processes"),
    (["--jobs", "99999", "x"], "not a number of processes"),
    (["--out", "", "x"], "nothing is given"),
    (["-", "x"], "- is read alone"),
    (["-", "--shard", "1/2", "--out", "o"], "- is read alone"),
    (["-", "--scheduler", "tcp://x", "--out", "o"], "- is read alone"),
    (["x", "--extract-only"], "must be kept"),
    (["x", "--shard", "1/2"], "must be kept"),
    (["x", "--scheduler", "tcp://127.0.0.1:1"], "must be kept"),
    (["x.jsonl", "--out", "o", "--shard", "3/2"], "--shard"),
    (["x.jsonl", "--out", "o", "--shard", "1"], "--shard"),
    (["nowhere", "--out", "o"], "nowhere: no such file or folder"),
    (["empty", "--out", "o"], "no measurements in empty"),
    (["x.jsonl", "--out", "o", "--store", "nowhere.pem"], "nowhere.pem"),
    (["x.jsonl", "--out", "o", "--store", "x.jsonl"], "no certificate"),
    (["x.jsonl", "--out", "o", "--fingerprints", "nowhere"], "nowhere"),
    (["--out", "o"], "o: nothing was read into it"),
]


@pytest.mark.parametrize(("words", "why"), BAD_WORDS, ids=[" ".join(words) for words, _ in BAD_WORDS])
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    kzmitm, innocent, tmp_path, monkeypatch, words, why
):
    here = tmp_path / "here"
    (here / "empty").mkdir(parents=True)
    innocent.rename(here / "x.jsonl")
    monkeypatch.chdir(here)
    ended = kzmitm("ooni", "analyze", *words)
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert why in ended.err
    assert ended.err.count("\n") == 1
    assert sorted(path.name for path in here.iterdir()) == ["empty", "x.jsonl"]


def test_out_that_is_a_file(kzmitm, innocent, tmp_path):
    (tmp_path / "out").write_text("mine")
    ended = kzmitm("ooni", "analyze", innocent, "--out", tmp_path / "out")
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert ended.err.count("\n") == 1
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("missing", ["duckdb", "isal", "msgspec", "zstandard"])
@pytest.mark.parametrize(
    "words", [("analyze", "x"), ("query", "--from", "x", "SELECT 1"), ("merge", "x", "--out", "y")]
)
def test_a_library_that_is_missing(kzmitm, monkeypatch, missing, words):
    monkeypatch.setitem(sys.modules, missing, None)
    ended = kzmitm("ooni", *words)
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert ended.err == f"kzmitm: reading archives needs {missing}; pip install 'kzmitm[archive]'\n"


def test_without_the_extra_the_help_works(tmp_path):
    """No library of the archive is loaded before it is needed."""
    for name in ("duckdb", "isal", "msgspec", "zstandard"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('hidden')")
    done = subprocess.run(
        [sys.executable, "-m", "kzmitm", "ooni", "analyze", "--help"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (Exit.OK, b"")


def test_lines_that_cannot_be_read_are_named_and_passed_over(kzmitm, archive, grounds, tmp_path):
    bad = [b"{", b"[1]", b"\xff", b'{"test_name": "x"}'] * 4
    lines = [json.dumps(each).encode() for each in archive.documents[:3]]
    (tmp_path / "x.jsonl").write_bytes(b"\n".join([lines[0], *bad, *lines[1:]]) + b"\n")
    ended = analyzed(kzmitm, tmp_path / "x.jsonl", *grounds)
    assert ended.json["read"]["bad"] == len(ended.json["read"]["problems"]) == 16
    assert ended.json["counts"]["measurements"] == 3
    told = ended.err.splitlines()
    assert told[0].startswith("x.jsonl:2: not JSON")
    assert len(told) == reading.MAX_NAMED + 1
    assert told[-1] == "6 more could not be read"


def test_text_of_strangers_reaches_the_terminal_as_escapes(kzmitm, archive, grounds, tmp_path):
    """In the name of a member of a tar file, in what is wrong with a line, in the names of networks."""
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in (
            ("\x1b[2J\u202ea.post", b"{"),
            ("b\nFAKE: 1.post", b"{"),
            ("c.post", json.dumps(archive.documents[0] | {"measurement_start_time": "\x1b[31m"}).encode()),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    ended = kzmitm("ooni", "analyze", path, *grounds, "--jobs", 1)
    assert ended.code == Exit.UNDECIDED
    assert "\\x1b[2J\\u202ea.post:1: not JSON" in ended.err
    assert not {"\x1b", "\u202e"} & set(ended.err + ended.out)
    assert "FAKE" not in [line[:4] for line in ended.err.splitlines()]


def test_progress_is_talk(kzmitm, archive, grounds, monkeypatch):
    times = iter(range(0, 10_000, 100))
    monkeypatch.setattr(reading.time, "monotonic", lambda: next(times))
    assert progress.SPARSE_INTERVAL_S < 100
    ended = analyzed(kzmitm, archive.raw, *grounds)
    assert "1 of 1 pieces" in ended.err
    assert " MB/s, 0 s left" in ended.err


@pytest.mark.parametrize("json_", [True, False])
def test_stdin(archive, grounds, json_):
    text = "".join(json.dumps(each) + "\n" for each in archive.documents[:5]).encode()
    done = subprocess.run(
        [sys.executable, "-m", "kzmitm", "ooni", "analyze", "-", *map(str, grounds), *["--json"] * json_],
        input=text,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (Exit.OK, Exit.FOUND), done.stderr
    assert done.stderr == b""
    if json_:
        told = json.loads(done.stdout)
        SCHEMA.validate(told)
        assert told["counts"]["measurements"] == 5
    else:
        assert b"Read: 5 measurements" in done.stdout


def test_ctrl_c_leaves_no_half_part(archive, grounds, tmp_path):
    """In the middle of reading: parts appear whole or not at all, and the next run goes on."""
    out = tmp_path / "out"
    child = subprocess.Popen(
        [sys.executable, "-m", "kzmitm", "ooni", "analyze", "-", "--out", out, *map(str, grounds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    child.stdin.write((json.dumps(archive.documents[0]).encode() + b"\n") * 100)
    child.stdin.flush()
    until = time.monotonic() + 30
    while not list(out.glob("extract/.unfinished-*")):
        assert time.monotonic() < until
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=30)
    assert child.returncode == Exit.UNDECIDED, said
    assert said == (b"", b"kzmitm: stopped\n")
    assert list((out / "extract").iterdir()) == []
    assert [path.name for path in out.iterdir()] == ["extract"]


def test_ctrl_c_while_judging_leaves_what_was_judged_before(kzmitm, archive, grounds, tmp_path, monkeypatch):
    out = tmp_path / "out"
    first = analyzed(kzmitm, archive.raw, "--out", out, *grounds).json
    before = {path: path.read_bytes() for path in sorted(out.rglob("*.parquet"))}

    for error in (KeyboardInterrupt(), RuntimeError("Query interrupted")):

        def stop(*_given, error=error):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(second_pass, "judge_index", stop)
            ended = kzmitm("ooni", "analyze", "--out", out, "--cc", "KZ", *grounds)
        assert (ended.code, ended.out, ended.err) == (Exit.UNDECIDED, "", "kzmitm: stopped\n")
        assert {path: path.read_bytes() for path in sorted(out.rglob("*.parquet"))} == before
        assert sorted(path.name for path in out.iterdir()) == ["extract", "index", "tables", "verdicts"]
    assert analyzed(kzmitm, "--out", out, *grounds).json == first


def test_a_fault_of_ours_is_not_taken_for_ctrl_c(kzmitm, archive, grounds, tmp_path, monkeypatch):
    def fail(*_given):
        raise RuntimeError("something else")

    monkeypatch.setattr(second_pass, "judge_index", fail)
    ended = kzmitm("ooni", "analyze", archive.raw, "--jobs", 1, *grounds)
    assert (ended.code, ended.out) == (Exit.FAULT, "")


@pytest.mark.parametrize("octets", [0, 200, 3_000, 20_000])
def test_a_full_disk_is_said_in_a_line_and_leaves_nothing_half(archive, grounds, tmp_path, octets):
    """No file may grow further, as on a full disk; the kernel itself says so."""
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "kzmitm", "ooni", "analyze", archive.raw, "--out", out, "--jobs", "1",
         *map(str, grounds)],
        capture_output=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (octets, octets)),
    )  # fmt: skip
    assert done.returncode in (Exit.FAULT, Exit.USAGE), done.stderr
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1
    assert b"File too large" in done.stderr
    assert b"report it" not in done.stderr
    assert not list(out.rglob(".unfinished*"))
    assert not (out / "verdicts").exists()
    assert all((part / "part.json").is_file() for part in (out / "extract").iterdir())


@pytest.mark.parametrize("size", ["the same", "another"])
def test_an_extract_that_was_altered(kzmitm, archive, grounds, tmp_path, size):
    out = tmp_path / "out"
    kzmitm("ooni", "analyze", archive.raw, "--out", out, "--extract-only", "--jobs", 1)
    (path,) = out.rglob("handshakes-0.parquet")
    path.write_bytes(b"PAR1".ljust(path.stat().st_size if size == "the same" else 99, b"x"))
    ended = kzmitm("ooni", "analyze", "--out", out, *grounds)
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert ended.err.count("\n") == 1
    told = "was a file altered?" if size == "the same" else "handshakes-0.parquet is not there, or not whole"
    assert told in ended.err
    assert not list(out.rglob(".unfinished*"))


def _without(name):
    def change(part):
        (part / name).unlink()

    return change


def _saying(text):
    def change(part):
        (part / "part.json").write_text(text)

    return change


NO_WHOLE_PARTS = {
    "no chains": _without("chains-0.parquet"),
    "no handshakes": _without("handshakes-0.parquet"),
    "another version": _saying('{"format": "kzmitm.extract/2.0"}'),
    "half a summary": _saying('{"format": "kzmitm.ex'),
    "nothing in it": _saying('{"format": "kzmitm.extract/1.0"}'),
    "other things in it": _saying(
        '{"format": "kzmitm.extract/1.0", "octets": "x", "bad": [], "counts": 7, "problems": {}}'
    ),
    "deep": _saying("[" * 100_000),
}


@pytest.mark.parametrize("change", NO_WHOLE_PARTS.values(), ids=NO_WHOLE_PARTS)
@pytest.mark.parametrize("reads", [True, False], ids=["read", "judge"])
def test_a_part_that_is_not_whole_is_named_before_anything_else(
    kzmitm, archive, grounds, tmp_path, change, reads
):
    """What is missing in it must not pass for what was not measured."""
    out = tmp_path / "out"
    kzmitm("ooni", "analyze", archive.raw, "--out", out, "--extract-only", "--jobs", 1)
    (summary,) = out.rglob("part.json")
    change(summary.parent)
    ended = kzmitm("ooni", "analyze", *[archive.raw] * reads, "--out", out, *grounds)
    assert (ended.code, ended.out, ended.err.count("\n")) == (Exit.USAGE, "", 1)
    assert f"{summary.parent}: " in ended.err
    assert "remove this part and read its files again" in ended.err
    assert not (out / "verdicts").exists()


def test_a_scheduler_that_is_not_there(kzmitm, innocent, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    ended = kzmitm("ooni", "analyze", innocent, "--out", tmp_path / "o", "--scheduler", "tcp://127.0.0.1:1")
    assert ended.code == Exit.USAGE
    assert "--scheduler needs the extra `dask`" in ended.err


def test_how_many_workers(monkeypatch):
    told = SimpleNamespace(jobs=3)
    nothing = SimpleNamespace(jobs=None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {1, 2, 5, 7}, raising=False)
    assert (analyze._jobs_of(told), analyze._jobs_of(nothing)) == (3, 4)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert (analyze._jobs_of(told), analyze._jobs_of(nothing)) == (3, 6)


def test_long_lists_are_cut():
    """Forty names and networks, thirty certificates: the first are listed, the rest counted."""
    found = {
        **dict.fromkeys(("sightings", "measurements", "domains", "networks", "certificates"), 40),
        "known_roots": 1,
        "certificates_of_unknown_root": 0,
        "outside_validity": 0,
        "domain_names": [f"a{n}.test\x1b" for n in range(40)],
        "asns": list(range(1, 41)),
    }
    certificate = {"sha256": "ab" * 32, "sightings": 1, "outside_validity": 1} | dict.fromkeys(
        ("not_before", "not_after", "first_seen", "last_seen")
    )
    document = {
        "counts": {"measurements": 40},
        "interception": found,
        "attributed": found,
        "share_of_users": None,
        "authorities": [],
        "certificates": [certificate] * 30,
        "outcomes": {"interception": 40},
        "read": {"measurements": 40, "handshakes": 40, "files": 1, "octets": 10**6, "bad": 2},
    }
    text = "\n".join(str(line) for line in report.findings_lines(document, kept=None))
    assert "and 20 more" in text
    assert "and 10 more certificates" in text
    assert "valid ? … ?" in text
    assert "2 lines could not be read." in text
    assert "\x1b" not in text
    assert "The rest" not in text


def test_files_that_are_added_are_read_and_no_others(kzmitm, archive, grounds, tmp_path, monkeypatch):
    raw, out = tmp_path / "raw", tmp_path / "out"
    shutil.copytree(archive.raw, raw)
    first = analyzed(kzmitm, raw, "--out", out, "--jobs", "1", *grounds).json
    # Before all others, so that what is behind it would be cut into other tasks.
    (raw / "0.jsonl").write_bytes(json.dumps(archive.documents[0]).encode().replace(b"2024", b"2023") + b"\n")
    opened = []
    really = work._read
    monkeypatch.setattr(
        work, "_read", lambda source, *more: (opened.append(source.shown), really(source, *more))
    )
    again = analyzed(kzmitm, raw, "--out", out, "--jobs", "1", *grounds).json
    assert opened == ["0.jsonl"]
    assert again["read"]["measurements"] == first["read"]["measurements"] + 1
