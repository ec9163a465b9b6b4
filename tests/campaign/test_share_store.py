"""A share's results: each job once, whatever ends the process and when."""

import errno
import json
import os
from hashlib import sha256
from types import SimpleNamespace

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.campaign import log, share_store
from kzmitm.campaign.share_store import LOG, MANIFEST, Result, ShareStore, results_of
from kzmitm.campaign.stored_lines import stored_lines
from kzmitm.errors import UsageError


def opened(folder, jobs=10, plan="p"):
    return ShareStore(folder, plan=plan, jobs=jobs)


def counts(folder):
    with opened(folder) as store:
        return store.counts


def done(number, outcome="clean"):
    return Result(number, "done", outcome, at=1.5)


def line(number):
    return json.dumps({"job": number}).encode()


def lines_in(store):
    octets = b"".join(path.read_bytes() for path in store.segments())
    reader = zstandard.ZstdDecompressor().stream_reader(octets, read_across_frames=True)
    return [json.loads(each)["job"] for each in reader.read().splitlines()]


def test_results_are_kept_and_known_again(tmp_path):
    store = opened(tmp_path)
    assert store.add(done(3), line(3))
    assert not store.add(done(3), line(3))
    assert store.waiting == 1
    store.flush()
    store.add(Result(4, "failed"), b"")
    store.flush()
    store.close()
    again = opened(tmp_path)
    assert again.is_final(3)
    assert again.is_final(4)
    assert again.counts == (1, 1, 8)
    assert lines_in(again) == [3]
    assert again.forget_failed() == 1
    assert not again.is_final(4)
    again.add(done(4), line(4))
    again.flush()
    again.close()
    assert counts(tmp_path) == (2, 0, 8)
    assert [each.number for each in results_of(tmp_path)] == [3, 4, 4]


def test_what_was_not_flushed_is_measured_again(tmp_path):
    store = opened(tmp_path)
    store.add(done(1), line(1))
    store.flush()
    store.add(done(2), line(2))
    store.close()
    with opened(tmp_path) as again:
        assert (again.is_final(1), again.is_final(2)) == (True, False)


@settings(deadline=None)  # what the disk takes is no matter of ours
@given(st.integers(0, 400), st.integers(0, 200), st.booleans())
def test_torn_at_any_place_no_result_is_doubled_or_half(tmp_path_factory, of_segment, of_log, at_segment):
    """A kill between the frame and the log, or in the middle of either."""
    folder = tmp_path_factory.mktemp("share")
    store = opened(folder)
    for number in range(3):
        store.add(done(number), line(number))
        store.flush()
    store.close()
    path = store.segments()[0] if at_segment else folder / LOG
    octets = path.read_bytes()
    if at_segment:
        path.write_bytes(octets + os.urandom(of_segment))
    else:
        path.write_bytes(octets[: max(len(octets) - of_log, 0)])
    again = opened(folder)
    for number in range(10):
        if not again.is_final(number):
            again.add(done(number), line(number))
    again.flush()
    again.close()
    assert sorted(lines_in(again)) == list(range(10))
    assert counts(folder) == (10, 0, 0)


def test_what_is_added_while_a_batch_is_written_is_in_the_next(tmp_path, monkeypatch):
    """The batch is written in a thread, and results go on coming."""
    with opened(tmp_path) as store:
        compress = store._compressor.compress
        late = iter([2])

        def slow(octets):
            for number in late:
                store.add(done(number), line(number))
            return compress(octets)

        monkeypatch.setattr(store, "_compressor", SimpleNamespace(compress=slow))
        store.add(done(1), line(1))
        store.flush()
        assert (store.waiting, lines_in(store)) == (1, [1])
        store.flush()
        assert (store.waiting, lines_in(store)) == (0, [1, 2])
    assert [each.number for each in results_of(tmp_path)] == [1, 2]


def test_another_plan_is_refused(tmp_path):
    opened(tmp_path).close()
    with pytest.raises(UsageError, match="another plan"):
        opened(tmp_path, plan="q")


def test_a_job_that_the_plan_does_not_have_is_refused(tmp_path):
    store = opened(tmp_path, jobs=10)
    store.add(done(9), line(9))
    store.flush()
    store.close()
    with pytest.raises(UsageError, match="does not have"):
        opened(tmp_path, jobs=5)


def test_a_full_disk_keeps_the_batch_for_the_next_try(tmp_path, monkeypatch):
    store = opened(tmp_path)
    store.add(done(1), line(1))
    store.flush()
    store.add(done(2), line(2))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _fd: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        with pytest.raises(OSError, match="full"):
            store.flush()
    assert store.waiting == 1
    store.flush()
    store.close()
    assert lines_in(store) == [1, 2]


def test_segments_rotate_and_the_manifest_has_their_hashes(tmp_path, monkeypatch):
    monkeypatch.setattr(share_store, "SEGMENT_OCTETS", 40)
    store = opened(tmp_path)
    for number in range(6):
        store.add(done(number), line(number))
        store.flush()
    store.write_manifest({"round": 1})
    store.close()
    assert len(store.segments()) > 1
    assert lines_in(store) == list(range(6))
    told = json.loads((tmp_path / MANIFEST).read_text())
    assert told["jobs"] == {"done": 6, "failed": 0, "left": 4}
    assert [each["sha256"] for each in told["segments"]] == [
        sha256(path.read_bytes()).hexdigest() for path in store.segments()
    ]
    assert counts(tmp_path) == (6, 0, 4)


WRONG_RECORDS = {
    "no list": {"results": {}},
    "no row": {"results": [7]},
    "an empty row": {"results": [[]]},
    "a longer row": {"results": [[0, "done", "clean", "", "", "", 1.5, 8]]},
    "no number": {"results": [[True, "done", "clean", "", "", "", 1.5]]},
    "a number that is none of a job": {"results": [[10**30, "done", "clean", "", "", "", 1.5]]},
    "a shorter row": {"results": [[0, "done"]]},
    "another state": {"results": [[0, "lost", "", "", "", "", 0.0]]},
    "an outcome of what failed": {"results": [[0, "failed", "clean", "", "", "", 0.0]]},
    "no outcome of what was done": {"results": [[0, "done", "", "", "", "", 0.0]]},
    "an outcome of a later version": {"results": [[0, "done", "eclipsed", "", "", "", 1.5]]},
    "an outcome that is no text": {"results": [[0, "done", [], "", "", "", 1.5]]},
    "an authority that is no text": {"results": [[0, "done", "clean", "", 5, "", 1.5]]},
    "no time": {"results": [[0, "done", "clean", "", "", "", "now"]]},
    "a time that is no number": {"results": [[0, "done", "clean", "", "", "", float("nan")]]},
    "a time that is too long": {"results": [[0, "done", "clean", "", "", "", 10**400]]},
    "a segment elsewhere": {"segment": "../../0001.jsonl.zst"},
    "no segment": {"segment": None},
    "no end": {"end": "7"},
    "an end before the beginning": {"end": -1},
}


@pytest.mark.parametrize("change", WRONG_RECORDS.values(), ids=WRONG_RECORDS)
def test_a_record_with_the_right_checksum_and_the_wrong_content(tmp_path, change):
    """A folder from somebody else, or of a later version; what it names may be a file of ours."""
    folder = tmp_path / "a" / "b"
    with opened(folder) as store:
        store.add(done(0), line(0))
        store.flush()
    *_, record = log.read_log(folder / LOG)
    first = (folder / LOG).read_bytes().splitlines(keepends=True)[0]
    (folder / LOG).write_bytes(first + log._line(record | change))
    (tmp_path / "0001.jsonl.zst").write_bytes(b"ours" * 100)
    for read in (opened, lambda path: list(results_of(path)), lambda path: list(stored_lines(path))):
        with pytest.raises(UsageError, match="is not what this version writes"):
            read(folder)
    assert (tmp_path / "0001.jsonl.zst").read_bytes() == b"ours" * 100
