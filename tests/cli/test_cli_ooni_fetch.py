"""ooni fetch as its users call it, with an archive and an API on loopback: what comes, stays and is said."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

sys.path.insert(0, str(Path(__file__).parents[1] / "netio"))
sys.path.insert(0, str(Path(__file__).parents[1] / "ooni"))
from ooni_services import API, Bucket, FakeTime, first_times, serving
from test_archive_listing import BILLION_LAUGHS

from kzmitm.cli import clock
from kzmitm.cli.ooni import fetching, services
from kzmitm.evidence.schema import schema_text
from kzmitm.netio import ooni_api
from kzmitm.netio.patience import Timing

SCHEMA = Draft202012Validator(json.loads(schema_text("fetch")))
PLACE = "raw/20240301/15/KZ/webconnectivity/"
NAME = PLACE + "2024030115_KZ_webconnectivity.n0.{}.jsonl.gz"
FILES = {NAME.format(n): bytes([n]) * 1000 * (n + 1) for n in range(5)} | {
    PLACE + "2024030115_KZ_webconnectivity.n0.0.tar.gz": b"tar" * 100,
    "raw/20240301/16/KZ/webconnectivity/2024030116_KZ_webconnectivity.n0.0.jsonl.gz": b"sixteen",
    "raw/20240301/15/RU/webconnectivity/2024030115_RU_webconnectivity.n0.0.jsonl.gz": b"elsewhere",
    "raw/20240302/00/KZ/webconnectivity/2024030200_KZ_webconnectivity.n0.0.jsonl.gz": b"the day after",
}
WANTED = {key: octets for key, octets in FILES.items() if key.startswith("raw/20240301") and "/KZ/" in key}
DAY = ("--cc", "kz", "--since", "2024-03-01", "--until", "2024-03-02")
UID = "20240301151413.637888_KZ_webconnectivity_c351db70f739197a"
OTHER = "20240302151413.637888_KZ_webconnectivity_c351db70f739197b"
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def passing(monkeypatch):
    """Time that passes when somebody sleeps; and no proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    fake = FakeTime()
    monkeypatch.setattr(services, "TIMING", Timing(fake.clock, fake.sleep, lambda: 1.0))
    return fake


@pytest.fixture
def bucket():
    with serving(Bucket(FILES)) as service:
        yield service


@pytest.fixture
def api():
    with serving(API()) as service:
        yield service


@pytest.fixture
def fetch(kzmitm, tmp_path, bucket):
    def run(*words: object, day=DAY):
        return kzmitm(
            "ooni", "fetch", *day, "--dest", tmp_path / "a", "--endpoint", bucket.url, "--api", NOBODY, *words
        )

    return run


@pytest.fixture
def look_up(kzmitm, tmp_path, api):
    def run(*words: object):
        return kzmitm(
            "ooni", "fetch", "--dest", tmp_path / "a", "--api", api.url, "--endpoint", NOBODY, *words
        )

    return run


def here(folder):
    """The files below a folder that are no memory of ours."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".listing.jsonl"
    }


def test_what_a_country_has_of_a_day(fetch, bucket, tmp_path):
    ended = fetch()
    assert ended.code == 0, ended.err
    assert ended.out == "files: 7 fetched (14.9 KiB)\n"
    assert f"kzmitm ooni analyze {tmp_path / 'a'}" in ended.err
    assert here(tmp_path / "a") == WANTED
    listed = [query["prefix"] for path, query, _headers in bucket.requests if path == "/"]
    assert len(listed) == 24 + 2  # 24 hours, one of them with three pages
    assert all(query.get("list-type") == "2" for path, query, _headers in bucket.requests if path == "/")
    assert all("authorization" not in headers for _path, _query, headers in bucket.requests)


def test_a_second_run_asks_nothing(fetch, bucket):
    fetch()
    asked = len(bucket.requests)
    again = fetch()
    assert again.out == "files: 7 here already (14.9 KiB)\n"
    assert len(bucket.requests) == asked


def test_only_what_is_missing_is_fetched_again(fetch, bucket, tmp_path):
    fetch()
    asked = len(bucket.requests)
    (tmp_path / "a" / NAME.format(1)).unlink()
    (tmp_path / "a" / NAME.format(2)).write_bytes(b"cut")
    assert fetch().out == "files: 2 fetched (4.9 KiB), 5 here already (10.1 KiB)\n"
    assert sorted(bucket.asked()[-2:]) == [(NAME.format(1), None), (NAME.format(2), None)]
    assert len(bucket.requests) == asked + 2
    assert here(tmp_path / "a") == WANTED


def test_days_that_are_not_over_are_asked_again(fetch, bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: datetime(2024, 3, 4, 23, 59, tzinfo=UTC))
    fetch()
    bucket.files[NAME.format(9)] = b"late"
    assert "1 fetched" in fetch().out
    monkeypatch.setattr(clock, "now", lambda: datetime(2024, 3, 5, 0, 0, tzinfo=UTC))
    fetch()
    asked = len(bucket.requests)
    assert fetch().code == 0
    assert len(bucket.requests) == asked


def test_days_to_come_are_not_asked_for(fetch, bucket, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: datetime(2024, 3, 1, 12, tzinfo=UTC))
    assert fetch(day=("--cc", "KZ", "--since", "2024-03-01", "--until", "2025-03-01")).code == 0
    assert {query["prefix"][:12] for path, query, _h in bucket.requests if path == "/"} == {"raw/20240301"}
    assert fetch(day=("--cc", "KZ", "--since", "2024-03-09", "--until", "2025-03-01")).code == 0


def test_several_tests_and_the_older_layout(fetch, bucket, tmp_path):
    key = "jsonl/webconnectivity/KZ/20190301/00/20190301_KZ_webconnectivity.l.0.jsonl.gz"
    other = "jsonl/ndt/KZ/20190301/00/20190301_KZ_ndt.l.0.jsonl.gz"
    bucket.files = {key: b"old", other: b"ndt"}
    day = ("--cc", "KZ", "--since", "2019-03-01", "--until", "2019-03-02")
    assert fetch("--test", "web_connectivity", "--test", "ndt", day=day).code == 0
    assert here(tmp_path / "a") == {key: b"old", other: b"ndt"}


def test_nothing_is_there(fetch, bucket):
    bucket.files = {}
    ended = fetch()
    assert (ended.code, ended.out) == (0, "files: none\n")
    assert "the archive holds nothing for these days" in ended.err


def test_a_dry_run_shows_and_writes_nothing(fetch, bucket, tmp_path):
    ended = fetch("--dry-run")
    assert ended.code == 0
    assert f"        1000  {NAME.format(0)}\n" in ended.out
    assert ended.out.endswith("files: 7 not fetched yet (14.9 KiB)\n")
    assert "nothing was fetched" in ended.err
    assert not (tmp_path / "a").exists()
    assert not bucket.asked()


def test_the_document(fetch, bucket):
    bucket.files[NAME.format(7)] = b"gone"
    bucket.fault = lambda handler, key, _query: key == NAME.format(7) and not handler.reply(b"", status=404)
    for words in ((), ("--dry-run",), ()):
        ended = fetch("--json", *words)
        SCHEMA.validate(ended.json)
        assert ended.json["cc"] == "KZ"
        assert ended.json["candidates"] is None
    assert {file["state"] for file in ended.json["files"]} == {"present", "failed"}
    assert ended.json["complete"] is False
    [failed] = [file for file in ended.json["files"] if file["state"] == "failed"]
    assert failed["reason"] == "HTTP status 404"


def test_a_failure_is_told_and_the_rest_comes(fetch, bucket):
    bucket.fault = lambda handler, key, _query: key == NAME.format(3) and not handler.reply(b"", status=403)
    ended = fetch()
    assert ended.code == 3
    assert f"NOT FETCHED: {NAME.format(3)}: HTTP status 403\n" in ended.out
    assert ended.out.endswith("files: 6 fetched (11.0 KiB), 1 FAILED (3.9 KiB)\n")
    assert "the same command tries the rest again" in ended.err
    bucket.fault = lambda *_: False
    assert fetch().code == 0


def test_slow_down(fetch, bucket, passing):
    bucket.fault = first_times(3, lambda handler, *_: handler.reply(b"", status=503, retry_after="5"))
    assert fetch().code == 0
    assert max(passing.slept) >= 5


def test_a_cut_connection(fetch, bucket, tmp_path):
    def cut(handler, key, _query):
        handler.reply(FILES[key][:100], length=len(FILES[key]), etag=f'"{bucket.etag(key)}"')
        handler.cut()

    bucket.fault = lambda handler, key, query: key in WANTED and once(handler, key, query)
    once = first_times(1, cut)
    assert fetch().code == 0
    assert here(tmp_path / "a") == WANTED
    assert [wanted for _key, wanted in bucket.asked() if wanted] == ["bytes=100-"]


def test_a_file_that_was_changed_is_fetched_as_it_is_now(fetch, bucket, tmp_path):
    def change(handler, key, _query):
        if key == NAME.format(4):
            bucket.files[key] = b"another content"
        return False

    bucket.fault = change
    ended = fetch()
    assert ended.code == 0, ended.out
    assert here(tmp_path / "a")[NAME.format(4)] == b"another content"
    asked = len(bucket.requests)
    assert "7 here already" in fetch().out
    assert len(bucket.requests) == asked


def test_a_file_that_becomes_too_large(fetch, bucket, tmp_path):
    def change(handler, key, _query):
        if key != NAME.format(4):
            return False
        handler.reply(b"", length=10**17, etag='"other"')
        return True

    bucket.fault = change
    ended = fetch()
    assert ended.code == 2
    assert "are free" in ended.err


def test_a_file_that_changes_for_ever(fetch, bucket):
    def change(handler, key, _query):
        if key == NAME.format(4):
            bucket.files[key] += b"!"
        return False

    bucket.fault = change
    ended = fetch()
    assert ended.code == 3
    assert f"{NAME.format(4)}: it was changed on the server" in ended.out


HOSTILE = (
    "../../evil.jsonl.gz", PLACE + "../../../../../evil.jsonl.gz", "/etc/evil.jsonl.gz",
    PLACE + "a/b/evil.jsonl.gz", PLACE + "..\\evil.jsonl.gz", PLACE + "C:\\evil.jsonl.gz",
    PLACE + "evil\u202e.jsonl.gz", PLACE + ".listing.jsonl",
    "raw/20240301/15/RU/webconnectivity/evil.jsonl.gz", PLACE + "evil.sh", PLACE + "e" * 900 + ".jsonl.gz",
)  # fmt: skip


def test_no_key_leads_out_of_the_folder(fetch, bucket, tmp_path):
    bucket.page = 100
    bucket.files = dict.fromkeys(HOSTILE, b"evil") | WANTED
    honest = bucket.listing
    bucket.listing = lambda prefix, token=None: (
        honest("", token) if prefix == PLACE else honest(prefix, token)
    )
    ended = fetch()
    assert ended.code == 0
    assert "other files of the archive were passed over" in ended.out
    assert {path.name for path in tmp_path.iterdir()} <= {"a", "home"}
    assert here(tmp_path / "a") == WANTED
    assert not any("evil" in key for key, _range in bucket.asked())


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (BILLION_LAUGHS, "it declares a document type"),
        (b"<html>", "not a listing"),
        (b"<ListBucketResult>" + b" " * (5 << 20), "longer than 4096 KiB"),
        (b"<ListBucketResult>" + b" " * (100 << 20), "longer than 4096 KiB"),
    ],
)
def test_a_hostile_listing_spoils_nothing_else(fetch, bucket, tmp_path, body, why):
    other = "raw/20240301/16/KZ/webconnectivity/"
    bucket.fault = lambda handler, _key, query: query.get("prefix") == other and not handler.reply(body)
    ended = fetch()
    assert ended.code == 3
    assert f"NOT LISTED: {other}: " in ended.out
    assert why in ended.out
    assert here(tmp_path / "a") == {
        key: octets for key, octets in WANTED.items() if not key.startswith(other)
    }


@pytest.mark.parametrize("token", ["same", "{}"])
def test_a_listing_without_end(fetch, bucket, token, monkeypatch):
    monkeypatch.setattr(fetching, "MAX_PAGES", 10)

    def endless(handler, _key, query):
        if query.get("prefix") != PLACE:
            return False
        again = token.format(len(bucket.requests))
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{again}</NextContinuationToken>"
        handler.reply(f"<ListBucketResult>{more}</ListBucketResult>".encode())
        return True

    bucket.fault = endless
    ended = fetch()
    assert ended.code == 3
    assert f"NOT LISTED: {PLACE}: the listing has no end\n" in ended.out
    assert len([1 for path, query, _headers in bucket.requests if query.get("prefix") == PLACE]) <= 11


def test_what_does_not_fit_is_not_begun(fetch, bucket, tmp_path):
    huge = bucket.listing(PLACE).replace(b"<Size>1000</Size>", b"<Size>900000000000000</Size>")
    bucket.fault = lambda handler, _key, query: (
        query.get("prefix") == PLACE
        and not handler.reply(huge.replace(b"<IsTruncated>true", b"<IsTruncated>false"))
    )
    ended = fetch()
    assert ended.code == 2
    assert "are free" in ended.err
    assert not bucket.asked()


def test_a_memory_that_is_damaged_is_asked_for_again(fetch, bucket, tmp_path):
    fetch()
    memory = tmp_path / "a" / ".listing.jsonl"
    lines = memory.read_bytes().splitlines(keepends=True)
    evil = json.dumps({"endpoint": bucket.url, "changed": ["../../evil", -1, ""]}).encode() + b"\n"
    memory.write_bytes(b"\xff\n[[[\nnull\n{}\n" + evil + b"".join(lines[:3]) + b'{"endpoint": "' + b"x" * 100)
    asked = len(bucket.requests)
    assert fetch().code == 0
    assert len(bucket.requests) == asked + 24 + 2 - 3 or len(bucket.requests) > asked
    assert here(tmp_path / "a") == WANTED


def test_the_memory_of_another_archive_is_not_believed(fetch, bucket, tmp_path):
    fetch()
    with serving(Bucket({})) as other:
        assert fetch("--endpoint", other.url).out == "files: none\n"
        assert other.requests


def test_the_folder_is_a_file(fetch, tmp_path):
    (tmp_path / "a").write_bytes(b"")
    ended = fetch()
    assert (ended.code, ended.out) == (2, "")
    assert str(tmp_path / "a") in ended.err


@pytest.mark.parametrize(
    "words",
    [
        [], ["--cc", "KZ"], ["--cc", "KZ", "--since", "2024-03-01"], ["--cc", "K", *DAY[2:]],
        ["--cc", "KZ", "--since", "2024-03-02", "--until", "2024-03-02"],
        ["--cc", "KZ", "--since", "2024-03-02", "--until", "2024-03-01"],
        ["--cc", "KZ", "--since", "1999-01-01", "--until", "2024-03-01"],
        ["--cc", "KZ", "--since", "yesterday", "--until", "2024-03-01"],
        [*DAY, "--test", "Web"], [*DAY, "--test", "../x"], [*DAY, "--parallel", "0"],
        [*DAY, "--parallel", "99"], [*DAY, "--limit-rate", "0"], [*DAY, "--limit-rate", "fast"],
        [*DAY, "--out", "x"], [*DAY, "--dest", ""],
        [*DAY, "--endpoint", "http://archive.example/"], [*DAY, "--api", "ftp://127.0.0.1"],
        [*DAY, "--uid", UID], ["--uid", "../../etc/passwd"], ["--uid", UID, "--candidates"],
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_before_anything_is_asked(words, kzmitm, bucket, tmp_path):
    urls = () if "--endpoint" in words else ("--endpoint", bucket.url)
    ended = kzmitm("ooni", "fetch", "--dest", tmp_path / "a", *urls, *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert not bucket.requests
    assert not (tmp_path / "a").exists()


def started(*words: object):
    return subprocess.Popen(
        [sys.executable, "-m", "kzmitm", "ooni", "fetch", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_it_within_a_second_everything_is_kept(bucket, tmp_path, fetch, number):
    key = NAME.format(4)

    def hang(handler, asked, _query):
        if asked != key or "range" in handler.headers:
            return False
        handler.reply(FILES[key][:1234], length=len(FILES[key]), etag=f'"{bucket.etag(key)}"')
        handler.wfile.flush()
        bucket.over.wait(30)
        return True

    bucket.fault = hang
    child = started(*DAY, "--dest", tmp_path / "a", "--endpoint", bucket.url)
    deadline = time.monotonic() + 20
    while not any(path.stat().st_size == 1234 for path in (tmp_path / "a").glob(PLACE + "*.part")):
        assert time.monotonic() < deadline
        bucket.over.wait(0.02)
    stopped_at = time.monotonic()
    child.send_signal(number)
    out, err = child.communicate(timeout=10)
    assert time.monotonic() - stopped_at < 3  # it promises one; the rest is for a busy machine
    if number != signal.SIGKILL:
        assert child.returncode == 3
        assert b"stopped; what came is kept" in err
        assert b" not fetched yet" in out
    assert fetch().code == 0
    assert here(tmp_path / "a") == WANTED
    assert [asked for asked in bucket.asked() if asked[1]] == [(key, "bytes=1234-")]


def test_a_terminal_has_a_bar(terminal, bucket, tmp_path):
    words = ("ooni", "fetch", *DAY, "--dest", tmp_path / "a", "--endpoint", bucket.url)
    code, seen = terminal(*words)
    assert code == 0
    assert "fetching" in seen
    assert "files: 7 fetched (14.9 KiB)" in seen


def document(uid=UID, **more):
    return {"test_keys": {"a": "\ud800"}, "measurement_uid": uid, **more}


def test_measurements_by_their_ids(look_up, api, tmp_path):
    api.documents = {UID: document(), OTHER: document(OTHER)}
    ended = look_up("--uid", UID, OTHER)
    assert ended.code == 0, ended.out
    assert ended.out == "measurements: 2 fetched\n"
    assert json.loads((tmp_path / "a" / "measurements" / f"{UID}.json").read_bytes()) == document()
    asked = len(api.requests)
    assert look_up("--uid", UID).out == "measurements: 1 here already\n"
    assert len(api.requests) == asked


@pytest.mark.parametrize(
    "raw", [{}, [], b'"a string"', b"", b"[" * 10_000, {"error": "x"}, document("9" + UID[1:])]
)
def test_where_the_document_is_none_the_meta_data_have_it(look_up, api, tmp_path, raw):
    api.documents = {UID: raw}
    missing = look_up("--uid", UID)
    assert missing.code == 3
    assert f"NOT FETCHED: {UID}: there is no such measurement\n" in missing.out
    assert not (tmp_path / "a" / "measurements").exists()
    api.metas = {UID: {"raw_measurement": json.dumps(document())}}
    assert look_up("--uid", UID).code == 0
    assert json.loads((tmp_path / "a" / "measurements" / f"{UID}.json").read_bytes()) == document()


def test_the_api_is_asked_once_a_second(look_up, api, passing):
    api.documents = {UID: document(), OTHER: document(OTHER)}
    look_up("--uid", UID, OTHER)
    assert passing.slept == [1]


def row(uid=UID, at="2024-03-01T10:00:00", **fields):
    return {
        "measurement_uid": uid,
        "measurement_start_time": at,
        "probe_asn": 9198,
        "probe_cc": "KZ",
        **fields,
    }


QAZNET = {"tls_end_entity_certificate_issuer": "CN=Qaznet Trust Network,C=KZ", "tls_server_name": "a.test"}


def test_candidates(look_up, api, tmp_path):
    api.rows = [row(), row(**QAZNET), row(OTHER, tls_failure="ssl_invalid_hostname", input="https://b.test/")]
    ended = look_up(*DAY, "--candidates", "--out", tmp_path / "c.jsonl")
    assert ended.code == 0
    assert ended.out.splitlines()[0].startswith("rows that may show interception (no verdicts): 2")
    assert f"  {UID}  AS9198  a.test  issuer:" in ended.out
    assert f"  {OTHER}  AS9198  https://b.test/  failure:ssl_invalid_hostname" in ended.out
    assert "2024-03-01 web_connectivity: of 3 rows 2 may show interception" in ended.err
    assert "--fetch-candidates" in ended.err
    lines = [json.loads(line) for line in (tmp_path / "c.jsonl").read_bytes().splitlines()]
    assert [line["measurement_uid"] for line in lines] == [UID, OTHER]
    assert not (tmp_path / "a").exists()


def test_candidates_are_fetched_if_that_is_wanted(look_up, api, tmp_path):
    api.rows = [row(**QAZNET), row(**QAZNET, port=8443)]
    api.documents = {UID: document()}
    ended = look_up(*DAY, "--fetch-candidates", "--json")
    assert ended.code == 0
    SCHEMA.validate(ended.json)
    assert [each["uid"] for each in ended.json["measurements"]] == [UID]
    assert len(ended.json["candidates"]) == 2 or ended.json["candidates"]
    assert (tmp_path / "a" / "measurements" / f"{UID}.json").is_file()


def test_pages_of_rows_that_overlap(look_up, api, monkeypatch):
    monkeypatch.setattr(ooni_api, "ROWS", 2)
    monkeypatch.setattr("kzmitm.cli.ooni.lookups.ROWS", 2)
    api.rows = [row(f"2024030100000{n}.000000_KZ_webconnectivity_{n:016x}", **QAZNET) for n in range(5)]
    ended = look_up("--cc", "KZ", "--since", "2024-03-01", "--until", "2024-03-03", "--candidates", "--json")
    assert len(ended.json["candidates"]) == 5
    asked = [(query["since"], query["offset"]) for _path, query, _headers in api.requests]
    assert asked == [("2024-03-01", "0"), ("2024-03-01", "2"), ("2024-03-01", "4"), ("2024-03-02", "0")]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"results": 7}', b"[" * 100_000])
def test_an_answer_without_rows(look_up, api, body):
    api.fault = lambda handler, *_: handler.reply(body) or True
    ended = look_up(*DAY, "--candidates")
    assert ended.code == 3
    assert "NOT LISTED: 2024-03-01 web_connectivity: the answer holds no rows\n" in ended.out


def test_names_of_strangers_are_made_harmless(look_up, api):
    evil = "\x1b[2J\u202e" * 10
    api.rows = [row(tls_server_name=evil, tls_failure="ssl_unknown_authority")]
    api.fault = lambda handler, path, _query: "raw" in path and not handler.reply(evil.encode(), status=404)
    for words in ((), ("--json",)):
        ended = look_up(*DAY, "--fetch-candidates", *words)
        assert "\x1b" not in ended.out + ended.err
        assert "\u202e" not in ended.out + ended.err


def test_the_api_is_out_of_reach(look_up, api, passing):
    api.fault = lambda handler, *_: handler.cut() or True
    ended = look_up("--uid", UID)
    assert ended.code == 3
    assert "(4 attempts)" in ended.out


def test_every_state_stands_in_the_schema():
    assert json.loads(schema_text("fetch"))["$defs"]["state"]["enum"] == list(fetching.State)


def test_many_failures_are_told_in_part(fetch, bucket):
    bucket.files = {NAME.format(n): b"x" for n in range(30)}
    bucket.fault = lambda handler, key, _query: key and not handler.reply(b"", status=403)
    ended = fetch()
    assert ended.out.count("HTTP status 403") == 20
    assert "NOT FETCHED: and 10 more\n" in ended.out


def test_many_candidates_are_told_in_part(look_up, api, monkeypatch):
    monkeypatch.setattr("kzmitm.cli.ooni.actions.fetch.MAX_CANDIDATES", 25)
    api.rows = [row(f"202403010000{n:02}.000000_KZ_webconnectivity_{n:016x}", **QAZNET) for n in range(30)]
    ended = look_up(*DAY, "--fetch-candidates")
    assert "and 10 more; --out FILE has all" in ended.out
    assert "only the first 25 of 30 measurements are fetched" in ended.err
    assert ended.out.endswith("measurements: 25 FAILED\n")


def test_there_is_no_end_of_rows(look_up, api, monkeypatch):
    monkeypatch.setattr("kzmitm.cli.ooni.lookups.ROWS", 1)
    monkeypatch.setattr("kzmitm.cli.ooni.lookups.MAX_PAGES", 3)
    api.fault = lambda handler, *_: handler.reply(json.dumps({"results": [row(**QAZNET)]}).encode()) or True
    ended = look_up(*DAY, "--candidates")
    assert ended.code == 3
    assert "NOT LISTED: 2024-03-01 web_connectivity: there is no end of rows\n" in ended.out
    assert "(no verdicts): 1\n" in ended.out


@pytest.mark.parametrize("room", [1000, 10_000])
def test_a_disk_that_is_full_ends_it_and_keeps_what_came(bucket, tmp_path, room):
    bucket.files[NAME.format(9)] = bytes(20_000)
    words = ["ooni", "fetch", *DAY, "--dest", str(tmp_path / "a"), "--endpoint", bucket.url]
    script = (
        "import resource, sys; from kzmitm.cli.main import main;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room})); sys.exit(main(sys.argv[1:]))"
    )
    ended = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.count(b"\n") == 1
    assert b"File too large" in ended.stderr
    came = {path: octets for path, octets in here(tmp_path / "a").items() if not path.endswith(".part")}
    assert came.items() <= WANTED.items()
