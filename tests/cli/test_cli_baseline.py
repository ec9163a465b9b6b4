"""The list of all roots that were ever public, as people and programs ask for it."""

import json
from datetime import UTC, datetime

import pytest

from kzmitm.cli import clock
from kzmitm.resources import truststore_files


@pytest.fixture
def at(monkeypatch):
    """Let it be another day."""
    return lambda day: monkeypatch.setattr(
        clock, "now", lambda: datetime.fromisoformat(day).replace(tzinfo=UTC)
    )


@pytest.fixture
def newer(tmp_path):
    """A newer list: a root more, one that nobody trusts any more."""
    document = json.loads(truststore_files()["baseline.json"])
    gone = next(root for root in document["roots"] if root.get("trusted_by"))
    gone.pop("trusted_by")
    added = {"sha256": "0" * 64, "subject": "CN=N\u202eew\x1b", "trusted_by": ["apple"]}
    document["roots"].append(added)
    path = tmp_path / "newer.json"
    path.write_text(json.dumps(document))
    return path, gone["sha256"]


def test_where_it_is_from_and_how_old_it_is(kzmitm, at):
    at("2026-11-26")
    shown = kzmitm("fingerprints", "baseline")
    assert (shown.code, shown.err) == (0, "")
    assert "trust_stores_observatory (MIT)" in shown.out
    assert "2026-07-19, 130 days ago" in shown.out
    assert "mozilla_nss: as of 2026-07-19" in shown.out
    assert "of them, by https://github.com/certifi/python-certifi (MPL-2.0)" in shown.out
    row = kzmitm("fingerprints", "baseline", "--json").json["baseline"]
    assert (row["snapshot"], row["age_days"], row["is_old"]) == ("2026-07-19", 130, False)
    lists = {name: json.loads(truststore_files()[f"{name}.json"])["roots"] for name in ("baseline", "former")}
    assert row["former"]["roots"] == len(lists["former"])
    assert row["counts"]["roots"] == sum(map(len, lists.values()))
    assert "changes" not in row


def test_its_age_is_checked(kzmitm, at):
    at("2026-11-26")
    assert kzmitm("fingerprints", "baseline", "--check").code == 0
    at("2027-05-01")
    shown = kzmitm("fingerprints", "baseline", "--check")
    assert (shown.code, "older than nine months" in shown.err) == (3, True)
    told = kzmitm("fingerprints", "baseline", "--json")
    assert (told.code, told.json["baseline"]["is_old"], "older" in told.err) == (0, True, True)


def test_a_newer_list_is_compared(kzmitm, newer, at):
    at("2026-11-26")
    path, gone = newer
    shown = kzmitm("fingerprints", "baseline", "--from", path)
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert "new in the other list: 1" in lines
    assert f"  {'0' * 64}  CN=N\\u202eew\\x1b" in lines
    assert "not in the other list: 0" in lines
    assert any(
        line.startswith(f"  {gone}")
        for line in lines[lines.index("trusted by none any more, or blocked: 1") :]
    )
    changes = kzmitm("fingerprints", "baseline", "--from", path, "--json").json["baseline"]["changes"]
    assert [root["certificate_sha256"] for root in changes["added"]] == ["0" * 64]
    assert [root["certificate_sha256"] for root in changes["distrusted"]] == [gone]
    assert (changes["missing"], changes["trusted"]) == ([], [])


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04", b"[" * 100_000])
def test_a_file_that_is_no_list_is_said_to_be_none(content, kzmitm, tmp_path):
    (tmp_path / "x").write_bytes(content)
    shown = kzmitm("fingerprints", "baseline", "--from", tmp_path / "x")
    assert (shown.code, shown.out) == (2, "")
    assert str(tmp_path / "x") in shown.err
    absent = kzmitm("fingerprints", "baseline", "--from", tmp_path / "none")
    assert (absent.code, absent.err.count("\n")) == (2, 1)
