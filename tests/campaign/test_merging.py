"""Shares that come back: joined the same in whatever order, and nothing of a stranger's believed."""

import json
from datetime import timedelta
from itertools import count, permutations
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from nats_support import REGISTRY
from work_samples import AT, FILE, KEY, NAMES, OTHER_KEY, line_for, measurement_for, sample_plan

from kzmitm.campaign.log import Log
from kzmitm.campaign.merging import Merge
from kzmitm.campaign.packing import open_pack, pack
from kzmitm.campaign.plan import Share
from kzmitm.campaign.share_store import Result, results_of
from kzmitm.campaign.state import CampaignFolder, Versions
from kzmitm.errors import BundleError
from kzmitm.evidence.archive.zip_writer import archive_chunks, octets_source
from kzmitm.pki.store import pinned_store
from kzmitm.resources import truststore_files
from kzmitm.verdict.judge import Judge

PLAN = sample_plan()
SHARE = Share(1, "a")
STORE = pinned_store(truststore_files(), "mozilla")
NOW = AT + timedelta(days=1)
VERSIONS = Versions("1", "1", "1", "1")


def line(number, variant=0, share=SHARE, plan=PLAN):
    job = plan.job(share, number)
    return line_for(job, measurement=measurement_for(job.target, runtime_s=float(variant)))


def campaign_folder(path, plan=PLAN):
    folder = CampaignFolder(path, plan)
    folder.begin(FILE, VERSIONS)
    return folder


def a_folder(path, results, *, share=SHARE, plan=PLAN):
    """A campaign's folder that holds these (number, variant); None for a job that failed."""
    store = campaign_folder(path, plan).store(share)
    for number, variant in results:
        if variant is None:
            store.add(Result(number, "failed"), b"")
        else:
            store.add(Result(number, "done", "interception"), line(number, variant, share, plan))
    store.flush()
    store.close()
    return path


def merged(out, paths, plan=PLAN):
    judge = lambda: Judge(registry=REGISTRY, store=STORE)  # noqa: E731
    packs = [open_pack(path) for path in paths]
    told = Merge(plan, judge, NOW).into(campaign_folder(out, plan), packs)
    for each in packs:
        each.container.close()
    return told


def octets_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.glob("rounds/**/*.*"))
    }


def results(folder, share=SHARE):
    return {each.number: each for each in results_of(folder / "rounds" / "0001" / share.vantage)}


def test_two_places_become_one(tmp_path):
    first = a_folder(tmp_path / "1", [(0, 0), (1, 0), (2, 0)])
    second = a_folder(tmp_path / "2", [(0, 0), (2, 0)], share=Share(1, "b"))
    packed = tmp_path / "2.zip"
    assert pack(second, packed, KEY) == 4
    told = merged(tmp_path / "out", [first, packed])
    assert (told.taken, told.failed, told.doubles, told.conflicts) == (5, 0, 0, 0)
    assert not told.refused
    # What a place made of it is not asked for: it said interception.
    assert {each.outcome for each in results(tmp_path / "out").values()} == {"unreachable"}


@given(
    st.lists(
        st.dictionaries(st.integers(0, 2), st.sampled_from([None, 0, 1, 2]), max_size=3),
        min_size=2,
        max_size=3,
    )
)
@settings(max_examples=6, deadline=None)
def test_the_order_of_places_does_not_matter(shares):
    with TemporaryDirectory() as name:
        root, number = Path(name), count()
        paths = [a_folder(root / f"in{next(number)}", each.items()) for each in shares]
        outs = [root / f"out{next(number)}" for _ in permutations(paths)]
        told = [merged(out, order) for out, order in zip(outs, permutations(paths), strict=True)]
        first = octets_of(outs[0])
        assert all(octets_of(out) == first for out in outs[1:])
        assert all(each == told[0] for each in told[1:])
        done = {n for each in shares for n, variant in each.items() if variant is not None}
        assert told[0].taken == len(done)


def test_a_result_counts_for_more_than_a_failure(tmp_path):
    paths = [a_folder(tmp_path / "1", [(0, None), (1, None)]), a_folder(tmp_path / "2", [(0, 0)])]
    told = merged(tmp_path / "out", paths)
    assert (told.taken, told.failed) == (1, 1)
    assert {n: each.state for n, each in results(tmp_path / "out").items()} == {0: "done", 1: "failed"}


def test_two_that_contradict_are_counted_and_one_is_taken(tmp_path):
    paths = [a_folder(tmp_path / str(variant), [(0, variant)]) for variant in (1, 2)]
    told = merged(tmp_path / "out", paths)
    assert (told.taken, told.doubles, told.conflicts) == (1, 1, 1)


def hostile(path, rows, lines, *, plan=PLAN.digest, share="rounds/0001/a"):
    folder = path / share
    folder.mkdir(parents=True)
    octets = zstandard.compress(b"".join(each + b"\n" for each in lines))
    (folder / "0001.jsonl.zst").write_bytes(octets)
    with Log(folder / "results.log") as log:
        log.append({"plan": plan, "jobs": 3})
        log.append({"segment": "0001.jsonl.zst", "end": len(octets), "results": rows})
    return path


def row(number, state="done"):
    return [number, state, "clean", "", "", ""]


OTHER_PLAN = sample_plan(names=(*NAMES[:2], "four.example"))
HOSTILE = {
    "another plan": ([row(0)], [line(0)], {"plan": OTHER_PLAN.digest}, "other_plan"),
    "a number out of range": ([row(3)], [line(0)], {}, "unknown_job"),
    "a number below all": ([row(-1)], [line(0)], {}, "unknown_job"),
    "a number that is none": ([row("0")], [line(0)], {}, "unknown_job"),
    "the line of another job": ([row(0)], [line(1)], {}, "other_job"),
    "the line of another vantage": ([row(0)], [line(0, share=Share(1, "b"))], {}, "other_job"),
    "the line of another campaign": ([row(0)], [line(0, plan=OTHER_PLAN)], {}, "other_job"),
    "no line": ([row(0)], [], {}, "lines_missing"),
    "no measurement": ([row(0)], [b"{}"], {}, "no_measurement"),
    "a deep line": ([row(0)], [b"[" * 100_000], {}, "no_measurement"),
    "a line without end": ([row(0)], [b" " * (5 << 20)], {}, "damaged"),
    "no result": ([7], [line(0)], {}, "damaged"),
    "no results": (7, [line(0)], {}, "damaged"),
    "too many results": ([row(0)] * 100, [line(0)] * 100, {}, "damaged"),
    "another vantage": ([row(0)], [line(0)], {"share": "rounds/0001/nobody"}, "other_share"),
    "another round": ([row(0)], [line(0)], {"share": "rounds/0002/a"}, "other_share"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_hostile_place_brings_is_refused_and_the_rest_is_taken(tmp_path, name):
    rows, lines, options, reason = HOSTILE[name]
    bad = hostile(tmp_path / "bad", rows, lines, **options)
    good = a_folder(tmp_path / "good", [(1, 0), (2, 0)])
    told = merged(tmp_path / "out", [bad, good])
    assert ("bad", reason) in told.refused
    assert {1, 2} <= set(results(tmp_path / "out")) <= {0, 1, 2}


def test_a_bomb_costs_no_memory(tmp_path):
    bad = hostile(tmp_path / "bad", [row(0)], [])
    compressor = zstandard.ZstdCompressor(level=19)
    (bad / "rounds" / "0001" / "a" / "0001.jsonl.zst").write_bytes(compressor.compress(bytes(256 << 20)))
    told = merged(tmp_path / "out", [bad])
    assert told.refused == {("bad", "damaged"): 1}


def keyed_plan(key):
    octets = FILE.replace(b'name = "a"\n', b'name = "a"\nkey = "%b"\n' % key.public.line.encode())
    return sample_plan(octets)


def test_a_vantage_with_a_key_is_spoken_for_by_that_key_alone(tmp_path):
    plan = keyed_plan(KEY)
    folder = a_folder(tmp_path / "folder", [(0, 0)], plan=plan)
    for name, key in (("good.zip", KEY), ("bad.zip", OTHER_KEY)):
        pack(folder, tmp_path / name, key)
    told = merged(tmp_path / "out", [tmp_path / "bad.zip", folder, tmp_path / "good.zip"], plan)
    assert told.taken == 1
    assert told.refused == {("bad.zip", "other_key"): 1, ("folder", "other_key"): 1}


@pytest.mark.parametrize("what", ["file", "list", "more"])
def test_an_altered_pack_is_no_pack(tmp_path, what):
    folder = a_folder(tmp_path / "in", [(0, 0)])
    path = tmp_path / "x.zip"
    pack(folder, path, KEY)
    with open_pack(path) as found:
        files = {name: found.container.read(name, max_bytes=1 << 20) for name in found.container.names}
        root = found.container.root
    if what == "file":
        name = next(each for each in files if each.endswith(".log"))
        files[name] += b"\n"
    elif what == "list":
        files["share.json"] = json.dumps(json.loads(files["share.json"])).encode()
    else:
        files["rounds/0001/a/0002.jsonl.zst"] = b""
    path.write_bytes(b"".join(archive_chunks(root, [octets_source(*each) for each in files.items()])))
    with pytest.raises(BundleError):
        open_pack(path)
