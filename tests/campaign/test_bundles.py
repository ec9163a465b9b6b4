"""Bundles of a share: each result in one, made whole or not at all, and never made again."""

import json
import zipfile
from datetime import UTC, datetime

import pytest
from nats_support import REGISTRY
from work_samples import FILE, KEY, line_for, measurement_for, sample_plan

from kzmitm.campaign import bundles, share_store
from kzmitm.campaign.bundles import (
    NO_ENVIRONMENT,
    BrokenOffError,
    Means,
    bundles_of,
    covered,
    make_bundles,
    needs_bundle,
)
from kzmitm.campaign.plan import Share
from kzmitm.campaign.retention import forget_raw
from kzmitm.campaign.sections import EvidenceTargets
from kzmitm.campaign.share_store import MANIFEST, Result
from kzmitm.campaign.state import CampaignFolder, Versions
from kzmitm.campaign.stored_lines import stored_lines
from kzmitm.errors import UsageError
from kzmitm.evidence.journal import PREFIX
from kzmitm.evidence.verification.verify import Trust, verify_bundle
from kzmitm.pki.store import pinned_store
from kzmitm.resources import truststore_files
from kzmitm.verdict.judge import Judge

SHARE = Share(1, "a")
STORE = pinned_store(truststore_files(), "mozilla")
NAMES = tuple(f"h{number}.example" for number in range(9))
AT = datetime(2026, 11, 1, tzinfo=UTC).timestamp()


def plan_with(more=b"", names=NAMES):
    return sample_plan(FILE + more, names)


ALL = plan_with(b'[evidence]\ntargets = "all"\n')
FINDINGS = plan_with()


class Made:
    """A share on the disk, and the means to bundle it."""

    def __init__(self, path, plan):
        self.plan = plan
        self.folder = CampaignFolder(path, plan)
        self.folder.begin(FILE, Versions("1", "1", "1", "1"))
        self.place = self.folder.place(SHARE)
        self.signed = 0

    def measure(self, *numbers, outcome="unreachable", state="done"):
        store = self.folder.store(SHARE)
        store.forget_failed()
        for number in numbers:
            job = self.plan.job(SHARE, number)
            line = line_for(job, measurement=measurement_for(job.target)) if state == "done" else b""
            store.add(Result(number, state, outcome if line else "", at=AT + number), line)
        store.flush()
        store.write_manifest({"round": 1})
        store.close()

    def key(self):
        self.signed += 1
        return KEY

    def bundle(self, is_stopping=lambda: False):
        means = Means(
            judge=lambda: Judge(registry=REGISTRY, store=STORE),
            key=self.key,
            signs_as="camp",
            explain=lambda _measurement, verdict, _about: ((), str(verdict.outcome)),
        )
        return make_bundles(SHARE, self.place, self.plan, means, complete=True, is_stopping=is_stopping)

    def hosts(self, path):
        with zipfile.ZipFile(path) as archive:
            (name,) = (each for each in archive.namelist() if each.endswith("partner/scan.json"))
            return [row["hostname"] for row in json.loads(archive.read(name))["targets"]]


@pytest.fixture
def made(tmp_path):
    return lambda plan=ALL: Made(tmp_path / "out", plan)


def test_what_comes_later_is_in_a_bundle_of_its_own_and_the_first_stays_as_it_was(made):
    share = made()
    share.measure(0, 1)
    share.measure(2, state="failed")
    (first,) = share.bundle()
    octets = first.read_bytes()
    share.measure(2, 3)
    (second,) = share.bundle()
    assert (first.name, second.name) == ("evidence-00000002.zip", "evidence-00000004.zip")
    assert share.hosts(first) == ["h0.example", "h1.example"]
    assert share.hosts(second) == ["h2.example", "h3.example"]
    assert first.read_bytes() == octets
    assert share.bundle() == []
    assert covered(share.place) == 4
    assert share.signed == 2


@pytest.mark.parametrize("after", range(7))
def test_broken_off_anywhere_nothing_is_left_and_the_next_makes_the_same(made, after):
    share = made()
    share.measure(*range(6))
    left = iter([False] * after)
    if after < 6:
        with pytest.raises(BrokenOffError):
            share.bundle(is_stopping=lambda: next(left, True))
        assert bundles_of(share.place) == []
        assert not list(share.place.glob(f"{PREFIX}*"))
    (path,) = share.bundle()
    assert share.hosts(path) == [f"h{number}.example" for number in range(6)]


def test_many_results_are_several_bundles_that_hold(made, monkeypatch):
    monkeypatch.setattr(bundles, "MAX_ROWS", 4)
    share = made()
    share.measure(*range(9))
    paths = share.bundle()
    assert [len(share.hosts(path)) for path in paths] == [4, 4, 1]
    for path in paths:
        found = verify_bundle(
            path, trust=Trust(expected=KEY.public.fingerprint), now=datetime(2026, 11, 2, tzinfo=UTC)
        )
        assert found.is_unaltered, found
    assert [path.name for path in bundles_of(share.place)] == [path.name for path in paths]


def test_without_findings_there_is_nothing_to_sign(made):
    share = made(FINDINGS)
    share.measure(0, 1, 2)
    assert share.bundle() == []
    assert share.signed == 0
    assert not needs_bundle(share.place, EvidenceTargets.FINDINGS)
    assert needs_bundle(share.place, EvidenceTargets.ALL)
    assert not needs_bundle(share.place, EvidenceTargets.NONE)


def test_what_was_found_then_is_bundled_though_it_is_judged_otherwise_now(made):
    share = made(FINDINGS)
    share.measure(0, 1)
    share.measure(2, outcome="interception")
    (path,) = share.bundle()
    assert share.hosts(path) == ["h2.example"]


def test_a_worker_far_away_has_no_environment_that_is_known_here(made):
    share = made()
    share.measure(0)
    (path,) = share.bundle()
    with zipfile.ZipFile(path) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith("environment.json"))
        told = json.loads(archive.read(name))
    assert {key: told[key] for key in NO_ENVIRONMENT} == dict(NO_ENVIRONMENT)


def test_a_stored_line_that_was_tampered_with_is_never_signed(made):
    share = made()
    share.measure(0, 1)
    segment = next(share.place.glob("*.zst"))
    octets = bytearray(segment.read_bytes())
    octets[len(octets) // 2] ^= 1
    segment.write_bytes(octets)
    with pytest.raises(UsageError):
        share.bundle()
    assert share.signed == 0


def test_stored_lines_go_over_segments_and_past_what_the_log_does_not_know(made, monkeypatch):
    monkeypatch.setattr(share_store, "SEGMENT_OCTETS", 100)
    share = made()
    for number in range(4):
        share.measure(number)
    last = max(share.place.glob("*.zst"))
    with last.open("ab") as file:
        file.write(b"torn")
    found = list(stored_lines(share.place))
    assert [result.number for result, _ in found] == [0, 1, 2, 3]
    assert [json.loads(line)["annotations"]["campaign_job"] for _, line in found] == [
        share.plan.job(SHARE, number).id for number in range(4)
    ]


def test_a_share_goes_on_after_its_lines_were_deleted(made, tmp_path):
    """Its vantage had failed at something, which is tried again long after."""
    share = made(plan_with(b'[evidence]\ntargets = "all"\n[store]\nraw_rounds = 1\n[rounds]\ncount = 2\n'))
    share.measure(0, 1)
    share.measure(2, state="failed")
    (first,) = share.bundle()
    for number in (1, 2):
        share.folder.record({"event": "round_finished", "round": number, "at": "2026-11-02T00:00:00+00:00"})
    other = share.folder.place(Share(1, "b"))
    other.mkdir(parents=True)
    (other / MANIFEST).write_text('{"jobs": {}, "segments": []}')
    assert list(forget_raw(share.folder)) == [SHARE]
    assert not list(share.place.glob("*.zst"))
    share.measure(2)
    (segment,) = share.place.glob("*.zst")
    assert segment.name == "0002.jsonl.zst"
    assert [line is None for _, line in stored_lines(share.place)] == [True, True, False]
    (second,) = share.bundle()
    assert (share.hosts(first), share.hosts(second)) == (["h0.example", "h1.example"], ["h2.example"])
    told = json.loads((share.place / MANIFEST).read_text())["segments"]
    assert [(each["name"], each.get("removed", False)) for each in told] == [
        ("0001.jsonl.zst", True),
        ("0002.jsonl.zst", False),
    ]
