"""ooni upload as its users call it, with a collector on loopback: consent, checks, once each, answers."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ooni_bundles import row, scan

sys.path.insert(0, str(Path(__file__).parents[1] / "netio"))
from cli_bundles import HEADER, NOON, write
from ooni_services import Collector, FakeTime, first_times, serving

from kzmitm.cli.ooni import services
from kzmitm.model.target import Vantage
from kzmitm.netio.patience import Timing

FLAG = "--i-understand-it-is-public"


@pytest.fixture(autouse=True)
def passing(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    fake = FakeTime()
    monkeypatch.setattr(services, "TIMING", Timing(fake.clock, fake.sleep, lambda: 1.0))
    return fake


@pytest.fixture
def collector():
    with serving(Collector()) as service:
        yield service


@pytest.fixture
def bundle(tmp_path):
    return scan(tmp_path / "b.zip")


@pytest.fixture
def emitted(kzmitm, bundle, tmp_path):
    kzmitm("ooni", "emit", bundle, "--out", tmp_path / "scan.jsonl")
    return tmp_path / "scan.jsonl"


@pytest.fixture
def upload(kzmitm, collector):
    def run(path, *words: object, understood=True):
        flag = (FLAG,) if understood else ()
        return kzmitm("ooni", "upload", path, "--endpoint", collector.url, *flag, *words)

    return run


def inputs(collector):
    return [json.loads(told["content"])["input"][len("tlshandshake://") :] for told in collector.taken]


def journal(path):
    return [json.loads(line) for line in Path(f"{path}.uploads").read_bytes().splitlines()]


def test_without_the_word_nothing_happens(upload, emitted, collector):
    ended = upload(emitted, understood=False)
    assert (ended.code, ended.out) == (4, "")
    for word in ("cannot be undone", "for ever", "network", "unlawful", "--dry-run", FLAG):
        assert word in ended.err
    assert not collector.requests
    assert not Path(f"{emitted}.uploads").exists()


def test_a_dry_run_shows_what_would_be_published(upload, emitted, collector):
    ended = upload(emitted, "--dry-run", understood=False)
    assert ended.code == 0
    assert "2026-01-02 12:00:00  a.test:443\n" in ended.out
    assert "3 measurements (" in ended.out
    assert "from 2026-01-02 12:00:00 to 2026-01-02 12:00:02 (UTC)" in ended.out
    assert "3 from the network AS9198, KZ" in ended.out
    assert "nothing was sent" in ended.err
    assert not collector.requests
    assert not Path(f"{emitted}.uploads").exists()


def test_every_line_is_sent_once_and_its_id_is_printed(upload, emitted, collector):
    ended = upload(emitted)
    assert ended.code == 0, ended.err
    assert ended.out == "".join(
        f"{name}.test:443  20260102030405.{number:06}_KZ_urlgetter_{number:016x}\n"
        for number, name in enumerate("abc", 1)
    )
    assert "3 of 3 measurements are accepted" in ended.err
    assert [told["content"] for told in collector.taken] == emitted.read_text().splitlines()
    assert [(entry["state"], bool(entry["measurement_uid"])) for entry in journal(emitted)] == [
        ("sending", False), ("accepted", True),
    ] * 3  # fmt: skip
    again = upload(emitted)
    assert (again.code, again.out) == (0, "")
    assert "3 of 3 measurements are accepted, 3 of them before" in again.err
    assert len(collector.requests) == 3


def test_a_bundle_is_sent_as_it_would_be_emitted(upload, bundle, emitted, collector):
    assert upload(bundle).code == 0
    assert [told["content"] for told in collector.taken] == emitted.read_text().splitlines()
    assert Path(f"{bundle}.uploads").is_file()


def test_another_collector_is_another_matter(upload, emitted, collector):
    upload(emitted)
    with serving(Collector()) as other:
        assert upload(emitted, "--endpoint", other.url).code == 0
        assert len(other.taken) == 3


def test_a_line_that_stands_twice_is_sent_once(upload, emitted, collector):
    emitted.write_text(emitted.read_text() * 2)
    assert upload(emitted).code == 0
    assert len(collector.taken) == 3


def test_a_refused_line_does_not_keep_the_others(upload, emitted, collector):
    collector.fault = lambda handler, _told, document: (
        "b.test" in document["input"] and not handler.reply(b'{"detail":"\x1b[2J bad_metadata"}', status=400)
    )
    ended = upload(emitted)
    assert ended.code == 3
    assert inputs(collector) == ["a.test:443", "c.test:443"]
    assert "2 (b.test:443): not accepted: HTTP status 400" in ended.out
    assert "\x1b" not in ended.out + ended.err
    assert [entry["state"] for entry in journal(emitted)][3] == "refused"
    collector.fault = lambda *_: False
    assert upload(emitted).code == 0
    assert inputs(collector) == ["a.test:443", "c.test:443", "b.test:443"]


def test_failures_that_pass_are_waited_for(upload, emitted, collector, passing):
    faults = iter(
        [
            lambda handler: handler.reply(b"", status=503, retry_after="9"),
            lambda handler: handler.cut(),
            lambda handler: handler.reply(b"", status=429),
        ]
    )

    def fault(handler, *_words: object):
        what = next(faults, None)
        if what is None:
            return False
        what(handler)
        return True

    collector.fault = fault
    assert upload(emitted).code == 0
    assert len(collector.taken) == 3
    assert max(passing.slept) >= 9


def test_a_collector_that_is_out_of_reach_is_left_alone(upload, tmp_path, collector):
    path = scan(tmp_path / "many.zip", [f"{n}.test" for n in range(9)])
    collector.fault = lambda handler, *_: handler.cut() or True
    ended = upload(path)
    assert ended.code == 3
    assert ended.out.count("not accepted: ") == 3
    assert len(collector.requests) == 3 * services.API_ATTEMPTS
    assert "0 of 9 measurements are accepted" in ended.err
    assert "the same command goes on with the rest" in ended.err
    collector.fault = lambda *_: False
    assert upload(path).code == 0
    assert len(collector.taken) == 9


def test_an_error_beside_a_success_is_said(upload, emitted, collector):
    def both(handler, told, _document):
        handler.reply(json.dumps(collector.take(told) | {"error": "bad \x1b proof"}).encode())
        return True

    collector.fault = both
    ended = upload(emitted)
    assert ended.code == 0
    assert r"1 (a.test:443): accepted, but the collector says: bad \x1b proof" in ended.out


def test_a_success_without_an_id_is_none_for_sure(upload, emitted, collector):
    collector.fault = lambda handler, *_: handler.reply(b"{}") or True
    ended = upload(emitted)
    assert ended.code == 3
    assert "1 (a.test:443): accepted without an id: the collector may have thrown it away" in ended.out


@pytest.mark.parametrize(("asn", "cc"), [("AS0", "KZ"), ("AS9198", "ZZ"), ("AS0", "ZZ")])
def test_an_unknown_network_is_refused_with_what_to_do(upload, tmp_path, collector, asn, cc):
    rows = [row("a.test"), row("b.test", vantage=Vantage(asn=asn, cc=cc))]
    path = write(tmp_path / "x.zip", rows, header=HEADER, finished_at=NOON)
    ended = upload(path)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"{path}:2: the network or country is unknown ({asn}, {cc})" in ended.err
    assert "--probe-asn AS9198 --probe-cc KZ" in ended.err
    assert not collector.requests


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"software_name": "ooniprobe-cli"}, "not a measurement of kzmitm"),
        ({"probe_cc": "kz"}, "probe_cc is not of the form"),
        ({"probe_asn": "AS09"}, "probe_asn is not of the form"),
        ({"test_name": "x"}, "test_name is not of the form"),
        ({"probe_ip": "198.51.100.1"}, "probe_ip is not"),
    ],
)
def test_one_bad_line_and_nothing_is_sent(upload, emitted, collector, change, why):
    lines = emitted.read_text().splitlines()
    emitted.write_text("\n".join([*lines[:2], json.dumps(json.loads(lines[2]) | change)]) + "\n")
    ended = upload(emitted)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"{emitted}:3: {why}" in ended.err
    assert not collector.requests
    assert not Path(f"{emitted}.uploads").exists()


@pytest.mark.parametrize("content", [b"", b"x\n", b"{}\n", b"\xff\xfe", b"PK\3\4", b"[" * 10**6])
def test_what_is_no_file_of_measurements(upload, tmp_path, collector, content):
    (tmp_path / "x").write_bytes(content)
    ended = upload(tmp_path / "x")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert upload(tmp_path / "absent").code == 2
    assert not collector.requests


@pytest.mark.parametrize("endpoint", ["http://collector.example/", "ftp://127.0.0.1", ""])
def test_a_collector_that_cannot_be_trusted(upload, emitted, endpoint):
    ended = upload(emitted, "--endpoint", endpoint)
    assert (ended.code, ended.err.count("\n")) == (2, 1)


def test_a_file_that_is_changed_meanwhile(upload, emitted, collector):
    lines = emitted.read_text().splitlines(keepends=True)

    def change(*_words: object):
        emitted.write_text("".join([lines[0], lines[2].replace("c.test", "d.test"), lines[1]]))
        return False

    collector.fault = change
    ended = upload(emitted)
    assert ended.code == 2 or len(collector.taken) == 3  # small files are read at once
    assert "d.test:443" not in inputs(collector)


def started(path, url):
    words = [sys.executable, "-m", "kzmitm", "ooni", "upload", str(path), FLAG, "--endpoint", url]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_upload_that_is_cut_off_goes_on_and_sends_nothing_twice(upload, emitted, collector, number):
    def hang(handler, told, document):
        if "b.test" not in document["input"]:
            return False
        collector.take(told)  # it has it, and nobody hears of that
        collector.hung = True
        collector.over.wait(30)
        return True

    collector.fault, collector.hung = hang, False
    child = started(emitted, collector.url)
    deadline = time.monotonic() + 20
    while not collector.hung:
        assert time.monotonic() < deadline
        collector.over.wait(0.01)
    stopped_at = time.monotonic()
    child.send_signal(number)
    _out, err = child.communicate(timeout=10)
    assert time.monotonic() - stopped_at < 3
    assert b"Traceback" not in err
    if number == signal.SIGINT:
        assert child.returncode == 3
    collector.fault = lambda *_: False
    ended = upload(emitted)
    assert inputs(collector) == ["a.test:443", "b.test:443", "c.test:443"]
    assert ended.code == 3
    assert "2 (b.test:443): it was being sent when an earlier upload was cut off" in ended.out
    assert "2 of 3 measurements are accepted, 1 of them before" in ended.err
    assert upload(emitted, "--resend-doubtful").code == 0
    assert inputs(collector)[3:] == ["b.test:443"]
    assert upload(emitted).code == 0
    assert len(collector.taken) == 4


def test_two_uploads_of_a_file_do_not_run_at_once(upload, emitted, collector):
    def again(*_words: object):
        collector.fault = lambda *_: False
        child = started(emitted, collector.url)
        collector.told = child.communicate(timeout=20)[1]
        collector.code = child.returncode
        return False

    collector.fault = again
    assert upload(emitted).code == 0
    assert collector.code == 2
    assert b"another upload of this file is running" in collector.told
    assert len(collector.taken) == 3


def test_a_torn_line_of_the_journal_is_no_word(upload, emitted, collector):
    upload(emitted)
    path = Path(f"{emitted}.uploads")
    octets = path.read_bytes()
    path.write_bytes(b"\xff\n[]\nnull\n" + octets[: octets.rindex(b'"accepted"')])
    ended = upload(emitted)
    assert ended.code == 3
    assert "3 (c.test:443): it was being sent" in ended.out
    assert len(collector.taken) == 3


def test_a_long_line_is_left_out_and_said(upload, tmp_path, collector):
    rows = [row("a.test"), row("long.test", chain=(bytes(700_000),))]
    path = write(tmp_path / "x.zip", rows, header=HEADER, finished_at=NOON)
    assert "long.test:443  (too long, left out)" in upload(path, "--dry-run").out
    ended = upload(path)
    assert ended.code == 3
    assert "left out: measurement 2 (long.test:443)" in ended.err
    assert inputs(collector) == ["a.test:443"]


def test_faults_come_and_go(upload, emitted, collector):
    collector.fault = first_times(2, lambda handler, *_: handler.reply(b"", status=500))
    assert upload(emitted).code == 0
