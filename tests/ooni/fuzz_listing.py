"""Coverage-guided fuzzing of what comes from OONI's archive and API: listings, keys, rows, ids, tags.

python tests/ooni/fuzz_listing.py [CORPUS] [-runs=N]. Needs atheris. Whatever the octets are, a listing is
values in their limits or a ListingError, and no key that is wanted leads out of its folder.
"""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePosixPath, PureWindowsPath

import atheris

with atheris.instrument_imports(include=["kzmitm.ooni"]):
    from kzmitm import resources
    from kzmitm.ooni.archive_listing import (
        MAX_OBJECTS,
        MAX_TOKEN,
        ListingError,
        is_wanted,
        parse_listing,
        plain_etag,
    )
    from kzmitm.ooni.candidates import FIELDS, candidates, is_uid, name_in_order
    from kzmitm.ooni.publication import complaint, publishable
    from kzmitm.pki.registry import parse_registry

REGISTRY = parse_registry(resources.fingerprint_files(()))
PREFIX = "raw/20240301/15/KZ/webconnectivity/"
SAMPLE = (
    b'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>true'
    b"</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents><Key>raw/a.jsonl.gz</Key><ETag>"
    b"&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>12</Size></Contents></ListBucketResult>"
)
ROW = {"measurement_uid": "20240901151413.637888_KZ_webconnectivity_c351db70f739197a"}


def _listing(octets: bytes) -> None:
    with suppress(ListingError):
        page = parse_listing(octets)
        assert len(page.files) <= MAX_OBJECTS
        assert page.next_token is None or 0 < len(page.next_token) <= MAX_TOKEN
        for file in page.files:
            assert 0 <= file.size < 10**15
            assert plain_etag(f'"{file.etag}"') == file.etag
            _key(file.key)


def _key(key: str) -> None:
    if is_wanted(key, PREFIX):
        assert key.isascii()
        assert key.isprintable()
        for kind in (PurePosixPath, PureWindowsPath):
            path = kind("dest", key)
            assert path.is_relative_to(kind("dest", PREFIX))
            assert ".." not in path.parts
            assert not getattr(path, "drive", "")


def _changed(data: bytes) -> None:
    """The sample with some octets changed: each three of the input are a place and a value."""
    octets = bytearray(SAMPLE)
    for start in range(0, min(len(data), 300) - 2, 3):
        octets[int.from_bytes(data[start : start + 2]) % len(octets)] = data[start + 2]
    _listing(bytes(octets))


def _text(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    _key(PREFIX + text)
    name_in_order(text)
    if is_uid(text):
        assert PurePosixPath(text).name == text
        assert PureWindowsPath(text).name == text


def _row(data: bytes) -> None:
    """A row of the table with any values."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return
    rows = values if isinstance(values, list) else [values]
    for found in candidates([{**ROW, **dict(zip(FIELDS[1:], rows, strict=False))}, *rows], REGISTRY):
        json.dumps([found.uid, found.reasons, dict(found.row)])


def _document(data: bytes) -> None:
    """A line that is to be published."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict):
        told = publishable(value, anonymous_network=True)
        assert told == publishable(told, anonymous_network=True)
        complaint(told)


TARGETS: tuple[Callable[[bytes], None], ...] = (_listing, _changed, _text, _row, _document)


def one_input(data: bytes) -> None:
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
