"""What OONI's archive holds for a country, a test and some days: where to look, and what a listing says.

Pure. The archive is an S3 bucket that anybody may read; its layouts (`ooni/backend`, `oonidata`):

| from       | key                                                                                 |
|------------|-------------------------------------------------------------------------------------|
| 2020-10-20 | `raw/<YYYYMMDD>/<HH>/<CC>/<testname>/<YYYYMMDDHH>_<CC>_<testname>.<host>.<n>.<type>` |
| before     | `jsonl/<testname>/<CC>/<YYYYMMDD>/<HH>/<name>.<type>`                               |

Both have files on the days of the change. The date is that of the upload, which may be days after the
measurement. `<type>` is `jsonl.gz`, or `tar.gz` for measurements that came one by one ("postcans").
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from xml.parsers import expat

from kzmitm.errors import WordedError

FIRST_RAW_DAY = date(2020, 10, 20)
LAST_JSONL_DAY = date(2020, 10, 21)
HOURS = 24

MAX_PAGE = 4 << 20
"""Octets of a page: a thousand keys of the longest possible (1,024) and what is around them are 1.5 MiB."""
MAX_OBJECTS = 1000
"""Of a page (ListObjectsV2, max-keys)."""
MAX_KEY = 1024
"""Octets (S3: object keys)."""
MAX_TOKEN = 2048
"""Characters; S3's continuation tokens have about a hundred."""
MAX_DEPTH = 8
"""Of elements; a listing has four."""
MAX_SIZE_DIGITS = 15

_NAME = re.compile(r"(?:\d{2}/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,200}\.(?:jsonl|tar)\.gz", re.ASCII)
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)\..*", re.ASCII | re.IGNORECASE)
"""Names that Windows takes for devices, whatever follows the dot."""
_ETAG = re.compile(r"[0-9A-Za-z_.:-]{1,80}", re.ASCII)
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)


class ListingError(WordedError, ValueError):
    """The octets are no listing that we accept."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the archive; `etag` without quotes, "" where the listing has none that can be used."""

    key: str
    size: int
    etag: str

    @property
    def md5(self) -> str | None:
        """The MD5 of the content; None for a file that was uploaded in parts (`<hex>-<parts>`)."""
        return self.etag if _MD5.fullmatch(self.etag) else None


@dataclass(frozen=True, slots=True)
class ListingPage:
    """A page of a listing; `next_token` is None at its end."""

    files: tuple[StoredFile, ...]
    next_token: str | None


def prefixes(cc: str, since: date, until: date, tests: Sequence[str]) -> Iterator[str]:
    """Where files of the days from `since` up to and without `until` lie, oldest first.

    A day of the present layout has a prefix for each hour: a prefix of the day would list all countries.
    """
    names = [name.replace("_", "") for name in tests]
    for day in (since + timedelta(days=n) for n in range((until - since).days)):
        if day <= LAST_JSONL_DAY:
            yield from (f"jsonl/{name}/{cc}/{day:%Y%m%d}/" for name in names)
        if day >= FIRST_RAW_DAY:
            for hour in range(HOURS):
                yield from (f"raw/{day:%Y%m%d}/{hour:02}/{cc}/{name}/" for name in names)


def is_wanted(key: str, prefix: str) -> bool:
    """True for a file of measurements directly below a prefix of ours, which is a safe path everywhere.

    Everything else is passed over: indices of the archive, and whatever a hostile server makes up.
    """
    name = key.removeprefix(prefix)
    if name == key or not _NAME.fullmatch(name) or ".." in name:
        return False
    return not _DEVICE.fullmatch(name.rpartition("/")[2])


def parse_listing(octets: bytes) -> ListingPage:
    """The page in an answer to ListObjectsV2; raises ListingError.

    No document type is accepted, and so no entity: none can grow, and none can name a file of ours.
    """
    if len(octets) > MAX_PAGE:
        raise ListingError("longer than {max_page} octets", max_page=MAX_PAGE)
    reader = _Reader()
    parser = expat.ParserCreate("UTF-8", " ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(octets, True)  # noqa: FBT003 (expat's own: this is all)
    except expat.ExpatError as exc:
        raise ListingError("not XML: {why}", why=exc) from None
    return reader.page()


def _refuse(*_: object) -> None:
    raise ListingError("it declares a document type")


_FACTS = ("Key", "Size", "ETag")
_LIMITS = {"Key": MAX_KEY, "Size": 20, "ETag": 100, "NextContinuationToken": MAX_TOKEN, "IsTruncated": 8}


class _Reader:
    """Gathers the few elements that matter, each in its limit."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._heard: list[str] = []
        self._length = 0
        self._entry: dict[str, str] = {}
        self._top: dict[str, str] = {}
        self._files: list[StoredFile] = []

    def start(self, tag: str, _attributes: object) -> None:
        name = tag.rpartition(" ")[2]
        if not self._path and name != "ListBucketResult":
            raise ListingError("not a listing, but {name}", name=repr(name[:40]))
        self._path.append(name)
        if len(self._path) > MAX_DEPTH:
            raise ListingError("nested too deep")
        self._heard, self._length = [], 0
        if self._path[1:] == ["Contents"]:
            self._entry = {}
            if len(self._files) >= MAX_OBJECTS:
                raise ListingError("more than {max_objects} files on a page", max_objects=MAX_OBJECTS)

    def text(self, data: str) -> None:
        limit = _LIMITS.get(self._path[-1])
        if limit is None:
            return
        self._length += len(data)
        if self._length > limit:
            raise ListingError("{path} is longer than {limit} characters", path=self._path[-1], limit=limit)
        self._heard.append(data)

    def end(self, _tag: str) -> None:
        inner = self._path[1:]
        name = self._path.pop()
        if len(inner) == 2 and inner[0] == "Contents" and name in _FACTS:
            self._entry[name] = "".join(self._heard)
        elif inner == ["Contents"]:
            self._files.append(_stored(self._entry))
        elif len(inner) == 1 and name in _LIMITS:
            self._top[name] = "".join(self._heard)

    def page(self) -> ListingPage:
        token = None
        if self._top.get("IsTruncated", "").strip() == "true":
            token = self._top.get("NextContinuationToken")
            if not token:
                raise ListingError("it goes on, and does not say where")
        return ListingPage(tuple(self._files), token)


def _stored(entry: dict[str, str]) -> StoredFile:
    key, size = entry.get("Key", ""), entry.get("Size", "").strip()
    if not key or not size.isascii() or not size.isdigit() or len(size) > MAX_SIZE_DIGITS:
        raise ListingError("a file without a name or a size")
    return StoredFile(key, int(size), plain_etag(entry.get("ETag", "")))


def plain_etag(text: str) -> str:
    """An entity tag without its quotes; "" for a weak one (RFC 9110, 8.8.3), which proves no octets."""
    tag = text.strip().strip('"')
    return tag if _ETAG.fullmatch(tag) and not text.strip().startswith("W/") else ""
