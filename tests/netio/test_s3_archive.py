"""The archive against a bucket on loopback that pages, cuts, slows down, changes and lies."""

import asyncio
import hashlib
from datetime import UTC, datetime

import pytest
from ooni_services import SLOW_DOWN, Bucket, FakeTime, first_times, serving

from kzmitm.cli.sources import pinned_pem
from kzmitm.netio.patience import OctetLimit, Patience, ServiceError, Timing
from kzmitm.netio.s3_archive import ChangedError, S3Archive, Wanted
from kzmitm.netio.web import new_client
from kzmitm.ooni.archive_listing import MAX_PAGE, parse_listing

PEM = pinned_pem()
KEY = "raw/20240301/15/KZ/webconnectivity/2024030115_KZ_webconnectivity.n0.0.jsonl.gz"
OCTETS = bytes(range(256)) * 1000


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def bucket():
    with serving(Bucket({KEY: OCTETS})) as service:
        yield service


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def archive(bucket, time):
    """Do something with the archive: `archive(lambda s3: s3.page(...))`."""

    def run(what, octets_per_s=None):
        async def work():
            timing = Timing(time.clock, time.sleep, lambda: 1.0)
            limit = OctetLimit(octets_per_s, timing)
            async with new_client(PEM, connections=2) as client:
                now = lambda: datetime(2026, 1, 1, tzinfo=UTC)  # noqa: E731
                return await what(S3Archive(client, bucket.url, Patience(timing), limit, now))

        return asyncio.run(work())

    return run


@pytest.fixture
def wanted(tmp_path):
    def make(octets=OCTETS, **told):
        md5 = hashlib.md5(octets, usedforsecurity=False).hexdigest()
        facts = {"key": KEY, "size": len(octets), "etag": md5, "md5": md5, "place": tmp_path / "x" / "f.gz"}
        return Wanted(**(facts | told))

    return make


@pytest.fixture
def fetch(archive):
    """Fetch a file; what was told of octets."""

    def run(wanted, **options):
        told = []
        archive(lambda s3: s3.fetch(wanted, told.append), **options)
        return told

    return run


def half(handler, *_words: object):
    """Half of the file, and the end of the connection."""
    etag = handler.server.service.etag(KEY)
    handler.reply(OCTETS[:100_000], length=len(OCTETS), etag=f'"{etag}"')
    handler.cut()


def refused(fetch, wanted, match):
    with pytest.raises(ServiceError, match=match) as caught:
        fetch(wanted)
    assert not wanted.place.exists()
    return caught.value


def test_pages(bucket, archive):
    bucket.files = {f"raw/{n}": b"x" for n in range(5)} | {"other": b""}
    token, found = None, []
    while True:
        octets = archive(lambda s3, token=token: s3.page("raw/", token, max_octets=MAX_PAGE))
        page = parse_listing(octets)
        found += [file.key for file in page.files]
        token = page.next_token
        if token is None:
            break
    assert found == [f"raw/{n}" for n in range(5)]
    assert [query.get("continuation-token") for _path, query, _headers in bucket.requests] == [
        None,
        "token+/=2",
        "token+/=4",
    ]


def test_a_file_is_put_in_its_place(fetch, wanted, bucket):
    told = fetch(wanted())
    assert wanted().place.read_bytes() == OCTETS
    assert sum(told) == len(OCTETS)
    assert bucket.asked() == [(KEY, None)]
    assert [path.name for path in wanted().place.parent.iterdir()] == ["f.gz"]


def test_an_empty_file(fetch, wanted, bucket):
    bucket.files[KEY] = b""
    fetch(wanted(b""))
    assert wanted().place.read_bytes() == b""


def test_a_file_that_was_uploaded_in_parts_is_checked_by_its_size(fetch, wanted, bucket):
    bucket.etags[KEY] = "d41d8cd98f00b204e9800998ecf8427e-3"
    fetch(wanted(etag=bucket.etags[KEY], md5=None))
    assert wanted().place.read_bytes() == OCTETS


def test_a_cut_download_goes_on_where_it_ended(fetch, wanted, bucket, time):
    bucket.fault = first_times(1, half)
    told = fetch(wanted())
    assert wanted().place.read_bytes() == OCTETS
    assert sum(told) == len(OCTETS)
    assert bucket.asked() == [(KEY, None), (KEY, "bytes=100000-")]
    assert bucket.requests[1][2]["if-range"] == f'"{wanted().etag}"'
    assert time.slept == [1.0]


def test_so_does_the_next_run(fetch, wanted, bucket):
    bucket.fault = first_times(7, half)  # of which all but the first begin at the end and bring nothing new
    refused(fetch, wanted(), r"\(6 attempts\)")
    assert wanted().part.stat().st_size == 100_000
    bucket.fault = lambda *_: False
    asked = len(bucket.asked())
    told = fetch(wanted())
    assert told[0] == 100_000
    assert bucket.asked()[asked:] == [(KEY, "bytes=100000-")]
    assert wanted().place.read_bytes() == OCTETS


def test_a_download_that_is_stopped_keeps_what_came(archive, wanted, bucket):
    def hang(handler, *_words: object):
        etag = bucket.etag(KEY)
        handler.reply(OCTETS[:100_000], length=len(OCTETS), etag=f'"{etag}"')
        bucket.over.wait(30)

    bucket.fault = first_times(1, hang)

    async def stopped(s3):
        came = asyncio.Event()
        task = asyncio.create_task(s3.fetch(wanted(), lambda n: came.set() if n else None))
        await came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    archive(stopped)
    kept = wanted().part.stat().st_size
    assert 0 < kept <= 100_000
    told = []
    archive(lambda s3: s3.fetch(wanted(), told.append))
    assert told[0] == kept
    assert wanted().place.read_bytes() == OCTETS


def test_slow_down_is_obeyed(fetch, wanted, bucket, time):
    bucket.fault = first_times(2, lambda handler, *_: handler.reply(SLOW_DOWN, status=503, retry_after="20"))
    fetch(wanted())
    assert time.slept == [21, 22]
    assert len(bucket.requests) == 3


def test_there_is_an_end_of_attempts(fetch, wanted, bucket, time):
    bucket.fault = lambda handler, *_: handler.reply(SLOW_DOWN, status=503) or True
    refused(fetch, wanted(), r"HTTP status 503 \(6 attempts\)")
    assert len(bucket.requests) == 6
    assert time.slept == [1, 2, 4, 8, 16]


def test_a_connection_that_brings_much_before_it_is_cut_does_not_count(fetch, wanted, bucket):
    octets = OCTETS * 60
    bucket.files[KEY] = octets

    def some(handler, *_words: object):
        start = int(handler.headers.get("range", "bytes=0-")[6:-1])
        told = {"content_range": f"bytes {start}-{len(octets) - 1}/{len(octets)}"} if start else {}
        part = octets[start : start + 1_300_000]
        status = 206 if start else 200
        handler.reply(part, status=status, length=len(octets) - start, etag=f'"{bucket.etag(KEY)}"', **told)
        if len(part) < len(octets) - start:
            handler.cut()
        return True

    bucket.fault = some
    fetch(wanted(octets))
    assert len(bucket.requests) == 12
    assert wanted().place.read_bytes() == octets


@pytest.mark.parametrize("length", [len(OCTETS) - 1, len(OCTETS) + 1, 0])
def test_a_size_that_is_not_that_of_the_listing(fetch, wanted, bucket, length):
    refused(fetch, wanted(size=length), f"it has {len(OCTETS)} octets, and the listing says {length}")
    assert len(bucket.requests) == 1


def test_a_body_without_end(fetch, wanted, bucket):
    bucket.fault = lambda handler, *_: handler.pour(OCTETS, 10_000) or True
    refused(fetch, wanted(), "more octets come than the 256000")
    assert wanted().part.stat().st_size <= len(OCTETS)


def test_another_version_is_never_put_behind_the_first(fetch, wanted, bucket):
    bucket.fault = first_times(1, half)
    changed = bytes(len(OCTETS))

    def change(handler, *words: object):
        half(handler, *words)
        bucket.files[KEY] = changed

    bucket.fault = first_times(1, change)
    told = refused(fetch, wanted(), "changed on the server")
    assert isinstance(told, ChangedError)
    assert (told.size, told.etag) == (len(changed), bucket.etag(KEY))
    fetch(wanted(changed))
    assert wanted().place.read_bytes() == changed
    assert [path.name for path in wanted().place.parent.iterdir()] == ["f.gz"]


def test_a_server_that_passes_over_if_range_is_found_out(fetch, wanted, bucket):
    """It sends the rest of another version with that version's tag."""

    def rest(handler, *words: object):
        if "range" not in handler.headers:
            half(handler, *words)
        else:
            told = f"bytes 100000-{len(OCTETS) - 1}/{len(OCTETS)}"
            handler.reply(bytes(156_000), status=206, etag='"other"', content_range=told)
        return True

    bucket.fault = rest
    assert isinstance(refused(fetch, wanted(), "changed"), ChangedError)


def test_ranges_that_are_passed_over(fetch, wanted, bucket):
    bucket.fault = first_times(1, half)
    bucket._send = lambda handler, key: handler.reply(OCTETS, etag=f'"{bucket.etag(key)}"')
    told = fetch(wanted())
    assert wanted().place.read_bytes() == OCTETS
    assert sum(told) == len(OCTETS)
    assert -100_000 in told


@pytest.mark.parametrize(
    "told", ["", "bytes 0-9/256000", "bytes */256000", "bytes 100000-255999/*", "octets 100000-255999/256000"]
)
def test_a_range_that_was_not_asked_for(fetch, wanted, bucket, told):
    def rest(handler, *words: object):
        if "range" not in handler.headers:
            half(handler, *words)
        else:
            handler.reply(bytes(156_000), status=206, content_range=told)
        return True

    bucket.fault = rest
    refused(fetch, wanted(), "another part of the file")


def test_the_wrong_content_is_loaded_once_more_and_then_refused(fetch, wanted, bucket):
    bucket.files[KEY], etag = bytes(len(OCTETS)), wanted().etag
    bucket.etags[KEY] = etag
    refused(fetch, wanted(), "its MD5 is not that of the listing")
    assert bucket.asked() == [(KEY, None)] * 2
    assert wanted().part.stat().st_size == 0


def test_a_part_that_was_damaged_is_found_out(fetch, wanted, bucket):
    wanted().place.parent.mkdir()
    wanted().part.write_bytes(b"?" * 1000)
    fetch(wanted())
    assert wanted().place.read_bytes() == OCTETS
    assert bucket.asked() == [(KEY, "bytes=1000-"), (KEY, None)]


@pytest.mark.parametrize("size", [len(OCTETS), len(OCTETS) + 1])
def test_a_part_that_has_all_or_more(fetch, wanted, bucket, size):
    wanted().place.parent.mkdir()
    wanted().part.write_bytes((OCTETS + b"x")[:size])
    fetch(wanted())
    assert wanted().place.read_bytes() == OCTETS
    assert len(bucket.requests) == (size > len(OCTETS))


def test_a_range_that_cannot_be_satisfied(fetch, wanted, bucket):
    wanted().place.parent.mkdir()
    wanted().part.write_bytes(OCTETS[:50])
    bucket.fault = first_times(1, lambda handler, *_: handler.reply(b"", status=416))
    fetch(wanted())
    assert bucket.asked() == [(KEY, "bytes=50-"), (KEY, None)]


@pytest.mark.parametrize("status", [301, 307, 400, 403, 404])
def test_other_answers_end_it(fetch, wanted, bucket, status):
    bucket.fault = lambda handler, *_: handler.reply(b"", status=status, location="http://x/") or True
    refused(fetch, wanted(), "it sends us on to http://x/")
    bucket.fault = lambda handler, *_: handler.reply(b"", status=status) or True
    refused(fetch, wanted(), f"HTTP status {status}")
    assert len(bucket.requests) == 2


def test_a_link_in_the_place_of_the_part_is_not_followed(fetch, wanted, tmp_path):
    wanted().place.parent.mkdir()
    (tmp_path / "mine").write_bytes(b"mine")
    wanted().part.symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match="symbolic"):
        fetch(wanted())
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_the_rate_is_kept(fetch, wanted, time):
    fetch(wanted(), octets_per_s=100_000.0)
    assert 1.0 < time.now - 1000 <= 2.56


def test_letters_of_a_key_are_escaped(archive, bucket, tmp_path):
    key = "raw/a b?c#d%2e+e"
    bucket.files = {key: b"x"}
    place = tmp_path / "f"
    etag = bucket.etag(key)
    archive(
        lambda s3: s3.fetch(Wanted(key=key, size=1, etag=etag, md5=etag, place=place), lambda _octets: None)
    )
    assert place.read_bytes() == b"x"
