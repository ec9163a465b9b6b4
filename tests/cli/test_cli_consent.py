"""Consent is asked of a person, kept as a version and a day, and taken back; purge removes what we keep."""

import fcntl
import json

import pytest

from kzmitm.cli import consent


def test_the_text_has_twelve_short_lines(kzmitm):
    shown = kzmitm("consent", "--show")
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert len(lines) == 12
    assert all(len(line) <= 80 or "results" in line for line in lines)


def test_nobody_at_the_terminal_is_no_consent(process, home):
    code, out, err = process("consent")
    assert (code, out) == (4, b"")
    assert err.count(b"\n") == 1
    assert not home.exists()


def test_consent_is_given_at_a_terminal(terminal, home, kzmitm):
    code, seen = terminal("consent", typed="yes\nno\nYES\n")
    assert code == 0, seen
    record = json.loads((home / "consent.json").read_text())
    assert set(record) == {"consent_version", "date"}
    assert consent.is_recorded()
    assert terminal("consent")[0] == 0  # asks nothing a second time
    assert "taken back" in kzmitm("consent", "--revoke").err
    assert not consent.is_recorded()
    assert "no consent" in kzmitm("consent", "--revoke").err


@pytest.mark.parametrize("typed", ["no\n", "yes\nyes\n", "yes\nno\nyes\n", "\x04"])
def test_a_wrong_answer_is_no_consent(typed, terminal, home):
    code, _seen = terminal("consent", typed=typed)
    assert code == 4
    assert not home.exists()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "1", '{"consent_version": 0}', '{"consent_version": "1"}', "[" * 900, "\xff"]
)
def test_a_damaged_record_is_no_consent(content, home):
    home.mkdir()
    (home / "consent.json").write_text(content, encoding="latin-1")
    assert not consent.is_recorded()


@pytest.fixture
def kept(home):
    ours = [
        "results/bundle-0123456789abcdef.zip", "results/bundle-0123456789abcdef-public.zip",
        "results/bundle-0123456789abcdef.age", "results/bundle-0123456789abcdef/bagit.txt",
        "results/.journal-0123456789abcdef/measurements.jsonl", "results/.part-0123456789abcdef",
        "results/demo-0123456789abcdef/scan.zip", "keys/default.key", "keys/.part-1", "known_signers",
        ".part-2", "campaigns/kz_weekly/lock", "campaigns/kz_weekly/rounds/0001/here/results.log",
    ]  # fmt: skip
    for name in (*ours, "results/notes of the user.txt", "campaigns/notes/mine.txt"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("{}")
    consent.record(__import__("datetime").date(2026, 1, 1))
    return home


def test_purge_asks_before_it_deletes(process, kept):
    code, _out, err = process("purge")
    assert code == 2
    assert b"--yes" in err
    assert consent.is_recorded()


def test_purge_lists_and_deletes_only_what_is_ours(kzmitm, kept):
    listed = kzmitm("purge", "--dry-run")
    assert listed.code == 0
    assert len(listed.out.splitlines()) == 13
    done = kzmitm("purge", "--yes")
    assert done.code == 0
    assert "SSD" in done.err
    assert {path.name for path in kept.rglob("*") if path.is_file()} == {"notes of the user.txt", "mine.txt"}


def test_purge_leaves_a_campaign_alone_that_is_running(kzmitm, home):
    place = home / "campaigns" / "weekly"
    place.mkdir(parents=True)
    with (place / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = kzmitm("purge", "--yes")
    assert done.code == 2
    assert "weekly is of a scan or campaign that is running" in done.err
    assert place.is_dir()


def test_purge_at_a_terminal(terminal, kept):
    assert terminal("purge", typed="no\n")[0] == 0
    assert consent.is_recorded()
    assert terminal("purge", typed="YES\n")[0] == 0
    assert not consent.is_recorded()


def test_purge_leaves_no_folder_behind(kzmitm, home):
    consent.record(__import__("datetime").date(2026, 1, 1))
    kzmitm("purge", "--yes")
    assert not home.exists()
    assert "nothing is kept" in kzmitm("purge", "--yes").err


def test_purge_follows_no_link(kzmitm, home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    (home / "results").mkdir(parents=True)
    (home / "results" / "bundle-0123456789abcdef").symlink_to(elsewhere)
    assert kzmitm("purge", "--yes").code == 0
    assert (elsewhere / "precious").exists()
    assert not home.exists()
