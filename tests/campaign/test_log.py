"""The log: what was told to be on the disk is there after any end; a torn end is cut, damage is told."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.campaign.log import Log, LogDamagedError, read_log

RECORDS = [{"n": n, "text": "ё\n" * n} for n in range(5)]


def write(path, records=RECORDS):
    with Log(path) as log:
        for record in records:
            log.append(record)


def test_what_was_written_is_read(tmp_path):
    write(tmp_path / "log")
    assert list(read_log(tmp_path / "log")) == RECORDS
    write(tmp_path / "log", [{"n": 9}])
    assert list(read_log(tmp_path / "log")) == [*RECORDS, {"n": 9}]


@given(st.data())
def test_any_torn_end_is_passed_over_and_cut_off(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("log") / "log"
    write(path)
    octets = path.read_bytes()
    keep = data.draw(st.integers(0, len(octets)))
    junk = data.draw(st.binary(max_size=20)).replace(b"\n", b"")
    path.write_bytes(octets[:keep] + junk)
    whole = list(read_log(path))
    assert whole == RECORDS[: len(whole)]
    write(path, [{"new": True}])
    assert list(read_log(path)) == [*whole, {"new": True}]


def test_damage_in_the_middle_is_an_error(tmp_path):
    path = tmp_path / "log"
    write(path)
    lines = path.read_bytes().split(b"\n")
    lines[2] = lines[2][:-1] + b"x"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(LogDamagedError, match=":3: damaged"):
        list(read_log(path))
    with pytest.raises(LogDamagedError):
        Log(path)


@pytest.mark.parametrize("line", [b"", b"zzzzzzzz {}", b"00000000 {}", b"short", b"99914b93 []"], ids=repr)
def test_a_line_that_is_none_is_no_record(tmp_path, line):
    path = tmp_path / "log"
    path.write_bytes(line + b"\n")
    assert list(read_log(path)) == []


def test_a_record_longer_than_any_is_refused(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"x" * (3 << 20))
    with pytest.raises(LogDamagedError, match="longer"):
        list(read_log(path))


def test_a_full_disk_leaves_nothing_of_a_record(tmp_path, monkeypatch):
    path = tmp_path / "log"
    write(path)

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with Log(path) as log:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space"):
                log.append({"lost": True})
        log.append({"kept": True})
    assert list(read_log(path)) == [*RECORDS, {"kept": True}]
