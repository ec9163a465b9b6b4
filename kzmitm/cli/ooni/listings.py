"""What the archive was said to hold, remembered beside the files, so that a second run need not ask again.

`.listing.jsonl` has a line for each prefix that was listed, and for each file that turned out to be another.
A listing is believed again once it was made so long after its day that nothing more is uploaded there.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kzmitm.evidence.files import LineLog
from kzmitm.model.codec import format_time, parse_time
from kzmitm.ooni.archive_listing import StoredFile, is_wanted, plain_etag

NAME = ".listing.jsonl"
SETTLED = timedelta(days=3)
"""After the day's end; uploads to the archive are hourly, and late ones came within two days."""
MAX_LINE = 1 << 22

_DAY = re.compile(r"/(\d{8})/")


class Listings:
    """The listings of one endpoint below a folder. Nothing is written before something is kept."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self._path = folder / NAME
        self._endpoint = endpoint
        self._log: LineLog | None = None
        self._listed: dict[str, tuple[datetime, tuple[StoredFile, ...]]] = {}
        self._changed: dict[str, StoredFile] = {}
        with suppress(FileNotFoundError, NotADirectoryError):
            self._read()

    def settled(self, prefix: str) -> tuple[StoredFile, ...] | None:
        """The files below a prefix, if that is known for good."""
        listed_at, files = self._listed.get(prefix, (None, ()))
        day = _DAY.search(prefix)
        if listed_at is None or day is None:
            return None
        end = datetime.strptime(day[1], "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=1)
        if listed_at < end + SETTLED:
            return None
        return tuple(self._changed.get(file.key, file) for file in files)

    def keep(self, prefix: str, files: Sequence[StoredFile], now: datetime) -> None:
        """Remember a whole listing; raises OSError."""
        self._append(
            {"prefix": prefix, "listed_at": format_time(now), "files": [_to_json(file) for file in files]}
        )

    def correct(self, file: StoredFile) -> None:
        """Remember that a file is another one than was listed; raises OSError."""
        self._append({"changed": _to_json(file)})

    def close(self) -> None:
        if self._log is not None:
            self._log.close()

    def _append(self, told: dict[str, Any]) -> None:
        if self._log is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._log = LineLog(self._path)
        try:
            self._log.append(json.dumps({"endpoint": self._endpoint, **told}).encode() + b"\n")
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror, str(self._path)) from exc

    def _read(self) -> None:
        """What a line means that is damaged, or of another endpoint, is asked again."""
        with self._path.open("rb") as file:
            for line in iter(lambda: file.readline(MAX_LINE), b""):
                with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
                    self._learn(json.loads(line))

    def _learn(self, told: Any) -> None:
        if told["endpoint"] != self._endpoint:
            return
        if "changed" in told:
            file = _of_json(told["changed"])
            self._changed[file.key] = file
            return
        prefix = str(told["prefix"])
        files = tuple(file for file in map(_of_json, told["files"]) if is_wanted(file.key, prefix))
        self._listed[prefix] = (parse_time(told["listed_at"]), files)
        for each in files:
            self._changed.pop(each.key, None)


def _to_json(file: StoredFile) -> list[str | int]:
    return [file.key, file.size, file.etag]


def _of_json(told: Any) -> StoredFile:
    key, size, etag = told
    if not isinstance(key, str) or type(size) is not int or size < 0:
        raise ValueError("not a file")
    return StoredFile(key, size, plain_etag(str(etag)))
