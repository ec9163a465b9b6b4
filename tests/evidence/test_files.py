"""Files, logs, locks, media and the spool: what a journal is made of."""

import errno
import io
import os
import stat
import threading

import pytest
from journal_samples import killed, plan

from kzmitm.errors import BundleError
from kzmitm.evidence.files import LineLog, create_file, read_regular, remove_parts, replace_file
from kzmitm.evidence.journal import BEGIN, JournalWriter
from kzmitm.evidence.locking import abandoned, alone_in, is_locked, lock
from kzmitm.evidence.medium import Folder, Memory
from kzmitm.evidence.spool import SpoolReader, SpoolWriter

PART = ".part-0123456789abcdef"


class TestLog:
    def test_a_full_disk_leaves_whole_lines(self, tmp_path, monkeypatch):
        log = LineLog(tmp_path / "log")
        log.append(b"one\n")
        real = os.write

        def write_half(descriptor, data):
            if len(data) > 3:
                return real(descriptor, bytes(data)[:3])
            raise OSError(errno.ENOSPC, "full")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write_half)
            with pytest.raises(OSError, match="full"):
                log.append(b"second\n")
        log.append(b"three\n")
        log.close()
        log.close()
        assert (tmp_path / "log").read_bytes() == b"one\nthree\n"

    @pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 200_000])
    def test_a_torn_line_of_any_length_is_cut(self, tmp_path, size):
        path = tmp_path / "log"
        path.write_bytes(b"whole\n" + b"x" * size)
        LineLog(path).close()
        assert path.read_bytes() == b"whole\n"
        path.write_bytes(b"x" * size)
        LineLog(path).close()
        assert path.read_bytes() == b""

    def test_it_does_not_write_through_a_link(self, tmp_path):
        (tmp_path / "diary").write_text("mine")
        (tmp_path / "log").symlink_to(tmp_path / "diary")
        with pytest.raises(OSError, match="log"):
            LineLog(tmp_path / "log")
        assert (tmp_path / "diary").read_text() == "mine"


class TestReplacing:
    def test_a_failure_names_the_file_that_was_to_be(self, tmp_path):
        place = tmp_path / "nowhere" / "report.html"
        for write in (replace_file, create_file):
            with pytest.raises(FileNotFoundError) as caught:
                write(place, [b"x"])
            assert (caught.value.filename, caught.value.filename2) == (str(place), None)

    def test_one_that_fails_leaves_the_old_file_and_nothing_else(self, tmp_path):
        path = tmp_path / "f"
        replace_file(path, [b"old"])

        def chunks():
            yield b"new"
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            replace_file(path, chunks())
        assert path.read_bytes() == b"old"
        assert [p.name for p in tmp_path.iterdir()] == ["f"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_while_it_is_written_nobody_takes_it_for_rubbish(self, tmp_path):
        def chunks():
            yield b"first"
            (part,) = tmp_path.glob(".part-*")
            assert is_locked(part)
            assert remove_parts(tmp_path) == 0
            yield b"second"

        (tmp_path / PART).write_bytes(b"of a killed one")
        assert remove_parts(tmp_path) == 1
        replace_file(tmp_path / "f", chunks())
        assert (tmp_path / "f").read_bytes() == b"firstsecond"
        assert remove_parts(tmp_path) == 0

    def test_one_that_was_taken_for_rubbish_before_its_lock_is_begun_again(self, tmp_path, monkeypatch):
        """Another process looked in the moment between."""
        taken = []

        def late(descriptor):
            if not taken:
                taken.extend(tmp_path.glob(".part-*"))
                taken[0].unlink()
            return lock(descriptor)

        monkeypatch.setattr("kzmitm.evidence.files.lock", late)
        replace_file(tmp_path / "f", [b"x"])
        assert (tmp_path / "f").read_bytes() == b"x"
        assert [p.name for p in tmp_path.iterdir()] == ["f"]

    def test_a_file_system_without_locks_is_written_to_and_never_cleaned(self, tmp_path, monkeypatch):
        def none(descriptor, how):
            raise OSError(errno.ENOLCK, "no locks here")

        monkeypatch.setattr("fcntl.flock", none)
        replace_file(tmp_path / "f", [b"x"])
        assert [p.name for p in tmp_path.iterdir()] == ["f"]
        (tmp_path / PART).write_bytes(b"perhaps being written")
        assert remove_parts(tmp_path) == 0
        with alone_in(tmp_path):
            assert is_locked(tmp_path / PART)

    def test_only_our_own_files_are_rubbish(self, tmp_path):
        (tmp_path / ".part-0000000000000001").mkdir()
        (tmp_path / "diary").write_text("mine")
        (tmp_path / ".part-0000000000000002").symlink_to(tmp_path / "diary")
        (tmp_path / ".part-0000000000000003").symlink_to(tmp_path / "none")
        (tmp_path / ".part-of-another-program").write_text("theirs")
        assert remove_parts(tmp_path) == 0
        assert len(list(tmp_path.iterdir())) == 5

    def test_a_file_that_is_too_long(self, tmp_path):
        (tmp_path / "f").write_bytes(b"x" * 11)
        with pytest.raises(BundleError, match="longer than 10"):
            read_regular(tmp_path / "f", max_bytes=10)
        assert read_regular(tmp_path / "f", max_bytes=11) == b"x" * 11


class TestLocks:
    def test_a_lock_is_held_until_its_file_is_closed(self, tmp_path):
        path = tmp_path / "f"
        assert not is_locked(path)
        path.touch()
        assert not is_locked(path)
        with path.open("rb+") as holder:
            assert lock(holder.fileno())
            assert is_locked(path)
            with abandoned(path) as free, path.open("rb+") as other:
                assert not free
                assert not lock(other.fileno())
        assert not is_locked(path)

    def test_who_finds_a_file_abandoned_has_it_alone(self, tmp_path):
        path = tmp_path / "f"
        with abandoned(path) as free:
            assert not free
        path.touch()
        with abandoned(path) as first, abandoned(path) as second:
            assert (first, second) == (True, False)

    def test_what_cannot_be_told_counts_as_locked(self, tmp_path):
        (tmp_path / "folder").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "none")
        assert is_locked(tmp_path / "folder")
        assert is_locked(tmp_path / "link")

    def test_one_at_a_time_looks_into_a_folder(self, tmp_path):
        seen = []

        def other():
            with alone_in(tmp_path):
                seen.append("other")

        thread = threading.Thread(target=other)
        with alone_in(tmp_path):
            thread.start()
            seen.append("first")
        thread.join(10)
        assert seen == ["first", "other"]


class TestMedia:
    """The same of both, so that what is sealed is what would have been saved."""

    @pytest.fixture(params=["folder", "memory"])
    def medium(self, request, tmp_path):
        return Folder(tmp_path) if request.param == "folder" else Memory()

    def test_files(self, medium):
        assert not medium.has("a")
        with pytest.raises(FileNotFoundError):
            medium.open("a")
        medium.put("a", [b"one", b"two"])
        medium.put("certs/b", iter([b"three"]), durable=False)
        medium.put("a", [b"new"])
        for name, octets in (("a", b"new"), ("certs/b", b"three")):
            assert medium.has(name)
            with medium.open(name) as file:
                assert file.read() == octets
                assert file.seek(1) == 1
                assert file.read(2) == octets[1:3]

    def test_logs(self, medium):
        log = medium.log("log")
        assert medium.has("log")
        log.append(b"one\n")
        log.sync()
        log.append(b"two\n")
        with medium.open("log") as file:
            assert file.readlines() == [b"one\n", b"two\n"]
        log.close()
        again = medium.log("log")
        again.append(b"three\n")
        again.close()
        with medium.open("log") as file:
            assert file.read() == b"one\ntwo\nthree\n"

    def test_nothing_is_left(self, medium):
        medium.put("a", [b"x"])
        medium.put("certs/b", [b"x"])
        medium.log("log").close()
        medium.remove("a")
        assert not any(map(medium.has, ("a", "certs/b", "log")))
        medium.remove()

    def test_what_is_half_written_is_deleted_within_the_folder_only(self, tmp_path):
        place, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
        for folder in (place, place / "certs", elsewhere):
            folder.mkdir()
            (folder / PART).write_bytes(b"half")
        (place / "link").symlink_to(elsewhere)
        Folder(place).remove_parts()
        assert sorted(p.name for p in tmp_path.rglob(".part-*")) == [PART]
        assert (elsewhere / PART).exists()

    def test_a_file_of_the_journal_that_is_a_link_or_a_pipe_is_not_read(self, tmp_path):
        (tmp_path / "secret").write_text("mine")
        (tmp_path / "link").symlink_to(tmp_path / "secret")
        with pytest.raises(BundleError, match="cannot be read"):
            Folder(tmp_path).open("link")
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(BundleError, match="not a plain file"):
            Folder(tmp_path).open("pipe")


class TestSpool:
    def test_amendments_stand_in_the_place_of_what_they_amend(self):
        medium = Memory()
        spool = SpoolWriter(medium.log("s"))
        for key in "abc":
            spool.add(key, "clean", b'{"first":"%s"}' % key.encode())
        spool.amend("b", "interception", b"{}")
        spool.amend("b", "blocked", b'{"last":1}')
        spool.amend("none", "blocked", b"{}")
        spool.sync()
        spool.close()
        with SpoolReader(medium.open("s")) as found:
            assert list(found.rows()) == [b'{"first":"a"}', b'{"last":1}', b'{"first":"c"}']
            assert found.outcomes() == {"clean": 2, "blocked": 1}
        for count, rows in ((0, 0), (2, 2), (9, 3)):
            with SpoolReader(medium.open("s"), at_most=count) as found:
                assert len(list(found.rows())) == found.outcomes().total() == rows

    def test_a_torn_last_line_is_passed_over(self):
        with SpoolReader(io.BytesIO(b"+ a clean {}\n= a blocked {")) as found:
            assert found.outcomes() == {"clean": 1}

    @pytest.mark.parametrize("line", [b"x\n", b"+ a b\n", b"* a b {}\n", b"\n"])
    def test_something_else(self, line):
        file = io.BytesIO(line)
        with pytest.raises(BundleError, match="no row"):
            SpoolReader(file)
        assert file.closed

    def test_a_row_without_end(self, monkeypatch):
        monkeypatch.setattr("kzmitm.evidence.spool.MAX_LINE", 10)
        with pytest.raises(BundleError, match="more than 10"):
            SpoolReader(io.BytesIO(b"x" * 100))

    def test_one_that_shrinks(self, tmp_path):
        path = tmp_path / "s"
        path.write_bytes(b"+ a b {}\n= a b {}\n")
        with SpoolReader(path.open("rb")) as spool:
            path.write_bytes(b"+ a b {}\n")
            with pytest.raises(BundleError, match="shrank"):
                list(spool.rows())


def test_a_journal_is_locked_while_its_writer_lives(tmp_path):
    writer = JournalWriter.begin(tmp_path, plan())
    assert is_locked(writer.medium.path / BEGIN)
    writer.close()
    assert is_locked(writer.medium.path / BEGIN)
    writer.release()
    writer.release()
    assert not is_locked(writer.medium.path / BEGIN)
    assert not is_locked(killed(tmp_path) / BEGIN)


def test_a_file_is_made_once(tmp_path):
    assert create_file(tmp_path / "a", [b"first"])
    assert not create_file(tmp_path / "a", [b"second"])
    assert (tmp_path / "a").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
