"""Extracts of strangers: what is not what it says is left out whole, and nothing escapes the folder."""

import hashlib
import itertools
import json
import os
import shutil
from pathlib import Path

import duckdb
import pytest
from judged_corpora import (
    every_situation,
    extract,
    grounds_beside,
    judge,
    rows,
    verdicts,
    write_grounds,
    write_lines,
)

from kzmitm.ooni.archive import merging
from kzmitm.ooni.archive.merging import merge
from kzmitm.ooni.archive.parts import EXTRACT, OWN, SUMMARY, parts_of
from kzmitm.ooni.archive.rows import COLUMNS


@pytest.fixture(scope="module")
def documents():
    return [document for document, _truth in every_situation(5, eras=("v05",))]


@pytest.fixture(scope="module")
def grounds(tmp_path_factory):
    return grounds_beside(write_grounds(tmp_path_factory.mktemp("grounds"), 5))


@pytest.fixture(scope="module")
def sound(documents, tmp_path_factory):
    """The one part of an honest extract."""
    out = tmp_path_factory.mktemp("sound")
    extract([write_lines(out / "a.jsonl", documents)], out)
    (part,) = parts_of(out / EXTRACT)
    return part


@pytest.fixture
def part(sound, tmp_path):
    """A copy of it that may be altered."""
    copy = tmp_path / "stranger" / EXTRACT / sound.name
    shutil.copytree(sound, copy)
    return copy


def merged(part, tmp_path):
    (found,) = merge([part.parents[1]], tmp_path / "out")
    return found


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def refused(part, tmp_path, why=""):
    """It is left out, says why in a line, and nothing of it is there."""
    found = merged(part, tmp_path)
    assert found.name is None
    assert why in found.why
    assert 0 < len(found.why) <= 300
    assert "\n" not in found.why
    assert everything(tmp_path / "out") == [EXTRACT]
    return found.why


def rewrite(part, table, select, **more):
    """Replace a file of a part by what a query makes of it."""
    path = part / f"{table}-0.parquet"
    with duckdb.connect() as connection:
        source = f"(FROM read_parquet('{path}'))"
        query = select.format(source="{source}", **more).format(source=source)
        connection.execute(f"CREATE TABLE t AS {query}")
        connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def test_a_sound_part_comes_in_under_the_name_of_its_content(part, tmp_path, grounds):
    found = merged(part, tmp_path)
    assert found.name.startswith("part-")
    assert everything(tmp_path / "out") == [
        EXTRACT,
        f"{EXTRACT}/{found.name}",
        *sorted(f"{EXTRACT}/{found.name}/{path.name}" for path in part.iterdir()),
    ]
    told = json.loads((tmp_path / "out" / EXTRACT / found.name / SUMMARY).read_text())
    before = json.loads((part / SUMMARY).read_text())
    assert told["counts"] | {"own": 0} == before["counts"] | {"own": 0}
    assert (told["octets"], told["bad"], told["merged_from"]) == (before["octets"], 0, part.name)
    judge(part.parents[1], grounds)
    judge(tmp_path / "out", grounds)
    assert verdicts(tmp_path / "out") == verdicts(part.parents[1])


@pytest.mark.parametrize("form", ["analysis", "extract", "part"])
def test_an_analysis_an_extract_or_a_part_may_be_named(part, tmp_path, form):
    folder = {"analysis": part.parents[1], "extract": part.parent, "part": part}[form]
    assert [each.name is not None for each in merge([folder], tmp_path / "out")] == [True]


def test_a_folder_without_parts(tmp_path):
    (tmp_path / "empty").mkdir()
    assert list(merge([tmp_path / "empty"], tmp_path / "out")) == []


def test_what_a_killed_worker_left_is_no_part(part, tmp_path):
    (part / SUMMARY).unlink()
    assert list(merge([part.parents[1]], tmp_path / "out")) == []


@pytest.mark.parametrize("table", COLUMNS)
@pytest.mark.parametrize(
    "select",
    [
        "SELECT * EXCLUDE ({first}) FROM {source}",
        "SELECT *, 1 AS more FROM {source}",
        "SELECT * EXCLUDE ({first}), {first} AS renamed FROM {source}",
        "SELECT * REPLACE (struct_pack(x := {first}) AS {first}) FROM {source}",
        "SELECT * REPLACE (7::DOUBLE AS {first}) FROM {source}",
    ],
    ids=["one missing", "one more", "another name", "a struct", "a number"],
)
def test_other_columns(part, tmp_path, table, select):
    rewrite(part, table, select, first=next(iter(COLUMNS[table])))
    refused(part, tmp_path, f"its columns are not those of {table}")


def test_columns_in_another_order_are_the_same(part, tmp_path):
    rewrite(part, "certificates", "SELECT der, sha256 FROM {source}")
    assert merged(part, tmp_path).name


@pytest.mark.parametrize(
    ("table", "select"),
    [
        ("certificates", "SELECT repeat('0', 64) AS sha256, der FROM {source}"),
        ("certificates", "SELECT upper(sha256) AS sha256, der FROM {source}"),
        ("certificates", "SELECT sha256, der || 'x'::BLOB AS der FROM {source}"),
        ("certificates", "SELECT NULL::VARCHAR AS sha256, der FROM {source}"),
        ("certificates", "SELECT sha256, NULL::BLOB AS der FROM {source}"),
        ("certificates", "SELECT sha256(''::BLOB) AS sha256, ''::BLOB AS der FROM {source}"),
        ("chains", "SELECT repeat('0', 32) AS chain, certificates FROM {source}"),
        ("chains", "SELECT chain, list_reverse(certificates) || certificates AS certificates FROM {source}"),
        ("chains", "SELECT chain, list_append(certificates, NULL) AS certificates FROM {source}"),
        ("chains", "SELECT chain, list_transform(certificates, lambda x: upper(x)) AS {same}"),
        ("chains", "SELECT chain, [left({joined}, 62), substr({joined}, 63)] AS {same}"),
        ("chains", "SELECT chain, []::VARCHAR[] AS certificates FROM {source}"),
        ("chains", "SELECT chain, NULL::VARCHAR[] AS certificates FROM {source}"),
        ("chains", "SELECT chain, ['no hex'] AS certificates FROM {source}"),
        ("chains", "SELECT left({long}, 32) AS chain, {many} AS {same}"),
        ("measurements", "SELECT * REPLACE ('' AS uid) FROM {source}"),
        ("measurements", "SELECT * REPLACE (NULL::VARCHAR AS uid) FROM {source}"),
        ("measurements", "SELECT * REPLACE (repeat('u', 301) AS uid) FROM {source}"),
        ("measurements", "SELECT * REPLACE (NULL::TIMESTAMP AS time) FROM {source}"),
        ("measurements", "SELECT * REPLACE (repeat('x', 2000) AS network) FROM {source}"),
        ("measurements", "SELECT * REPLACE (0::UINTEGER AS doc) FROM {source}"),
        ("handshakes", "SELECT * REPLACE (repeat('x', 2000) AS failure) FROM {source}"),
        ("handshakes", "SELECT * REPLACE (repeat('x', 2000) AS name) FROM {source}"),
        ("handshakes", "SELECT * FROM {source} UNION ALL SELECT * FROM {source}"),
        ("handshakes", "SELECT * REPLACE (0::UINTEGER AS doc, 0::USMALLINT AS n) FROM {source}"),
    ],
    ids=[
        "hash", "hash in capitals", "content", "no hash", "no content", "empty content", "chain id",
        "other certificates", "one more that is null", "capitals", "cut elsewhere", "no certificates",
        "null", "no hash in it", "too many", "no uid", "null uid", "long uid", "no time", "long network",
        "one number for all", "long failure", "long name", "twice", "one number for all handshakes",
    ],
)  # fmt: skip
def test_rows_that_are_not_what_they_say(part, tmp_path, table, select):
    rewrite(
        part,
        table,
        select,
        same="certificates FROM {source}",
        joined="array_to_string(certificates, '')",
        many="list_transform(range(65), lambda x: certificates[1])",
        long="sha256(unhex(repeat(certificates[1], 65)))",
    )
    refused(part, tmp_path, "" if "no hex" in select else "rows")


def test_a_row_in_a_second_file_may_not_bear_a_number_again(part, tmp_path):
    shutil.copy(part / "measurements-0.parquet", part / "measurements-1.parquet")
    refused(part, tmp_path, "rows of measurements bear the number of another")


@pytest.mark.parametrize(
    "octets",
    [b"", b"PAR1", b"PAR1" + b"\0" * 40 + b"PAR1", b"{}", b"PAR1" + b"\xff" * 99 + b"\x7f\xff\xff\x7fPAR1"],
)
def test_what_is_no_parquet(part, tmp_path, octets):
    (part / "handshakes-0.parquet").write_bytes(octets)
    refused(part, tmp_path)


def test_octets_that_were_altered(part, tmp_path):
    """Every tenth of a file: it is refused, or what came in has the right columns."""
    path = part / "certificates-0.parquet"
    octets = path.read_bytes()
    for at in range(8, len(octets) - 8, max(1, len(octets) // 10)):
        path.write_bytes(octets[:at] + bytes([octets[at] ^ 0x55]) + octets[at + 1 :])
        found = merged(part, tmp_path)
        assert (found.name is None) is bool(found.why)
        shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize(
    "name",
    ["x.txt", "handshakes-0.parquet.exe", "handshakes-1234567.parquet", "handshakes-٣.parquet",
     "secrets-0.parquet", "..parquet", "a\nb", "\x1b[2J", "measurements-0.parquet\n"],
)  # fmt: skip
def test_other_files(part, tmp_path, name):
    (part / name).write_bytes(b"x")
    refused(part, tmp_path, "no file of a part")


@pytest.mark.parametrize("name", ["handshakes-7.parquet", SUMMARY, OWN])
def test_links_are_not_followed(part, tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_bytes((part / name).read_bytes() if (part / name).exists() else b"secret")
    (part / name).unlink(missing_ok=True)
    (part / name).symlink_to(secret)
    refused(part, tmp_path, "not a plain file")


def test_a_part_that_is_a_link(part, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    part.rename(elsewhere)
    part.symlink_to(elsewhere)
    refused(part, tmp_path, "a link")


@pytest.mark.parametrize("name", ["folder", "handshakes-7.parquet"])
def test_folders_in_a_part(part, tmp_path, name):
    (part / name).mkdir()
    refused(part, tmp_path, "not a plain file")


def test_a_pipe_is_not_waited_for(part, tmp_path):
    os.mkfifo(part / "handshakes-7.parquet")
    refused(part, tmp_path, "not a plain file")


def test_too_much(part, tmp_path, monkeypatch):
    monkeypatch.setattr(merging, "MAX_FILES", 3)
    refused(part, tmp_path, "more than 3 files")
    monkeypatch.setattr(merging, "MAX_FILES", 4000)
    with (part / "handshakes-9.parquet").open("wb") as file:
        file.truncate(merging.MAX_FILE + 1)
    refused(part, tmp_path, "larger than 4 GiB")


@pytest.mark.parametrize(
    "text",
    [b"", b"x", b"[]", b"null", b'"kzmitm.extract/1.0"', b'{"format": "other/1.0"}', b'{"format": null}',
     b"[" * 100_000, b'{"format": "kzmitm.extract/2.0"}', b"\xff\xfe", b'{"format": 1' + b"0" * 9999 + b"}"],
    ids=["empty", "x", "list", "null", "text", "other", "none", "deep", "newer", "octets", "number"],
)  # fmt: skip
def test_a_summary_that_is_none(part, tmp_path, text):
    (part / SUMMARY).write_bytes(text)
    refused(part, tmp_path)


def test_a_part_that_was_copied_by_half(part, tmp_path):
    (part / "chains-0.parquet").unlink()
    refused(part, tmp_path, "chains-0.parquet is not there")


def test_a_huge_summary(part, tmp_path):
    with (part / SUMMARY).open("ab") as file:
        file.truncate(merging.MAX_SUMMARY + 1)
    refused(part, tmp_path, "larger than 4 MiB")


LIES = {
    "octets": -1, "bad": "many", "counts": {"measurements": 10**30, "own": None},
    "sources": [{"name": "x" * 1000, "octets": 1e308}, "y", {"name": None}, {"name": "\x1b\ud800"}] * 5,
    "problems": [{"source": "\x1b[2J", "line": 1, "why": "x" * 10**5}], "merged_from": "/etc/passwd",
    "more": [[[]]],
}  # fmt: skip


def test_a_summary_that_lies_is_believed_in_nothing_that_can_be_counted(part, tmp_path, grounds):
    told = json.loads((part / SUMMARY).read_text())
    (part / SUMMARY).write_text(json.dumps(told | LIES))
    name = merged(part, tmp_path).name
    kept = json.loads((tmp_path / "out" / EXTRACT / name / SUMMARY).read_text())
    assert kept["counts"] == told["counts"]
    assert (kept["octets"], kept["bad"], kept["problems"]) == (0, 0, [])
    assert kept["merged_from"] == part.name
    assert {len(each["name"]) for each in kept["sources"]} <= {300, 4, 2}
    assert set(kept) == {"format", "merged_from", "sources", "octets", "counts", "bad", "problems"}
    document = judge(tmp_path / "out", grounds)
    assert document["read"]["measurements"] == told["counts"]["measurements"]
    (part / SUMMARY).write_text(json.dumps({"format": told["format"], "sources": "x"}))
    assert merged(part, tmp_path).name == name


def test_of_two_summaries_the_same_stays_whatever_the_order(part, tmp_path):
    other = tmp_path / "other" / EXTRACT / part.name
    shutil.copytree(part, other)
    told = json.loads((part / SUMMARY).read_text())
    (other / SUMMARY).write_text(json.dumps(told | {"octets": 7}))
    kept = set()
    for order in itertools.permutations([part, other]):
        out = tmp_path / f"out-{order[0].parents[1].name}"
        found = list(merge([each.parents[1] for each in order], out))
        assert found[0].name == found[1].name
        assert len(list(parts_of(out / EXTRACT))) == 1
        kept.add((out / EXTRACT / found[0].name / SUMMARY).read_text())
    assert len(kept) == 1


def test_another_content_of_one_uid_counts_once_whatever_the_order(part, tmp_path, grounds):
    """A stranger's copy says of every measurement that it was clean."""
    other = tmp_path / "other" / EXTRACT / "b"
    shutil.copytree(part, other)
    rewrite(other, "handshakes", "SELECT * REPLACE ('' AS failure, '' AS chain) FROM {source}")
    rewrite(other, "measurements", "SELECT * REPLACE (digest - digest % 2 AS digest) FROM {source}")
    told = []
    for order in itertools.permutations([part, other]):
        out = tmp_path / f"out-{order[0].name}"
        assert all(each.name for each in merge([each.parents[1] for each in order], out))
        document = judge(out, grounds)
        assert document["counts"]["measurements"] * 2 == document["read"]["measurements"]
        told.append(verdicts(out))
    assert told[0] == told[1]


def test_a_bad_part_leaves_the_others_alone(part, tmp_path, documents, grounds):
    extract([write_lines(tmp_path / "b.jsonl", documents[:5])], tmp_path / "honest")
    (part / "x").write_bytes(b"")
    found = list(merge([part.parents[1], tmp_path / "honest"], tmp_path / "out"))
    assert [each.name is None for each in found] == [True, False]
    assert judge(tmp_path / "out", grounds)["counts"]["measurements"] == 5


def test_own_measurements_with_garbage_stop_nothing(part, tmp_path, grounds):
    """A stranger's lines of ours are read again; those that are none leave the row inconclusive."""
    rewrite(part, "measurements", "SELECT * REPLACE (doc < 3 AS own) FROM {source}")
    (part / OWN).write_bytes(
        b'\xff\0\n0 {}\n1 {"test_keys":' + b"[" * 9999 + b"\nx {}\n" + b"9" * 99 + b" {}\n"
    )
    assert merged(part, tmp_path).name
    document = judge(tmp_path / "out", grounds)
    damaged = [row for row in rows(tmp_path / "out") if row["rule"] == "archive.own_line_is_damaged"]
    assert {row["outcome"] for row in damaged} == {"inconclusive"}
    assert len(damaged) == 3
    assert document["counts"]["measurements"] == document["read"]["measurements"]


def test_merging_again_adds_nothing(part, tmp_path):
    first = merged(part, tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert merged(part, tmp_path) == first
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_what_an_earlier_merge_left_half_done(part, tmp_path):
    name = merged(part, tmp_path).name
    place = tmp_path / "out" / EXTRACT / name
    half = place.with_name(f".unfinished-{name}")
    place.rename(half)
    (half / SUMMARY).unlink()
    assert merged(part, tmp_path).name == name
    assert [each.name for each in (tmp_path / "out" / EXTRACT).iterdir()] == [name]


def test_a_full_disk_is_not_the_strangers_fault(part, tmp_path, monkeypatch):
    def full(_source, _copy):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(shutil, "copyfile", full)
    (part / OWN).write_bytes(b"")
    with pytest.raises(OSError, match=os.strerror(28)):
        merged(part, tmp_path)
    assert everything(tmp_path / "out") == [EXTRACT]


def test_no_octet_outside_is_touched(part, tmp_path):
    def stamps():
        return {
            path: (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
            for path in tmp_path.rglob("*")
            if not path.is_relative_to(tmp_path / "out")
        }

    shutil.copytree(part, part.with_name("..a"))
    (part / "y").write_bytes(b"")
    before = stamps()
    list(merge([part.parents[1]], tmp_path / "out"))
    assert stamps() == before


def test_a_name_in_octets_that_are_no_text(part, tmp_path):
    odd = Path(os.fsdecode(bytes(part.parent) + b"/\xff\xfe"))
    part.rename(odd)
    found = merged(odd, tmp_path)
    assert (found.name is None) is bool(found.why)
