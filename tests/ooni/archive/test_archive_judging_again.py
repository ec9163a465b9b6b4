"""Judging again gives what judging afresh gives, whatever was judged before; and does only what it must."""

import json
import os
import random
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from judged_corpora import (
    ROOT,
    every_situation,
    extract,
    grounds_beside,
    judge,
    octets_of_tables,
    rows,
    verdicts,
    write_grounds,
    write_lines,
)

from kzmitm import resources
from kzmitm.ooni.archive import findings, indexing, row_index
from kzmitm.ooni.archive.analysis import Choice, Grounds
from kzmitm.ooni.archive.layout import INDEX
from kzmitm.ooni.archive.parts import EXTRACT
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.store import pinned_store

CHOICES = (
    Choice(),
    Choice(cc="KZ"),
    Choice(since=date(2021, 6, 1)),
    Choice(until=date(2023, 1, 1), cc="KZ"),
    Choice(asns=(9198, 29355)),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """An extract in two parts with a measurement in both, and what it is judged by."""
    folder = write_grounds(tmp_path_factory.mktemp("corpus"))
    documents = [document for document, _ in every_situation()][::2]
    half = len(documents) // 2
    write_lines(folder / "raw" / "a.jsonl", documents[: half + 3])
    write_lines(folder / "raw" / "b.jsonl", documents[half:])
    for name in ("a", "b"):
        extract([folder / "raw" / f"{name}.jsonl"], folder / "read")
    return folder


@pytest.fixture
def out(corpus, tmp_path):
    shutil.copytree(corpus / "read" / EXTRACT, tmp_path / "out" / EXTRACT)
    return tmp_path / "out"


@pytest.fixture(scope="module")
def two_judgements(corpus, tmp_path_factory):
    """Two folders of one extract, judged by two registries."""
    whole, shipped, *_ = all_grounds(corpus)
    folders = []
    for grounds in (whole, shipped):
        folder = tmp_path_factory.mktemp("judged")
        shutil.copytree(corpus / "read" / EXTRACT, folder / EXTRACT)
        judge(folder, grounds)
        folders.append(folder)
    return folders


def registry_without(folder, *authorities, note=""):
    files = dict(resources.fingerprint_files([folder / "registry"]))
    for name in authorities:
        files[f"authorities/{name}.toml"] = files[f"authorities/{name}.toml"].replace(
            b"subject_patterns = [", b'subject_patterns = ["CN=Nobody At All(,|$)"]\n#'
        )
    files["networks.toml"] += f"\n# {note}\n".encode()
    return parse_registry(files)


def all_grounds(folder):
    whole = grounds_beside(folder)
    shipped = grounds_beside(folder, overlay=False)
    pinned = pinned_store(resources.truststore_files(), "mozilla")
    return (
        whole,
        shipped,
        Grounds(whole.registry, pinned),
        Grounds(registry_without(folder, "mb-fortinet"), whole.store),
        Grounds(registry_without(folder, note="another version"), whole.store),
    )


@pytest.mark.parametrize("seed", range(2))
def test_again_is_as_afresh(corpus, out, tmp_path, seed):
    """Registry, store and choice change at random; nothing of an earlier judgement shines through."""
    drawn = random.Random(seed)
    grounds = all_grounds(corpus)
    for step in range(4):
        by, choice = drawn.choice(grounds), drawn.choice((CHOICES[0], *CHOICES))
        fresh = tmp_path / f"fresh-{step}"
        fresh.mkdir()
        (fresh / EXTRACT).symlink_to(out / EXTRACT)
        assert judge(out, by, choice=choice) == judge(fresh, by, choice=choice)
        assert verdicts(out, without=()) == verdicts(fresh, without=())


def stamps(folder, *names):
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns)
        for name in names
        for path in (folder / name).rglob("*")
    }


@pytest.mark.parametrize(("documents", "page"), [(7, 5), (60, 13)])
def test_it_does_not_matter_how_much_is_joined_at_once(
    corpus, out, two_judgements, monkeypatch, documents, page
):
    """Parts are taken together, or a large one in pieces: the rows are the same."""
    monkeypatch.setattr(row_index, "DOCUMENTS", documents)
    monkeypatch.setattr(row_index, "PAGE_ROWS", page)
    monkeypatch.setattr(indexing, "PAGE_ROWS", page)
    judge(out, grounds_beside(corpus))
    assert verdicts(out, without=()) == verdicts(two_judgements[0], without=())


def test_what_was_judged_so_already_stands(corpus, out):
    first = judge(out, grounds_beside(corpus))
    before = stamps(out, "index", "verdicts", "tables")
    assert judge(out, grounds_beside(corpus)) == first
    assert stamps(out, "index", "verdicts", "tables") == before


def test_a_registry_that_changes_no_verdict_leaves_the_rows(corpus, out):
    whole, *_, other = all_grounds(corpus)
    first = judge(out, whole)
    before = stamps(out, "index", "verdicts", "tables")
    again = judge(out, other)
    assert again["registry"] != first["registry"]
    assert {**again, "registry": first["registry"]} == first
    changed = {
        path.name
        for path, stamp in stamps(out, "index", "verdicts", "tables").items()
        if before[path] != stamp
    }
    assert changed == {"judgement.json"}
    before = stamps(out, "verdicts")
    assert judge(out, other) == again
    assert stamps(out, "verdicts") == before


def test_another_registry_leaves_the_index(corpus, out):
    whole, _, pinned, fewer, _ = all_grounds(corpus)
    judge(out, whole)
    before = stamps(out, "index")
    judge(out, fewer)
    judge(out, pinned)
    assert {path.name for path, stamp in stamps(out, "index").items() if before[path] != stamp} <= {
        "index",
        "signatures",
    }


DAMAGES = {
    "a table is gone": lambda out: (out / "tables" / "days.parquet").unlink(),
    "rows were altered": lambda out: (out / "verdicts" / "handshakes.parquet").write_bytes(b"PAR1"),
    "the judgement says nothing": lambda out: (out / "verdicts" / "judgement.json").write_bytes(b"{"),
    "the index is gone": lambda out: shutil.rmtree(out / "index"),
    "the index is cut off": lambda out: os.truncate(out / "index" / "situations", 100),
    "a file of the index is gone": lambda out: (out / "index" / "places").unlink(),
    "the index says nothing": lambda out: (out / "index" / "about.json").write_bytes(b"\xff"),
    "the signatures are gone": lambda out: (out / "index" / "signatures").unlink(),
    "tables are gone": lambda out: shutil.rmtree(out / "tables"),
    "verdicts are gone": lambda out: shutil.rmtree(out / "verdicts"),
    "all is gone": lambda out: [shutil.rmtree(out / name) for name in ("verdicts", "tables", "index")],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_somebody_touched_is_made_again(corpus, two_judgements, tmp_path, damage):
    out = tmp_path / "out"
    grounds = grounds_beside(corpus)
    shutil.copytree(two_judgements[0], out)
    first, told, octets = judge(out, grounds), verdicts(out), octets_of_tables(out)
    damage(out)
    assert judge(out, grounds) == first
    assert verdicts(out) == told
    assert octets_of_tables(out) == octets


def test_a_part_that_came_later_is_judged(corpus, out, tmp_path):
    parts = sorted((out / EXTRACT).iterdir())
    shutil.move(parts[0], tmp_path / "aside")
    grounds = grounds_beside(corpus)
    few = judge(out, grounds)
    shutil.move(tmp_path / "aside", parts[0])
    many = judge(out, grounds)
    assert few["counts"]["measurements"] < many["counts"]["measurements"] == len(rows(out))


KILLED = """
import os, pathlib, shutil, sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {root!r}]
from judged_corpora import grounds_beside, judge
left = {moves}
def dying(act):
    def do(*given, **told):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return act(*given, **told)
    return do
pathlib.Path.rename = dying(pathlib.Path.rename)
shutil.rmtree = dying(shutil.rmtree)
judge(Path({out!r}), grounds_beside(Path({corpus!r}), overlay=False))
"""


@pytest.mark.parametrize("moves", [1, 2, 3, 4, 5, 6, 30])
def test_a_kill_leaves_the_earlier_judgement_or_the_new_one(corpus, two_judgements, tmp_path, moves):
    """Wherever it comes between two steps: verdicts and tables are always of one judgement."""
    out = tmp_path / "out"
    shutil.copytree(two_judgements[0], out)
    known = [_asked(folder) for folder in two_judgements]
    assert known[0] != known[1]
    code = KILLED.format(
        tests=str(Path(__file__).parent), root=str(ROOT), moves=moves, out=str(out), corpus=str(corpus)
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, cwd=ROOT)
    assert done.returncode == (0 if moves == 30 else 9), done.stderr
    assert _asked(out) in known
    judge(out, grounds_beside(corpus, overlay=False))
    assert _asked(out) == known[1]
    assert verdicts(out) == verdicts(two_judgements[1])
    assert sorted(path.name for path in out.iterdir()) == [EXTRACT, "index", "tables", "verdicts"]


def _asked(folder):
    """What rows and tables say, as a query finds it."""
    with findings.open_findings(folder) as connection:
        return json.dumps(
            [
                connection.execute(
                    "SELECT outcome, count(*) FROM measurements GROUP BY 1 ORDER BY 1"
                ).fetchall(),
                connection.execute(
                    "SELECT authority, match, n FROM (SELECT *, sightings AS n FROM authorities)"
                ).fetchall(),
            ]
        )


def test_one_who_opens_it_needs_no_index(corpus, out):
    judge(out, grounds_beside(corpus))
    before = _asked(out)
    shutil.rmtree(out / INDEX)
    assert _asked(out) == before


def test_an_authority_that_becomes_known_leaves_the_index(corpus, out):
    """Probes refused its certificates: they are in it as they were, whoever they belong to."""
    whole, shipped, *_ = all_grounds(corpus)
    judge(out, shipped)
    before = stamps(out, "index")
    assert judge(out, whole)["attributed"]["known_roots"]
    after = stamps(out, "index")
    changed = {path.name for path in before | after if before.get(path) != after.get(path)}
    assert changed <= {"signatures", "about.json"}


def test_two_at_once_do_not_disturb_each_other(corpus, out, two_judgements):
    code = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(ROOT)!r}]\n"
        "from pathlib import Path\n"
        "from judged_corpora import grounds_beside, judge\n"
        f"judge(Path({str(out)!r}), grounds_beside(Path({str(corpus)!r}), overlay=sys.argv[1] == 'whole'))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, by], cwd=ROOT, stderr=subprocess.PIPE)
        for by in ("whole", "shipped", "whole")
    ]
    assert [each.communicate()[1] for each in running] == [b""] * 3
    assert _asked(out) in [_asked(folder) for folder in two_judgements]
    assert sorted(path.name for path in out.iterdir()) == [EXTRACT, "index", "tables", "verdicts"]
