import errno
import hashlib
import json
import os
import stat
import tracemalloc
from datetime import timedelta

import pytest
from evidence_samples import (
    CLEAN,
    FINISHED,
    INTERCEPTED,
    STARTED,
    certificate,
    handshake,
    header,
    measurement,
    octets,
)
from jsonschema import Draft202012Validator

from kzmitm.errors import BundleError, UsageError
from kzmitm.evidence import bundle as bundle_module
from kzmitm.evidence import layout
from kzmitm.evidence.bundle import BundleWriter, read_bundle
from kzmitm.evidence.files import LineLog, read_regular, replace_file
from kzmitm.evidence.scan_document import schema_text
from kzmitm.evidence.spool import SpoolReader
from kzmitm.model.observation import Role

SCHEMA = Draft202012Validator(json.loads(schema_text("scan")))


def write(directory, *, count=3, finish=True, complete=True):
    with BundleWriter(directory, header=header(timeout_s=1.5)) as writer:
        for i in range(count):
            writer.add(
                measurement(i),
                CLEAN,
                failures=[None],
                certificates=[certificate(octets(i)), certificate(octets("ca"))],
                explanation="Nothing found.",
            )
        if finish:
            writer.finish(finished_at=FINISHED, complete=complete)
    return read_bundle(directory)


def test_a_finished_bundle_tells_all_of_the_scan(tmp_path):
    found = write(tmp_path / "b")
    assert (found.complete, found.running) == (True, False)
    assert list(found.measurements()) == [measurement(i) for i in range(3)]
    assert [(row["target"], verdict) for row, verdict in found.verdicts()] == [
        (f"www{i}.example.test", CLEAN) for i in range(3)
    ]
    assert found.document["summary"]["clean"] == 3
    assert sorted(os.listdir(found.path)) == ["certs", "measurements.jsonl", "scan.json"]  # noqa: PTH208
    SCHEMA.validate(found.document)


def test_each_distinct_certificate_is_there_once(tmp_path):
    found = write(tmp_path / "b")
    names = {f"{hashlib.sha256(octets(seed)).hexdigest()}.der" for seed in (0, 1, 2, "ca")}
    assert {path.name for path in (found.path / "certs").iterdir()} == names
    sha256 = hashlib.sha256(octets("ca")).hexdigest()
    assert found.certificate(sha256) == octets("ca")
    assert found.certificate("0" * 64) is None
    assert found.certificate("../scan") is None
    (found.path / "certs" / f"{sha256}.der").write_bytes(b"x")
    assert found.certificate(sha256) is None


def test_a_damaged_certificate_is_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle_module, "MAX_KNOWN_CERTIFICATES", 1)
    path = tmp_path / "b" / layout.certificate_name(hashlib.sha256(octets("ca")).hexdigest())
    with BundleWriter(tmp_path / "b", header=header()) as writer:
        path.write_bytes(b"torn")
        writer.add(measurement(0), CLEAN)
        assert path.read_bytes() == octets("ca")
        inode = path.stat().st_ino
        writer.add(measurement(1), CLEAN)
        assert path.stat().st_ino == inode


def test_only_the_user_may_read_it(tmp_path):
    found = write(tmp_path / "new" / "b")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in found.path.rglob("*") if path.is_file()}
    assert modes == {0o600}
    for directory in (found.path.parent, found.path, found.path / "certs"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_nothing_in_it_names_where_it_is(tmp_path):
    found = write(tmp_path / "b")
    assert found.document["bundle"] is None
    assert all(str(tmp_path).encode() not in path.read_bytes() for path in found.path.rglob("*.json*"))


def test_an_amendment_replaces_the_row_in_its_place(tmp_path):
    with BundleWriter(tmp_path / "b", header=header()) as writer:
        for i in range(3):
            writer.add(measurement(i), CLEAN)
        writer.amend(measurement(1), CLEAN, explanation="first thought")
        writer.amend(measurement(1), INTERCEPTED, explanation="settled")
        writer.finish(finished_at=FINISHED)
    found = read_bundle(tmp_path / "b")
    rows = list(found.rows())
    assert [row["outcome"] for row in rows] == ["clean", "interception", "clean"]
    assert rows[1]["explanation"] == "settled"
    assert found.document["summary"] | {"clean": 2, "interception": 1} == found.document["summary"]
    assert [v for _, v in found.verdicts()][1] == INTERCEPTED
    SCHEMA.validate(found.document)


def test_a_scan_that_was_stopped_keeps_what_it_has(tmp_path):
    found = write(tmp_path / "b", complete=False)
    assert (found.complete, found.running) == (False, False)
    assert len(list(found.rows())) == 3
    SCHEMA.validate(found.document)


def test_while_it_runs_everything_added_can_be_read(tmp_path):
    found = write(tmp_path / "b", finish=False)
    assert (found.complete, found.running) == (False, True)
    assert [row["target"] for row in found.rows()] == [f"www{i}.example.test" for i in range(3)]
    assert len(list(found.measurements())) == 3
    SCHEMA.validate(found.document)


def test_a_killed_scan_goes_on_where_it_was(tmp_path):
    found = write(tmp_path / "b", finish=False)
    for name in (layout.MEASUREMENTS.name, layout.VERDICTS.name):
        with (found.path / name).open("ab") as file:
            file.write(b'{"torn')
    for directory in (found.path, found.path / "certs"):
        (directory / ".part-0123456789abcdef").write_bytes(b"half")
    with BundleWriter.reopen(found.path) as writer:
        assert not list(found.path.rglob(".part-*"))
        writer.add(measurement(3), INTERCEPTED)
        writer.finish(finished_at=FINISHED)
    again = read_bundle(found.path)
    assert again.complete
    assert [m.target.hostname for m in again.measurements()] == [f"www{i}.example.test" for i in range(4)]
    assert len(list(again.rows())) == 4
    assert again.document["options"] == {"timeout_s": "1.5"}
    with pytest.raises(BundleError, match="ended"):
        BundleWriter.reopen(found.path)


def test_a_directory_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        BundleWriter(tmp_path, header=header())
    with pytest.raises(UsageError, match="not a directory"):
        BundleWriter(tmp_path / "diary.txt", header=header())
    write(tmp_path / "b")
    with pytest.raises(UsageError, match="not empty"):
        BundleWriter(tmp_path / "b", header=header())
    (tmp_path / "empty").mkdir()
    assert write(tmp_path / "empty").complete


def test_names_say_nothing():
    name = layout.bundle_name(lambda size: bytes(range(size)))
    assert name == "bundle-0001020304050607"
    assert layout.is_bundle_name(name)
    assert not layout.is_bundle_name("bundle-0001020304050607.zip")


def test_chains_of_follow_ups_are_kept_too(tmp_path):
    m = measurement(tls=[handshake("a", [b"x"]), handshake(None, [b"y"], role=Role.NO_SNI)])
    with BundleWriter(tmp_path / "b", header=header()) as writer:
        writer.add(m, CLEAN, failures=[None, "ssl_invalid_hostname"])
    kept = {path.read_bytes() for path in (tmp_path / "b" / "certs").iterdir()}
    assert kept == {b"x", b"y"}


def test_it_is_flushed_once_an_interval(tmp_path, monkeypatch):
    flushed = []
    with BundleWriter(tmp_path / "b", header=header()) as writer:
        monkeypatch.setattr(os, "fsync", flushed.append)
        writer.add(measurement(0), CLEAN)
        assert not flushed
        monkeypatch.setattr(bundle_module, "SYNC_INTERVAL_S", 0.0)
        writer.add(measurement(1), CLEAN)
        assert len(flushed) == 2


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
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


def test_a_replacement_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "f"
    replace_file(path, [b"old"])

    def chunks():
        yield b"new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_file(path, chunks())
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 200_000])
def test_a_torn_line_of_any_length_is_cut(tmp_path, size):
    path = tmp_path / "log"
    path.write_bytes(b"whole\n" + b"x" * size)
    LineLog(path).close()
    assert path.read_bytes() == b"whole\n"
    path.write_bytes(b"x" * size)
    LineLog(path).close()
    assert path.read_bytes() == b""


class TestHostileBundles:
    @pytest.fixture
    def path(self, tmp_path):
        return write(tmp_path / "b").path

    def test_nothing_there(self, tmp_path):
        (tmp_path / "file").write_text("x")
        for path in (tmp_path, tmp_path / "none", tmp_path / "file"):
            with pytest.raises(BundleError, match="not a bundle"):
                read_bundle(path)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "scan.json: Expecting value"),
            (b"[]", "not an object"),
            (b'{"schema":"kzmitm.scan/2.0"}', "unknown schema"),
            (b'{"schema":1}', "unknown schema"),
            (b'{"schema":"kzmitm.scan/1.0"}', "complete: missing"),
            (b'{"a":1,"a":2}', "twice"),
            (b"[" * 100_000, "nested"),
            (b"NaN", "not JSON"),
        ],
    )
    def test_a_strange_document(self, path, content, message):
        (path / "scan.json").write_bytes(content)
        with pytest.raises(BundleError, match=message):
            read_bundle(path)

    def test_rows_that_are_no_objects(self, path):
        document = json.loads((path / "scan.json").read_text())
        (path / "scan.json").write_text(json.dumps(document | {"targets": [1]}))
        with pytest.raises(BundleError, match=r"targets\[0\]"):
            read_bundle(path)

    def test_a_row_without_verdict(self, path):
        document = json.loads((path / "scan.json").read_text())
        (path / "scan.json").write_text(json.dumps(document | {"targets": [{"outcome": "fine"}]}))
        with pytest.raises(BundleError, match=r"targets\[\]"):
            list(read_bundle(path).verdicts())

    def test_a_document_without_versions(self, path):
        document = json.loads((path / "scan.json").read_text())
        (path / "scan.json").write_text(json.dumps(document | {"registry": {"version": 1}}))
        with pytest.raises(BundleError, match=r"registry\.version"):
            list(read_bundle(path).verdicts())

    @pytest.mark.parametrize("name", ["scan.json", "measurements.jsonl"])
    def test_links_and_pipes_are_not_followed(self, path, tmp_path, name):
        real = tmp_path / "real"
        (path / name).rename(real)
        (path / name).symlink_to(real)
        with pytest.raises(BundleError, match="cannot be read"):
            list(read_bundle(path).measurements())
        (path / name).unlink()
        os.mkfifo(path / name)
        with pytest.raises(BundleError, match="not a plain file"):
            list(read_bundle(path).measurements())

    def test_a_bad_line_is_named(self, path):
        with (path / "measurements.jsonl").open("ab") as file:
            file.write(b'{"test_keys":3}\n')
        with pytest.raises(BundleError, match=r"measurements\.jsonl:4: \$\.test_keys"):
            list(read_bundle(path).measurements())

    def test_a_torn_last_line_is_passed_over(self, path):
        with (path / "measurements.jsonl").open("ab") as file:
            file.write(b'{"test_keys":3}')
        assert len(list(read_bundle(path).measurements())) == 3

    def test_no_measurements_at_all(self, path):
        (path / "measurements.jsonl").unlink()
        assert list(read_bundle(path).measurements()) == []

    def test_a_line_without_end(self, path, monkeypatch):
        monkeypatch.setattr("kzmitm.evidence.bundle_reader.MAX_LINE", 1000)
        with pytest.raises(BundleError, match=r"measurements\.jsonl:1: longer"):
            list(read_bundle(path).measurements())

    def test_a_file_that_is_too_long(self, path):
        with pytest.raises(BundleError, match="longer than 10"):
            read_regular(path / "scan.json", max_bytes=10)

    @pytest.mark.parametrize("line", [b"x\n", b"+ a b\n", b"* a b {}\n", b"\n"])
    def test_a_spool_of_something_else(self, tmp_path, line):
        (tmp_path / "s").write_bytes(line)
        with pytest.raises(BundleError, match="no row"):
            SpoolReader(tmp_path / "s")

    def test_a_spool_row_without_end(self, tmp_path, monkeypatch):
        monkeypatch.setattr("kzmitm.evidence.spool.MAX_LINE", 10)
        (tmp_path / "s").write_bytes(b"x" * 100)
        with pytest.raises(BundleError, match="more than 10"):
            SpoolReader(tmp_path / "s")

    def test_a_spool_that_shrinks(self, tmp_path):
        (tmp_path / "s").write_bytes(b"+ a b {}\n= a b {}\n")
        with SpoolReader(tmp_path / "s") as spool:
            (tmp_path / "s").write_bytes(b"+ a b {}\n")
            with pytest.raises(BundleError, match="shrank"):
                list(spool.rows())

    def test_a_running_bundle_without_spool_or_with_rubbish_in_it(self, tmp_path):
        path = write(tmp_path / "running", finish=False).path
        with (path / layout.VERDICTS.name).open("ab") as file:
            file.write(b"+ key clean []\n")
        with pytest.raises(BundleError, match="row 4: not an object"):
            list(read_bundle(path).rows())
        (path / layout.VERDICTS.name).unlink()
        assert list(read_bundle(path).rows()) == []


def test_two_measurements_of_one_target_are_told_apart(tmp_path):
    early, late = measurement(0), measurement(0, started_at=STARTED + timedelta(seconds=9))
    with BundleWriter(tmp_path / "b", header=header()) as writer:
        writer.add(early, CLEAN)
        writer.add(late, CLEAN)
        writer.amend(late, INTERCEPTED)
        writer.finish(finished_at=FINISHED)
    assert [row["outcome"] for row in read_bundle(tmp_path / "b").rows()] == ["clean", "interception"]


def test_a_file_that_only_claims_its_size_costs_no_memory(tmp_path):
    path = tmp_path / "scan.json"
    path.touch()
    os.truncate(path, 1 << 33)
    tracemalloc.start()
    with pytest.raises(BundleError, match=r"scan.json: longer than"):
        read_bundle(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
