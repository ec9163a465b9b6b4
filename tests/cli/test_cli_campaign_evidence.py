"""What a campaign leaves: signed bundles of what it found, manifests, tables, and only so many raw rounds."""

import errno
import hashlib
import json
import zipfile

import pytest

from kzmitm.campaign import bundles
from kzmitm.evidence.journal import BEGIN, PREFIX

FILE = """\
[campaign]
name = "kz_weekly"
contact = "someone@example.org"

[targets]
names = ["forged.test", "good.site.test", "fine.site.test"]

[controls]
names = ["control.site.test"]
every = 3

[rounds]
count = {rounds}
every = "1ms"

[limits]
rate = 500
endpoint_gap = "0s"
endpoint_concurrency = 20
network_concurrency = 20
timeout = "5s"

[collect]
families = [4]
doh = false
follow_ups = false
{more}"""


@pytest.fixture
def campaign(tmp_path, kzmitm, serve, genuine, forger):
    """Run a campaign of a forged site and good ones; gives its folder and how it ended."""
    good, bad = serve(genuine.site("*.site.test")), serve(forger.site("forged.test"))
    overlay = forger.overlay()

    def run(more="", *, rounds=1, words=(), out=tmp_path / "out"):
        path = tmp_path / "kz.toml"
        path.write_text(FILE.format(rounds=rounds, more=more))
        done = kzmitm(
            "campaign", "run", path, "--out", out, "--i-understand", "--store", genuine.pem,
            "--fingerprints", overlay, "--connect-to", f"forged.test:443:127.0.0.1:{bad}",
            "--connect-to", f":443:127.0.0.1:{good}", *words,
        )  # fmt: skip
        return out, done

    run.judging = ("--store", genuine.pem, "--fingerprints", overlay)
    return run


def share(folder, number=1):
    return folder / f"rounds/{number:04d}/here"


def names_in(bundle):
    with zipfile.ZipFile(bundle) as archive:
        return {name.partition("/")[2] for name in archive.namelist()}


def targets_of(kzmitm, bundle):
    return [row["target"] for row in kzmitm("show", bundle, "--json").json["targets"]]


def test_findings_leave_a_bundle_that_holds_and_is_of_the_campaigns_key(campaign, kzmitm):
    folder, done = campaign()
    assert done.code == 1
    (bundle,) = share(folder).glob("*.zip")
    assert kzmitm("verify", bundle).code == 0
    shown = kzmitm("show", bundle, "--json")
    assert shown.code == 1
    (row,) = shown.json["targets"]
    assert (row["target"], row["outcome"], row["authority"]["id"]) == (
        "forged.test", "interception", "test-ca",
    )  # fmt: skip
    assert row["explanation"]
    assert shown.json["vantage"]["id"] == "here"
    assert shown.json["options"]["round"] == 1
    assert "data/full/environment.json" in names_in(bundle)
    judged = kzmitm("judge", bundle, "--json", *campaign.judging).json
    assert [each["outcome"] for each in judged["targets"]] == ["interception"]
    assert (kzmitm("verify", bundle, "--json").json)["signer"]["known_as"] == "kz-weekly"


def test_the_bundle_tells_of_the_job_that_every_line_is_of(campaign):
    folder, _ = campaign()
    (bundle,) = share(folder).glob("*.zip")
    with zipfile.ZipFile(bundle) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith("measurements.jsonl"))
        (line,) = archive.read(name).splitlines()
    told = json.loads(line)["annotations"]
    assert told["campaign_vantage"] == "here"
    assert told["campaign_round"] == "1"
    assert len(told["campaign_job"]) == 32
    assert told["salt"]


@pytest.mark.parametrize(
    ("level", "kept"),
    [("full", {"public", "partner", "full"}), ("partner", {"public", "partner"}), ("public", {"public"})],
)
def test_all_is_bundled_to_the_level_that_is_asked_for(campaign, kzmitm, level, kept):
    folder, _ = campaign(f'[evidence]\ntargets = "all"\nlevel = "{level}"\n')
    (bundle,) = share(folder).glob("*.zip")
    assert {name.split("/")[1] for name in names_in(bundle) if name.startswith("data/")} == kept
    assert kzmitm("verify", bundle).code == 0
    assert sorted(targets_of(kzmitm, bundle)) == [
        "control.site.test",
        "fine.site.test",
        "forged.test",
        "good.site.test",
    ]


def test_none_is_none(campaign, tmp_path):
    folder, _ = campaign('[evidence]\ntargets = "none"\n')
    assert not list(folder.rglob("*.zip"))
    assert not (tmp_path / "home/keys").exists()


def test_a_second_run_makes_no_second_bundle(campaign, kzmitm):
    folder, _ = campaign()
    before = {path: path.read_bytes() for path in folder.rglob("*.zip")}
    campaign()
    assert kzmitm("campaign", "evidence", folder, *campaign.judging).out == ""
    assert {path: path.read_bytes() for path in folder.rglob("*.zip")} == before


def test_without_room_for_a_bundle_nothing_is_lost_and_the_next_makes_it(campaign, kzmitm, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(bundles, "replace_file", full)
        folder, done = campaign()
    assert done.code == 1
    assert "no bundle could be made of its evidence: " in done.err
    assert "No space left" in done.err
    assert not list(share(folder).glob("*.zip"))
    assert not list(share(folder).glob(f"{PREFIX}*"))
    made = kzmitm("campaign", "evidence", folder, *campaign.judging)
    assert made.out.splitlines() == [str(path) for path in share(folder).glob("*.zip")]
    assert targets_of(kzmitm, made.out.strip()) == ["forged.test"]


def test_what_a_killed_process_left_of_a_bundle_goes(campaign, kzmitm):
    folder, _ = campaign()
    (bundle,) = share(folder).glob("*.zip")
    bundle.unlink()
    left = share(folder) / f"{PREFIX}0123456789abcdef"
    left.mkdir()
    (left / BEGIN).write_text("{}")
    part = share(folder) / ".part-0123456789abcdef"
    part.write_text("half")
    told = kzmitm("campaign", "evidence", folder, "--json", *campaign.judging).json
    assert told["bundles"] == [str(bundle)]
    assert not left.exists()
    assert not part.exists()


def test_raw_rounds_go_and_what_was_found_stays(campaign, kzmitm):
    folder, _ = campaign("[store]\nraw_rounds = 1\n", rounds=3)
    assert [bool(list(share(folder, n).glob("*.zst"))) for n in (1, 2, 3)] == [False, False, True]
    for number in (1, 2, 3):
        (bundle,) = share(folder, number).glob("*.zip")
        assert targets_of(kzmitm, bundle) == ["forged.test"]
        told = json.loads((share(folder, number).parent / "manifest.json").read_text())
        (here,) = told["shares"]
        assert here["jobs"] == {"done": 4, "failed": 0, "left": 0}
        assert [bool(each.get("removed")) for each in here["segments"]] == [number < 3]
        (evidence,) = here["evidence"]
        assert evidence["sha256"] == hashlib.sha256(bundle.read_bytes()).hexdigest()
        assert told["started_at"] < told["finished_at"]
    assert kzmitm("campaign", "diff", folder, 1, 3).out == "nothing changed\n"
    spans = kzmitm("campaign", "history", folder, "--json").json["spans"]["domain"]
    assert [(each["name"], each["first_round"], each["last_round"]) for each in spans] == [
        ("forged.test", 1, 3)
    ]


def test_what_is_in_no_bundle_is_not_deleted(campaign, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bundles, "replace_file", full)
    folder, _ = campaign("[store]\nraw_rounds = 1\n", rounds=3)
    assert all(list(share(folder, n).glob("*.zst")) for n in (1, 2, 3))


def test_tables_hold_every_round_though_its_lines_are_gone(campaign, kzmitm):
    folder, _ = campaign("[store]\nraw_rounds = 1\nparquet = true\n", rounds=3)
    archive = folder / "archive"
    found = kzmitm("ooni", "analyze", "--out", archive, "--json", *campaign.judging)
    assert found.code == 1
    assert found.json["counts"]["measurements"] == 12
    asked = kzmitm(
        "ooni", "query", "--from", archive, "--json",
        "SELECT host, count(*) AS n FROM measurements WHERE intercepted > 0 GROUP BY host",
    )  # fmt: skip
    assert asked.json["rows"] == [["forged.test", 3]]


def test_a_campaigns_folder_is_read_as_it_is_and_nothing_twice(campaign, kzmitm, tmp_path):
    folder, _ = campaign("[store]\nparquet = true\n", rounds=2)
    found = kzmitm("ooni", "analyze", folder, "--out", tmp_path / "found", "--json", *campaign.judging)
    assert found.json["counts"]["measurements"] == 8
    assert found.json["counts"]["intercepted"] == 2


def test_bundles_are_judged_by_the_control_that_the_run_had(campaign, kzmitm, genuine, tmp_path):
    """It lies beside the campaign's file, and not in its folder."""
    (tmp_path / "control.json").write_text(
        json.dumps({"schema": "kzmitm.control/1.0", "version": "1.0", "certificates": {}, "names": []})
    )
    folder, _ = campaign()
    (bundle,) = share(folder).glob("*.zip")
    bundle.unlink()
    text = (folder / "campaign.toml").read_text()
    path = tmp_path / "kz.toml"
    path.write_text(text.replace("every = 3", 'every = 3\nfile = "control.json"'))
    words = ("campaign", "run", path, "--out", tmp_path / "other", "--i-understand", "--store", genuine.pem)
    kzmitm(*words, "--connect-to", ":443:127.0.0.1:1")
    refused = kzmitm("campaign", "evidence", tmp_path / "other", *campaign.judging)
    assert refused.code == 2
    assert "give it with --control" in refused.err
    assert kzmitm(
        "campaign", "evidence", tmp_path / "other", "--control", tmp_path / "control.json"
    ).code == 0  # fmt: skip


def test_people_read_what_changed_and_since_when(campaign, kzmitm):
    folder, _ = campaign(rounds=2)
    told = kzmitm("campaign", "history", folder)
    assert told.code == 1
    assert "domain forged.test: " in told.out
    assert "rounds 1 to 2, 2 times" in told.out
    log = folder / "rounds/0002/here/results.log"
    log.unlink()
    changed = kzmitm("campaign", "diff", folder, 1, 2)
    assert "here, forged.test: interception (test-ca), then not measured" in changed.out
    assert kzmitm("campaign", "diff", folder, 2, 1).code == 1
    assert kzmitm("campaign", "diff", folder, 1, 3).code == 2
    listed = kzmitm("campaign", "diff", folder, 1, 2, "--json").json["changes"]
    assert {each["target"] for each in listed} == {"forged.test", "good.site.test", "fine.site.test"}
