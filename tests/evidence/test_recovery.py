"""What killed writers left, at the next start."""

import json
import os
import shutil
import threading
from pathlib import Path

import pytest
from evidence_samples import FINISHED
from journal_samples import (
    KEY,
    add,
    bundle,
    fill,
    key_of,
    killed,
    members,
    octets_of,
    plan,
    proven,
    rubbish,
    verified,
)

from kzmitm.evidence.attachments import attach
from kzmitm.evidence.bundle_reader import read_bundle
from kzmitm.evidence.container import open_container
from kzmitm.evidence.journal import BEGIN, JournalWriter, Signing, read_journal
from kzmitm.evidence.layout import Level
from kzmitm.evidence.medium import Folder
from kzmitm.evidence.recovery import recover, write_bundle
from kzmitm.evidence.sharing import shared_files, write_shared
from kzmitm.evidence.signing.keys import campaign_key, new_key

PART = ".part-0123456789abcdef"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_nothing(tmp_path):
    assert recover(tmp_path / "none", key_of) == ()
    assert recover(tmp_path, key_of) == ()
    (tmp_path / "file").touch()
    assert recover(tmp_path / "file", key_of) == ()


def test_each_journal_becomes_the_bundle_of_what_was_measured(tmp_path):
    journals = [killed(tmp_path, count) for count in (1, 2)]
    expected = dict(map(octets_of, journals))
    for folder in (tmp_path, *journals, journals[0] / "certs"):
        (folder / PART).write_bytes(b"half")
    found = recover(tmp_path, key_of)
    assert {each.journal for each in found} == set(journals)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == expected
    assert {each.bundle.name for each in found} == set(expected)
    assert rubbish(tmp_path) == []
    assert recover(tmp_path, key_of) == ()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == expected


def test_a_scan_that_had_ended_is_complete(tmp_path):
    with JournalWriter.begin(tmp_path, plan()) as writer:
        fill(writer)
    (found,) = recover(tmp_path, key_of)
    assert verified(found.bundle).is_unaltered
    with read_bundle(found.bundle) as read:
        assert read.complete


def test_one_that_had_ended_without_any_target_too(tmp_path):
    with JournalWriter.begin(tmp_path, plan()) as writer:
        writer.finish(finished_at=FINISHED)
    (found,) = recover(tmp_path, key_of)
    assert verified(found.bundle).is_unaltered


def test_a_running_writer_is_left_alone(tmp_path):
    with JournalWriter.begin(tmp_path, plan()) as writer:
        add(writer, proven(0))
        (writer.medium.path / PART).write_bytes(b"half")
        before = {path.name for path in tmp_path.rglob("*")}
        assert recover(tmp_path, key_of) == ()
        assert {path.name for path in tmp_path.rglob("*")} == before
        add(writer, proven(1))
        writer.close()
        assert recover(tmp_path, key_of) == ()
    (found,) = recover(tmp_path, key_of)
    with read_bundle(found.bundle) as read:
        assert len(list(read.measurements())) == 2


@pytest.mark.parametrize("left", ["nothing", "logs", "begun", "torn"])
def test_one_that_measured_nothing_goes_without_a_trace(tmp_path, left):
    journal = killed(tmp_path, 0)
    if left in ("nothing", "logs"):
        (journal / BEGIN).unlink()
    if left == "nothing":
        shutil.rmtree(journal)
        journal.mkdir()
    if left == "torn":
        (journal / "measurements.jsonl").write_bytes(b'{"annotations"')
    assert recover(tmp_path, key_of) == ()
    assert names(tmp_path) == []


def test_the_first_measurement_is_kept_though_its_verdict_was_never_written(tmp_path):
    journal = killed(tmp_path, 1)
    (journal / "verdicts.spool").write_bytes(b"")
    (found,) = recover(tmp_path, key_of)
    assert verified(found.bundle).is_unaltered
    with read_bundle(found.bundle) as read:
        assert list(read.measurements()) == [proven(0)]
        assert list(read.rows()) == []


def test_a_writer_killed_between_its_bundle_and_the_end_leaves_one_bundle(tmp_path):
    journal = killed(tmp_path)
    shutil.copytree(journal, tmp_path / "copy")
    path = write_bundle(read_journal(Folder(journal)), journal, KEY)
    octets = path.read_bytes()
    (tmp_path / "copy").rename(journal)
    (found,) = recover(tmp_path, key_of)
    assert (found.bundle, path.read_bytes()) == (path, octets)
    assert names(tmp_path) == [path.name]


def test_and_what_was_attached_to_it_meanwhile_stays(tmp_path):
    journal = killed(tmp_path)
    shutil.copytree(journal, tmp_path / "copy")
    path = write_bundle(read_journal(Folder(journal)), journal, KEY)
    attached = attach(path, "attest-stamp.tsr", b"token")
    (tmp_path / "copy").rename(journal)
    (found,) = recover(tmp_path, key_of)
    assert found.bundle == path
    assert members(path)[attached] == b"token"
    assert names(tmp_path) == [path.name]


class TestChosenNames:
    def test_the_bundle_has_the_name_that_the_user_chose(self, tmp_path):
        journal = killed(tmp_path, target="mine.zip")
        _, octets = octets_of(journal)
        (found,) = recover(tmp_path, key_of)
        assert (found.bundle, found.bundle.read_bytes()) == (tmp_path / "mine.zip", octets)
        assert verified(found.bundle).is_unaltered
        assert recover(tmp_path, key_of) == ()

    def test_twice_the_same_name_overwrites_nothing(self, tmp_path):
        """The second scan began while the first one's journal was not recovered yet."""
        first = bundle(tmp_path, 1, target="mine.zip")
        octets = first.read_bytes()
        second = killed(tmp_path, 2, target="mine.zip")
        name, _ = octets_of(second)
        (found,) = recover(tmp_path, key_of)
        assert found.bundle == tmp_path / name
        assert first.read_bytes() == octets
        assert names(tmp_path) == sorted(["mine.zip", name])

    @pytest.mark.parametrize("taken", ["file", "folder", "reduced"])
    def test_nor_does_what_else_took_the_name_meanwhile(self, tmp_path, taken):
        journal = killed(tmp_path, target="mine.zip")
        place = tmp_path / "mine.zip"
        if taken == "folder":
            place.mkdir()
        elif taken == "file":
            place.write_bytes(b"diary")
        else:  # somebody copied the archive while its writer was dying, and made this of it
            copy = shutil.copytree(journal, tmp_path / "copy")
            whole = write_bundle(read_journal(Folder(copy)), tmp_path / "x", KEY)
            whole.rename(tmp_path / "whole.zip")
            with open_container(tmp_path / "whole.zip") as container:
                write_shared(container, shared_files(container, Level.PARTNER, timestamps=True), place)
            (tmp_path / "whole.zip").unlink()
            shutil.rmtree(copy, ignore_errors=True)
        before = None if place.is_dir() else place.read_bytes()
        (found,) = recover(tmp_path, key_of)
        assert found.bundle.name.startswith("bundle-")
        assert verified(found.bundle).level is Level.FULL
        assert place.exists()
        assert before is None or place.read_bytes() == before
        assert not journal.exists()

    @pytest.mark.parametrize(
        "target", ["../out.zip", "/tmp/kzmitm-test-out.zip", "..", ".", "sub/out.zip", 7, ["x"], {}]
    )
    def test_a_journal_writes_beside_itself_and_nowhere_else(self, tmp_path, target):
        folder = tmp_path / "in" / "here"
        (folder / "sub").mkdir(parents=True)
        journal = killed(folder)
        told = json.loads((journal / BEGIN).read_bytes())
        (journal / BEGIN).write_text(json.dumps(told | {"target": target}))
        outside = {path for path in tmp_path.rglob("*") if folder not in path.parents}
        (found,) = recover(folder, key_of)
        assert found.bundle.parent == folder
        assert {path for path in tmp_path.rglob("*") if folder not in path.parents} == outside


class TestDamage:
    """A journal that cannot be read is told of, and stays as it is."""

    @pytest.fixture
    def journal(self, tmp_path):
        return killed(tmp_path)

    def refused(self, journal):
        before = {path: path.read_bytes() for path in journal.rglob("*") if path.is_file()}
        other = killed(journal.parent, 1)
        found = recover(journal.parent, key_of)
        mine = next(each for each in found if each.journal == journal)
        assert (mine.bundle, bool(mine.why)) == (None, True)
        after = {path: path.read_bytes() for path in journal.rglob("*") if path.is_file()}
        assert before.items() <= after.items()
        assert not other.exists()  # the rest goes on
        assert len(list(journal.parent.glob("*.zip"))) == 1
        return mine.why

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "line 1"),
            (b"\x00" * 4096, "line 1"),
            (b"[]", "not as kzmitm wrote it"),
            (b"7", "not as kzmitm wrote it"),
            (b"null", "not as kzmitm wrote it"),
            (b'{"schema":"kzmitm.journal/2"}', "unknown journal 'kzmitm.journal/2'"),
            (b'{"schema":"kzmitm.journal/1"}', "not as kzmitm wrote it"),
            (b"[" * 5000 + b"]" * 5000, "nested"),
        ],
    )
    def test_of_its_beginning(self, journal, content, why):
        (journal / BEGIN).write_bytes(content)
        assert why in self.refused(journal)

    @pytest.mark.parametrize("member", ["header", "signing", "annotations", "environment", "salts"])
    @pytest.mark.parametrize("value", [None, 7, [], "x", {}])
    def test_of_any_member_of_it(self, journal, member, value):
        told = json.loads((journal / BEGIN).read_bytes())
        (journal / BEGIN).write_text(json.dumps(told | {member: value}))
        if (member, value) in [("environment", {}), ("environment", [])] or member == "annotations":
            (found,) = recover(journal.parent, key_of)
            assert found.bundle is not None
        else:
            self.refused(journal)

    @pytest.mark.parametrize("member", ["store", "vantage", "registry", "tool"])
    def test_of_its_header(self, journal, member):
        told = json.loads((journal / BEGIN).read_bytes())
        (journal / BEGIN).write_text(json.dumps(told | {"header": told["header"] | {member: ["x"]}}))
        if member in ("registry", "tool"):  # which nothing looks into
            (found,) = recover(journal.parent, key_of)
            assert found.bundle is not None
        else:
            self.refused(journal)

    @pytest.mark.parametrize(
        "rows",
        [
            b"\x00" * 100 + b"\n",
            b"+ k clean []\n",
            b"+ k clean {}\n",
            b"+ k clean x\n",
            b"+ k clean " + b"[" * 9999,
        ],
    )
    def test_of_its_verdicts(self, journal, rows):
        spool = journal / "verdicts.spool"
        spool.write_bytes(rows.removesuffix(b"\n") + b"\n" + spool.read_bytes())
        self.refused(journal)

    @pytest.mark.parametrize("name", ["verdicts.spool", "measurements.jsonl"])
    def test_a_log_is_missing(self, journal, name):
        (journal / name).unlink()
        self.refused(journal)

    @pytest.mark.parametrize("name", ["verdicts.spool", "measurements.jsonl", "capture.pcapng", "end.json"])
    def test_a_link_to_a_file_of_ours_is_not_followed(self, journal, tmp_path_factory, name):
        secret = tmp_path_factory.mktemp("home") / "secret"
        secret.write_bytes(b"mine")
        (journal / name).unlink(missing_ok=True)
        (journal / name).symlink_to(secret)
        self.refused(journal)
        assert secret.read_bytes() == b"mine"

    def test_its_key_cannot_be_read(self, tmp_path):
        keys = tmp_path / "keys"
        campaign_key(keys, "almaty")
        (keys / "almaty.key").chmod(0o644)
        journal = killed(tmp_path / "out", signing=Signing(campaign="almaty"))

        def key(signing):
            return campaign_key(keys, signing.campaign)[0]

        (found,) = recover(tmp_path / "out", key)
        assert "others can read this key" in found.why
        assert journal.is_dir()
        (keys / "almaty.key").chmod(0o600)
        (found,) = recover(tmp_path / "out", key)
        assert verified(found.bundle).signer.key == key(Signing(campaign="almaty")).public

    @pytest.mark.parametrize("campaign", ["../../etc/x", "", 7, None])
    def test_a_strange_campaign_is_no_path(self, tmp_path, campaign):
        journal = killed(tmp_path / "out")
        told = json.loads((journal / BEGIN).read_bytes())
        (journal / BEGIN).write_text(json.dumps(told | {"signing": {"campaign": campaign, "seed": None}}))
        (found,) = recover(
            tmp_path / "out", lambda signing: campaign_key(tmp_path / "keys", signing.campaign)[0]
        )
        assert found.bundle is None
        assert not (tmp_path / "keys").exists()

    def test_a_one_time_key_of_another_length(self, tmp_path):
        killed(tmp_path, signing=Signing(seed=b"short"))
        (found,) = recover(tmp_path, key_of)
        assert found.bundle is None


class TestOthers:
    """A folder that others write to as well."""

    def test_the_journal_of_another_user_is_not_signed_with_our_key(self, tmp_path, monkeypatch):
        journal = killed(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(os, "geteuid", lambda: journal.stat().st_uid + 1)
            assert recover(tmp_path, key_of) == ()
        assert journal.is_dir()
        assert len(recover(tmp_path, key_of)) == 1

    def test_what_is_called_alike_is_left_alone(self, tmp_path):
        (tmp_path / ".journal-of-the-voyage").mkdir()
        (tmp_path / ".journal-of-the-voyage" / "day one").write_text("mine")
        journal = killed(tmp_path / "elsewhere")
        (tmp_path / ".journal-link").symlink_to(journal)
        assert recover(tmp_path, key_of) == ()
        assert names(tmp_path) == [".journal-link", ".journal-of-the-voyage", "elsewhere"]
        assert (tmp_path / ".journal-of-the-voyage" / "day one").read_text() == "mine"
        assert journal.is_dir()

    def test_a_beginning_that_is_a_folder_or_a_link(self, tmp_path):
        for make in (Path.mkdir, lambda path: path.symlink_to("/nowhere")):
            journal = killed(tmp_path)
            (journal / BEGIN).unlink()
            make(journal / BEGIN)
            assert recover(tmp_path, key_of) == ()
            assert journal.is_dir()

    def test_many_at_once_make_each_bundle_once(self, tmp_path):
        expected = dict(octets_of(killed(tmp_path, count)) for count in (1, 2, 3))
        found = []
        threads = [threading.Thread(target=lambda: found.extend(recover(tmp_path, key_of))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(each.bundle.name for each in found) == sorted(expected)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == expected

    def test_a_scan_that_begins_meanwhile_is_not_taken_for_a_dead_one(self, tmp_path):
        stop = threading.Event()
        found = []

        def clean():
            while not stop.is_set():
                found.extend(recover(tmp_path, key_of))

        cleaner = threading.Thread(target=clean)
        cleaner.start()
        try:
            for number in range(20):
                with JournalWriter.begin(tmp_path, plan()) as writer:
                    add(writer, proven(number))
                    with read_bundle(writer.medium.path) as read:
                        assert list(read.measurements()) == [proven(number)]
        finally:
            stop.set()
            cleaner.join(60)
        found.extend(recover(tmp_path, key_of))
        assert len(found) == 20
        assert all(each.bundle is not None for each in found)


def test_a_bundle_in_memory_is_nobodys_journal(tmp_path):
    with JournalWriter.in_memory(plan()) as writer:
        fill(writer)
        path = write_bundle(read_journal(writer.medium), tmp_path / "x", new_key())
    assert path.parent == tmp_path
    assert verified(path).is_unaltered
