"""`kzmitm ooni merge`: what it says of each part, and what it leaves."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kzmitm.cli.exits import Exit
from kzmitm.evidence.schema import schema_text

sys.path.insert(0, str(Path(__file__).parents[1] / "ooni" / "archive"))

from judged_corpora import every_situation, extract, write_grounds, write_lines

SCHEMA = Draft202012Validator(json.loads(schema_text("merge")))


@pytest.fixture(scope="module")
def extracts(tmp_path_factory):
    """Two extracts of different measurements."""
    folder = write_grounds(tmp_path_factory.mktemp("extracts"), 6)
    documents = [document for document, _ in every_situation(6, eras=("v05",))]
    for name, lines in (("a", documents[:9]), ("b", documents[9:])):
        extract([write_lines(folder / f"{name}.jsonl", lines)], folder / name)
    return folder


@pytest.fixture
def bad(extracts, tmp_path):
    """A copy of one, a part of which is not what it says and is called by a name for terminals."""
    shutil.copytree(extracts / "a", tmp_path / "bad")
    (part,) = (tmp_path / "bad" / "extract").iterdir()
    part = part.rename(part.with_name("\x1b[2Jpart\nFAKE"))
    (part / "more").write_text("")
    return tmp_path / "bad"


def test_two_are_joined(kzmitm, extracts, tmp_path):
    out = tmp_path / "out"
    ended = kzmitm("ooni", "merge", extracts / "a", extracts / "b", "--out", out)
    assert (ended.code, ended.out) == (Exit.OK, "")
    assert ended.err == f"2 parts joined; judge them with: kzmitm ooni analyze --out {out}\n"
    told = kzmitm("ooni", "analyze", "--out", out, "--json", "--store", extracts / "store.pem").json
    alone = kzmitm(
        "ooni", "analyze", extracts / "a.jsonl", extracts / "b.jsonl", "--json", "--store",
        extracts / "store.pem", "--jobs", 1,
    ).json  # fmt: skip
    assert (told["read"].pop("parts"), alone["read"].pop("parts")) == (2, 1)
    assert told == alone


@pytest.mark.parametrize("form", [".", "extract", "link"])
def test_an_extract_is_not_joined_into_itself(kzmitm, extracts, tmp_path, form):
    """It would hold everything twice."""
    mine = tmp_path / "mine"
    shutil.copytree(extracts / "a", mine)
    (tmp_path / "link").symlink_to(mine)
    before = sorted(mine.rglob("*"))
    folder = tmp_path / "link" if form == "link" else mine / form
    ended = kzmitm("ooni", "merge", extracts / "b", folder, "--out", mine)
    assert (ended.code, ended.out, ended.err.count("\n")) == (Exit.USAGE, "", 1)
    assert "it is where the others go" in ended.err
    assert sorted(mine.rglob("*")) == before
    assert kzmitm("ooni", "merge", extracts / "b", "--out", mine).code == Exit.OK


def test_the_document(kzmitm, extracts, bad, tmp_path):
    ended = kzmitm("ooni", "merge", extracts / "a", extracts / "a", bad, "--out", tmp_path / "out", "--json")
    SCHEMA.validate(ended.json)
    assert ended.code == Exit.UNDECIDED
    assert len(ended.json["parts"]) == 1
    (refused,) = ended.json["refused"]
    assert refused["why"] == "'more': no file of a part"
    assert "\x1b" not in ended.out


def test_what_is_left_out_is_named_harmlessly(kzmitm, bad, tmp_path):
    ended = kzmitm("ooni", "merge", bad, "--out", tmp_path / "out")
    assert (ended.code, ended.out) == (Exit.UNDECIDED, "")
    assert "\x1b" not in ended.err
    first, second = ended.err.splitlines()
    assert first.startswith("left out: ")
    assert "\\x1b[2Jpart\\x0aFAKE" in first
    assert second.startswith("0 parts joined")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nowhere", "--out", "out"), "nowhere: no such folder"),
        (("file", "--out", "out"), "file: no such folder"),
        (("empty", "--out", "out"), "there is no extract in empty"),
        (("empty",), "--out"),
        (("--out", "out"), "DIR"),
        (("empty", "--out", ""), "nothing is given"),
        (("empty", "--out", "file"), "file"),
    ],
)
def test_what_cannot_be_done_is_one_line(kzmitm, tmp_path, monkeypatch, words, why):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    ended = kzmitm("ooni", "merge", *words)
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert why in ended.err
    assert ended.err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("octets", [100, 3_000])
def test_a_full_disk(extracts, tmp_path, octets):
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "kzmitm", "ooni", "merge", extracts / "b", "--out", out],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (octets, octets)),
    )
    assert done.returncode in (Exit.FAULT, Exit.USAGE)
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1
    assert b"File too large" in done.stderr
    assert list((out / "extract").iterdir()) == []
