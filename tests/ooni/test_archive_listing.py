"""Where files lie, and listings: honest, strange and hostile."""

from datetime import date

import pytest

from kzmitm.ooni.archive_listing import (
    MAX_KEY,
    MAX_OBJECTS,
    MAX_PAGE,
    MAX_TOKEN,
    ListingError,
    StoredFile,
    is_wanted,
    parse_listing,
    plain_etag,
    prefixes,
)

RAW = "raw/20240301/15/KZ/webconnectivity/"
JSONL = "jsonl/webconnectivity/KZ/20190301/"


def listing(inner, head='<?xml version="1.0" encoding="UTF-8"?>'):
    name = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'{head}<ListBucketResult xmlns="{name}">{inner}</ListBucketResult>'.encode()


def contents(key="k", size="1", etag="&quot;e&quot;"):
    return f"<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{etag}</ETag></Contents>"


def test_a_day_of_the_present_layout():
    found = list(prefixes("KZ", date(2024, 3, 1), date(2024, 3, 2), ["web_connectivity"]))
    assert found[0] == "raw/20240301/00/KZ/webconnectivity/"
    assert found[15] == RAW
    assert len(found) == 24


def test_the_day_after_the_last_is_not_there():
    days = {each.split("/")[1] for each in prefixes("KZ", date(2024, 2, 28), date(2024, 3, 1), ["ndt"])}
    assert days == {"20240228", "20240229"}
    assert not list(prefixes("KZ", date(2024, 3, 1), date(2024, 3, 1), ["ndt"]))


def test_older_days_have_another_layout_and_two_have_both():
    found = list(prefixes("KZ", date(2020, 10, 19), date(2020, 10, 23), ["web_connectivity", "ndt"]))
    assert [each for each in found if each.startswith("jsonl/webconnectivity/")] == [
        "jsonl/webconnectivity/KZ/20201019/",
        "jsonl/webconnectivity/KZ/20201020/",
        "jsonl/webconnectivity/KZ/20201021/",
    ]
    raw = [each for each in found if each.startswith("raw/")]
    assert raw[0] == "raw/20201020/00/KZ/webconnectivity/"
    assert raw[-1] == "raw/20201022/23/KZ/ndt/"
    assert len(raw) == 3 * 24 * 2


@pytest.mark.parametrize(
    ("key", "prefix"),
    [
        (RAW + "2024030115_KZ_webconnectivity.n0.0.jsonl.gz", RAW),
        (RAW + "2024030115_KZ_webconnectivity.n0.0.tar.gz", RAW),
        (JSONL + "00/20190301_KZ_webconnectivity.l.0.jsonl.gz", JSONL),
        (JSONL + "20190301_KZ_webconnectivity.l.0.jsonl.gz", JSONL),
    ],
)
def test_files_of_measurements(key, prefix):
    assert is_wanted(key, prefix)


@pytest.mark.parametrize(
    "name",
    [
        "", ".jsonl.gz", "a.json", "a.jsonl", "a.jsonl.gz.exe", "a.json.gz", "../a.jsonl.gz", "a/b.jsonl.gz",
        "00/../a.jsonl.gz", "..jsonl.gz", "a..jsonl.gz", "/etc/a.jsonl.gz", "a\\b.jsonl.gz", "a\0.jsonl.gz",
        "a\n.jsonl.gz", "a\x1b[2J.jsonl.gz", "C:a.jsonl.gz", "con.jsonl.gz", "00/LPT1.jsonl.gz",
        "a b.jsonl.gz", "ä.jsonl.gz", "\u202egz.jsonl.gz", "a" * 300 + ".jsonl.gz", "00/00/a.jsonl.gz",
        "٣٣/a.jsonl.gz", "a.jsonl.gz\n", ".listing.jsonl", "-rf.jsonl.gz",
    ],
)  # fmt: skip
def test_everything_else_is_passed_over(name):
    assert not is_wanted(RAW + name, RAW)
    assert not is_wanted("/" + RAW + "a.jsonl.gz", RAW)
    assert not is_wanted("a.jsonl.gz", RAW)


def test_a_page():
    page = parse_listing(
        listing(
            "<Name>b</Name><IsTruncated>true</IsTruncated><NextContinuationToken>a+/=&amp;</NextContinuationToken>"
            + contents("x/&lt;y&gt;", " 12 ", '"0123456789abcdef0123456789abcdef"')
            + contents("z", "0", "&quot;d41d8cd98f00b204e9800998ecf8427e-3&quot;")
        )
    )
    assert page.next_token == "a+/=&"
    first, second = page.files
    assert first == StoredFile("x/<y>", 12, "0123456789abcdef0123456789abcdef")
    assert (first.md5, second.md5) == ("0123456789abcdef0123456789abcdef", None)
    assert second.etag.endswith("-3")


@pytest.mark.parametrize(
    "inner", ["", "<IsTruncated>false</IsTruncated>", "<KeyCount>0</KeyCount>", "<x><y/></x>"]
)
def test_an_empty_page(inner):
    page = parse_listing(listing(inner))
    assert (page.files, page.next_token) == ((), None)


def test_other_elements_of_the_same_names_mean_nothing():
    inner = f"<Other><Key>a</Key><IsTruncated>true</IsTruncated>{contents()}</Other>"
    owner = "<Contents><Key>k</Key><Owner><Key>evil</Key></Owner><Size>1</Size></Contents>"
    page = parse_listing(listing(inner + owner))
    assert page.files == (StoredFile("k", 1, ""),)
    assert page.next_token is None


BILLION_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(
        b'<!ENTITY %c "%s">' % (letter, b"&%c;" % (letter - 1) * 10) for letter in range(ord("b"), ord("k"))
    )
    + b"]><ListBucketResult><Contents><Key>&j;</Key></Contents></ListBucketResult>"
)
EXTERNAL = (
    b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b"<ListBucketResult><Contents><Key>&x;</Key><Size>1</Size></Contents></ListBucketResult>"
)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (BILLION_LAUGHS, "document type"),
        (EXTERNAL, "document type"),
        (b"<!DOCTYPE ListBucketResult><ListBucketResult/>", "document type"),
        (b"<ListBucketResult>&x;</ListBucketResult>", "not XML"),
        (b"", "not XML"),
        (b"<html>", "not a listing"),
        (b"<Error><Code>AccessDenied</Code></Error>", "not a listing"),
        (b"<ListBucketResult>", "not XML"),
        (b"<ListBucketResult/><x/>", "not XML"),
        (listing("\x00"), "not XML"),
        (listing("&#x1;"), "not XML"),
        (EXTERNAL.decode().encode("utf-16"), "document type"),
        (b"\xff" + listing(""), "not XML"),
        (listing("<a>" * 8 + "</a>" * 8), "too deep"),
        (listing("<a>" * 100_000), "too deep"),
        (listing(contents("k" * (MAX_KEY + 1))), "Key is longer"),
        (listing(contents(size="9" * 30)), "Size is longer"),
        (listing(contents(size="9" * 16)), "without a name or a size"),
        (listing(contents(size="-1")), "without a name or a size"),
        (listing(contents(size="٣")), "without a name or a size"),
        (listing(contents(size="")), "without a name or a size"),
        (listing(contents(key="")), "without a name or a size"),
        (listing("<Contents/>"), "without a name or a size"),
        (listing(contents() * (MAX_OBJECTS + 1)), "more than 1000 files"),
        (listing(f"<NextContinuationToken>{'t' * (MAX_TOKEN + 1)}</NextContinuationToken>"), "is longer"),
        (listing("<IsTruncated>true</IsTruncated>"), "does not say where"),
        (b" " * (MAX_PAGE + 1), "longer than"),
    ],
)
def test_what_is_no_listing(octets, why):
    with pytest.raises(ListingError, match=why):
        parse_listing(octets)


def test_as_many_as_a_page_may_have():
    assert len(parse_listing(listing(contents() * MAX_OBJECTS)).files) == MAX_OBJECTS


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ('"a1-2"', "a1-2"), (" a ", "a"), ('W/"a"', ""), ("", ""), ('"a\r\nx: y"', ""),
        ('"' + "a" * 81 + '"', ""), ('"a"b"', ""), ("ä", ""),
    ],
)  # fmt: skip
def test_entity_tags(text, tag):
    assert plain_etag(text) == tag
