"""Writing a journal while the scan runs."""

import errno
import hashlib
import json
import os
import stat
from datetime import timedelta

import pytest
from evidence_samples import CLEAN, FINISHED, INTERCEPTED, STARTED, handshake, header, measurement, octets
from journal_samples import KEY, SCHEMAS, SEED, add, fill, killed, plan, proven

from kzmitm.errors import UsageError
from kzmitm.evidence import journal as journal_module
from kzmitm.evidence.assembly import assemble
from kzmitm.evidence.bundle_reader import read_bundle
from kzmitm.evidence.journal import (
    BEGIN,
    END,
    MEASUREMENTS,
    PREFIX,
    SALTED,
    VERDICTS,
    JournalWriter,
    Plan,
    Signing,
    read_journal,
)
from kzmitm.evidence.medium import Folder, Memory
from kzmitm.model.observation import Role


def begin(folder, **more):
    return JournalWriter.begin(folder, plan(**more))


def kept(journal):
    return {path.stem: path.read_bytes() for path in (journal / "certs").iterdir()}


def test_while_it_runs_everything_added_can_be_read(tmp_path):
    with begin(tmp_path) as writer:
        assert list(read_bundle(writer.medium.path).rows()) == []
        fill(writer, 3, finish=False)
        found = read_bundle(writer.medium.path)
        assert (found.complete, found.running) == (False, True)
        assert [row["target"] for row in found.rows()] == [f"www{i}.example.test" for i in range(3)]
        assert list(found.measurements()) == [proven(i) for i in range(3)]
        assert [verdict for _, verdict in found.verdicts()] == [CLEAN] * 3
        assert found.document["summary"]["clean"] == 3
        SCHEMAS["scan"].validate(found.document | {"targets": list(found.rows())})


@pytest.mark.parametrize("complete", [True, False])
def test_the_end_says_when_and_whether_it_is_all(tmp_path, complete):
    with begin(tmp_path) as writer:
        fill(writer, 1, complete=complete)
    journal = read_journal(Folder(writer.medium.path))
    assert (journal.finished_at, journal.complete) == (FINISHED, complete)
    assert read_bundle(writer.medium.path).running is False


def test_without_an_end_it_is_not_complete(tmp_path):
    journal = read_journal(Folder(killed(tmp_path)))
    assert (journal.finished_at, journal.complete) == (None, False)


def test_every_line_fits_its_schema_and_holds_the_salt(tmp_path):
    journal = killed(tmp_path)
    salt = read_journal(Folder(journal)).salt("measurements")
    lines = [json.loads(line) for line in (journal / MEASUREMENTS).read_bytes().splitlines()]
    for line in lines:
        SCHEMAS["measurement"].validate(line)
        assert line["annotations"] | {"salt": salt, "platform": "linux"} == line["annotations"]
        assert line["test_keys"]["x_kzmitm"]["versions"] == {
            "rules": "7",
            "registry": "abc",
            "store": "2026.1",
        }
    assert len(lines) == 3


def test_salts_are_of_this_journal_and_this_file_alone(tmp_path):
    salts = set()
    for name in ("a", "b"):
        journal = read_journal(Folder(killed(tmp_path / name)))
        salts |= {journal.salt(each) for each in SALTED}
    assert len(salts) == 2 * len(SALTED)
    assert {len(salt) for salt in salts} == {32}


def test_each_distinct_authority_is_there_once_and_no_leaf(tmp_path):
    with begin(tmp_path) as writer:
        for number in range(3):
            writer.add(measurement(number), CLEAN)
        assert kept(writer.medium.path) == {hashlib.sha256(octets("ca")).hexdigest(): octets("ca")}


def test_a_certificate_is_written_once_however_much_was_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "MAX_KNOWN_CERTIFICATES", 1)
    with begin(tmp_path) as writer:
        writer.add(measurement(0), CLEAN)
        path = next((writer.medium.path / "certs").iterdir())
        inode = path.stat().st_ino
        writer.add(measurement(tls=[handshake("a", [b"leaf", b"other"])]), CLEAN)
        writer.add(measurement(1), CLEAN)
        assert path.stat().st_ino == inode
        assert len(kept(writer.medium.path)) == 2


def test_chains_of_follow_ups_are_kept_too(tmp_path):
    m = measurement(tls=[handshake("a", [b"1", b"x"]), handshake(None, [b"2", b"y", b"z"], role=Role.NO_SNI)])
    with begin(tmp_path) as writer:
        writer.add(m, CLEAN, failures=[None, "ssl_invalid_hostname"])
    assert set(kept(writer.medium.path).values()) == {b"x", b"y", b"z"}


def test_only_the_user_may_read_it(tmp_path):
    journal = killed(tmp_path / "new" / "b")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in journal.rglob("*") if path.is_file()}
    assert modes == {0o600}
    for directory in (tmp_path / "new", journal.parent, journal, journal / "certs"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_an_amendment_replaces_the_row_in_its_place(tmp_path):
    with begin(tmp_path) as writer:
        fill(writer, 3, finish=False)
        writer.amend(proven(1), CLEAN, explanation="first thought")
        writer.amend(proven(1), INTERCEPTED, explanation="settled")
        found = read_bundle(writer.medium.path)
        rows = list(found.rows())
        assert [row["outcome"] for row in rows] == ["clean", "interception", "clean"]
        assert rows[1]["explanation"] == "settled"
        assert found.document["summary"] | {"clean": 2, "interception": 1} == found.document["summary"]
        assert [verdict for _, verdict in found.verdicts()][1] == INTERCEPTED


def test_two_measurements_of_one_target_are_told_apart(tmp_path):
    early, late = measurement(0), measurement(0, started_at=STARTED + timedelta(seconds=9))
    with begin(tmp_path) as writer:
        writer.add(early, CLEAN)
        writer.add(late, CLEAN)
        writer.amend(late, INTERCEPTED)
        rows = list(read_bundle(writer.medium.path).rows())
    assert [row["outcome"] for row in rows] == ["clean", "interception"]


def test_both_logs_are_flushed_once_an_interval(tmp_path, monkeypatch):
    with begin(tmp_path) as writer:
        writer.add(measurement(0), CLEAN)
        flushed = []
        monkeypatch.setattr(journal_module, "SYNC_INTERVAL_S", 3600.0)
        monkeypatch.setattr(os, "fsync", flushed.append)
        writer.add(measurement(1), CLEAN)
        writer.amend(measurement(1), CLEAN)
        assert not flushed
        monkeypatch.setattr(journal_module, "SYNC_INTERVAL_S", 0.0)
        writer.add(measurement(2), CLEAN)
        assert len(flushed) == 2


def test_a_full_disk_leaves_a_readable_journal(tmp_path, monkeypatch):
    with begin(tmp_path) as writer:
        fill(writer, 2, finish=False)
        real = os.write

        def full(descriptor, data):
            real(descriptor, bytes(data)[:5])
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(OSError, match="space"):
                add(writer, proven(2))
        found = read_bundle(writer.medium.path)
        assert len(list(found.rows())) == len(list(found.measurements())) == 2


def test_a_disk_that_is_full_from_the_start_gets_nothing(tmp_path, monkeypatch):
    """Neither a journal that never began, one more with every try, nor words of a file that nobody knows."""

    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = tmp_path / "results"
    monkeypatch.setattr("kzmitm.evidence.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        JournalWriter.begin(folder, plan())
    assert caught.value.filename == str(folder)
    assert list(folder.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(UsageError, match="not a folder"):
        begin(tmp_path / "diary.txt")
    assert (tmp_path / "diary.txt").read_text() == "mine"


def test_what_else_is_in_the_folder_stays(tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with begin(tmp_path) as writer:
        assert writer.medium.path.name.startswith(PREFIX)
        assert len(writer.medium.path.name) == len(PREFIX) + 16
    assert (tmp_path / "diary.txt").read_text() == "mine"


def test_in_memory_nothing_touches_the_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opened = []
    real = os.open
    with monkeypatch.context() as patch:
        patch.setattr(
            os, "open", lambda path, *rest, **more: opened.append(path) or real(path, *rest, **more)
        )
        writer = JournalWriter.in_memory(plan())
        fill(writer)
        writer.capture(b"packets")
        writer.release()
        journal = read_journal(writer.medium)
    assert not opened
    assert isinstance(writer.medium, Memory)
    assert journal.complete
    assert list(tmp_path.iterdir()) == []


def test_memory_and_disk_give_the_same_bundle(tmp_path, monkeypatch):
    """Apart from the salts, which are random."""
    monkeypatch.setattr(os, "urandom", bytes)
    found = []
    for writer in (begin(tmp_path), JournalWriter.in_memory(plan())):
        fill(writer)
        writer.capture(b"packets")
        found.append(b"".join(assemble(read_journal(writer.medium), KEY).chunks()))
        writer.release()
    assert found[0] == found[1]


def test_who_signs_is_settled_at_the_beginning(tmp_path):
    for signing in (Signing(seed=SEED), Signing(campaign="almaty"), Signing()):
        assert read_journal(Folder(killed(tmp_path, signing=signing))).signing == signing


def test_a_capture_is_kept_with_its_salt(tmp_path):
    with begin(tmp_path) as writer:
        assert writer.capture_salt.hex() == read_journal(writer.medium).salt("capture")
        assert len(writer.capture_salt) == 16
        writer.capture(b"packets")
        with writer.medium.open("capture.pcapng") as file:
            assert file.read() == b"packets"


def test_its_beginning_is_small_and_tells_the_plan(tmp_path):
    journal = killed(tmp_path, target="mine.zip", header=header(timeout_s=2.5))
    told = json.loads((journal / BEGIN).read_bytes())
    assert told["schema"] == "kzmitm.journal/1"
    assert (told["target"], told["header"]["options"]) == ("mine.zip", {"timeout_s": "2.5"})
    assert told["header"]["level"] == "partner"
    assert Plan(header=header(), signing=Signing()).to_json({}) | {"target": None, "salts": {}} == Plan(
        header=header(), signing=Signing()
    ).to_json({})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (BEGIN, b"{}"),
        (BEGIN, b"[]"),
        (BEGIN, b"{"),
        (BEGIN, b'{"schema":"kzmitm.journal/2"}'),
        (END, b"{}"),
        (END, b'{"finished_at":"today","complete":true}'),
        (END, b'{"finished_at":1,"complete":true}'),
    ],
)
def test_a_damaged_one_is_refused(tmp_path, name, content):
    journal = killed(tmp_path)
    (journal / name).write_bytes(content)
    with pytest.raises((ValueError, KeyError, TypeError)):
        read_journal(Folder(journal))


def test_the_spool_is_no_json_and_rows_are(tmp_path):
    journal = killed(tmp_path, 1)
    (line,) = (journal / VERDICTS).read_bytes().splitlines()
    mark, key, outcome, row = line.split(b" ", 3)
    assert (mark, outcome, len(key)) == (b"+", b"clean", 16)
    assert json.loads(row)["target"] == "www0.example.test"
