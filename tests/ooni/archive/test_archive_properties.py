"""Verdicts depend on what was measured alone: not on files, parts, order, copies, or how often they fall."""

import json
import random

import pytest
from judged_corpora import (
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

from kzmitm.ooni.archive.merging import merge
from kzmitm.ooni.archive.parts import EXTRACT, parts_of

NAMES = ("Kcell", "Kcell JSC", "KaR-Tel")


@pytest.fixture(scope="module")
def documents():
    """Every situation in the oldest and the newest form; one network calls itself by several names."""
    made = [document for document, _truth in every_situation(3, eras=("old", "v05"))]
    for place, document in enumerate(made[::9]):
        document.update(probe_asn="AS64500", probe_network_name=NAMES[place % 3])
    return made


@pytest.fixture(scope="module")
def grounds(tmp_path_factory):
    return grounds_beside(write_grounds(tmp_path_factory.mktemp("grounds"), 3))


@pytest.fixture(scope="module")
def whole(documents, grounds, tmp_path_factory):
    """All in one file and one part."""
    out = tmp_path_factory.mktemp("whole")
    extract([write_lines(out / "read" / "all.jsonl", documents)], out)
    judge(out, grounds)
    return out


def cut(documents, out, rng, files):
    """The same measurements in another order, in files of other sizes, a third of them twice or more."""
    copies = documents + rng.choices(documents, k=len(documents) // 3)
    rng.shuffle(copies)
    places = sorted(rng.sample(range(len(copies)), files - 1))
    paths = []
    for number, (start, end) in enumerate(zip([0, *places], [*places, len(copies)], strict=True)):
        name = f"{rng.randrange(10**6)}-{number}.jsonl{rng.choice(('', '.gz'))}"
        paths.append(write_lines(out / "read" / name, copies[start:end]))
    rng.shuffle(paths)
    return paths


@pytest.mark.parametrize("seed", range(3))
def test_files_parts_order_and_copies_are_nothing(documents, grounds, whole, tmp_path, seed):
    rng = random.Random(seed)
    paths = cut(documents, tmp_path, rng, files=rng.randrange(2, 9))
    apart = rng.randrange(len(paths) + 1)
    for path in paths[:apart]:
        extract([path], tmp_path)
    if paths[apart:]:
        extract(paths[apart:], tmp_path)
    judge(tmp_path, grounds, threads=1 + seed % 2)
    assert verdicts(tmp_path) == verdicts(whole)


def test_other_lines_of_one_uid_are_counted_once_whatever_the_order(documents, grounds, tmp_path):
    """The content with the smaller checksum counts, wherever it stands."""
    clean = next(each for each in documents if each["test_keys"].get("accessible"))
    other = json.loads(json.dumps(clean)) | {"input": "https://other.example/", "test_runtime": 77.0}
    told = []
    for out, order in (("a", [[clean], [other]]), ("b", [[other], [clean]]), ("c", [[other, clean, other]])):
        folder = tmp_path / out
        for number, lines in enumerate(order):
            extract([write_lines(folder / f"{number}.jsonl", lines)], folder)
        document = judge(folder, grounds)
        assert document["counts"]["measurements"] == 1
        assert document["read"]["measurements"] > 1
        told.append(verdicts(folder))
    assert told[0] == told[1] == told[2]


def test_a_merge_is_the_analysis_of_both(documents, grounds, whole, tmp_path):
    half = len(documents) // 2
    for name, lines in (("a", documents[: half + 9]), ("b", documents[half:])):
        extract([write_lines(tmp_path / f"{name}.jsonl", lines)], tmp_path / name)
    told = []
    for order in (["a", "b"], ["b", "a", "b"]):
        out = tmp_path / "-".join(order)
        assert all(each.name for each in merge([tmp_path / name for name in order], out))
        judge(out, grounds)
        told.append(sorted(part.name for part in parts_of(out / EXTRACT)))
        assert verdicts(out) == verdicts(whole)
    assert told[0] == told[1]


def test_extracts_are_judged_together_as_one(documents, grounds, whole, tmp_path):
    half = len(documents) // 2
    extracts = []
    for name, lines in (("a", documents[:half]), ("b", documents[half:])):
        extract([write_lines(tmp_path / f"{name}.jsonl", lines)], tmp_path / name)
        extracts.append(tmp_path / name / EXTRACT)
    document = judge(tmp_path / "both", grounds, extracts=extracts)
    assert verdicts(tmp_path / "both") == verdicts(whole)
    assert (document["read"]["parts"], document["read"]["files"]) == (2, 2)


def test_judging_twice_gives_the_same_octets(grounds, whole):
    first = octets_of_tables(whole)
    documents = []
    for threads in (1, 2):
        documents.append(judge(whole, grounds, threads=threads))
        assert octets_of_tables(whole) == first
    assert documents[0] == documents[1]
    assert not list(whole.glob(".unfinished*"))


def test_every_table_is_sorted_by_all_that_tells_its_rows_apart(whole):
    """Else a second judgement may order them otherwise; rows that are the same are one row."""
    for name in ("labels", "authorities", "days", "certificates", "domains", "networks"):
        found = [tuple(row.values()) for row in rows(whole, name, folder="tables")]
        assert len(set(map(repr, found))) == len(found), name


def test_a_network_of_several_names_is_called_by_one_of_them(whole):
    (found,) = [row for row in rows(whole, "networks", folder="tables") if row["asn"] == 64500]
    assert (found["operator"], found["share"]) == ("KaR-Tel", None)


def test_a_folder_may_be_called_as_it_likes(documents, grounds, whole, tmp_path):
    """Names that mean something to a database: quotes, patterns, and columns of a partitioned table."""
    for name in ('it\'s "so" [1]*?{b,c}; DROP TABLE ё; --', "cc=RU/asn=1/outcome=clean"):
        out = tmp_path / name
        extract([write_lines(tmp_path / "all.jsonl", documents[:20])], out)
        document = judge(out, grounds)
        assert {row["cc"] for row in rows(out)} == {"KZ"}, name
        assert document["counts"]["networks"] > 1, name
        assert sum(document["outcomes"].values()) == 20
        merged = tmp_path / "merged" / name
        assert all(each.name for each in merge([out], merged))
        assert judge(merged, grounds)["outcomes"] == document["outcomes"]


def test_the_domains_counted_are_those_that_were_measured(grounds, tmp_path):
    """A page may lead to another domain that is intercepted: the tables have both, and one was asked for."""
    made = next(each for each, truth in every_situation(3, eras=("v05",)) if truth["is_interception"])
    made["input"] = "https://leads-elsewhere.example/"
    extract([write_lines(tmp_path / "all.jsonl", [made])], tmp_path)
    document = judge(tmp_path, grounds)
    assert len(rows(tmp_path, "domains", folder="tables")) == 2
    assert document["counts"]["intercepted"] == 1
    assert (document["counts"]["domains"], document["counts"]["networks"]) == (1, 1)
