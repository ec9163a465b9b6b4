"""Results of one share on the disk: compressed lines of OONI's format, and a log that says which are whole.

A batch is written as one Zstandard frame and made to reach the disk; then the log tells of it. Whatever lies
behind the end that the log knows was never promised, and is cut off when the share is opened again. So a
job has exactly one result, however often the process or the power went.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from io import RawIOBase
from math import isnan
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self

from kzmitm.campaign.compression import compressor
from kzmitm.campaign.log import Log, LogDamagedError, read_log, write_all
from kzmitm.errors import UsageError
from kzmitm.model.verdict import Outcome

LOG: Final = "results.log"
MANIFEST: Final = "manifest.json"
FORMAT: Final = "kzmitm.share/1.0"
SEGMENT_OCTETS: Final = 64 << 20
"""Compressed octets of a segment, after which the next begins: what tools and people handle easily."""
LEVEL: Final = 3
MAX_JOBS: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class Result:
    """What is known of a job without its line. `state` is `done`, or `failed` by the vantage's fault."""

    number: int
    state: str
    outcome: str = ""
    confidence: str = ""
    authority: str = ""
    certificate: str = ""
    """SHA-256 of the leaf that the verdict is about."""
    at: float = 0.0
    """When it was measured, in seconds since 1970."""

    @property
    def is_failed(self) -> bool:
        return self.state == "failed"


FIELDS: Final = tuple(each.name for each in fields(Result))
_OUTCOMES: Final = frozenset(Outcome)
_SEGMENT: Final = re.compile(r"\d{4,9}\.jsonl\.zst", re.ASCII)
_LARGEST: Final = 1 << 62
"""Seconds since 1970; clocks may be set beyond the calendar, but no number is longer."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a record of the log tells: results, and up to where in a segment their lines lie."""

    segment: str
    end: int
    results: tuple[Result, ...]


def batches(path: Path) -> Iterator[Batch]:
    """The batches that a share's log tells of; raises OSError, LogDamagedError.

    Somebody else may have written the log, or a later version of ours: checksums tell nothing of that.
    """
    for record in read_log(path):
        if "results" in record:
            yield _batch(record, path)


def _batch(record: Mapping[str, Any], path: Path) -> Batch:
    segment, end, rows = record.get("segment"), record.get("end"), record["results"]
    if (
        not isinstance(segment, str)
        or not _SEGMENT.fullmatch(segment)
        or type(end) is not int
        or end < 0
        or not isinstance(rows, list)
        or not all(map(_is_result, rows))
    ):
        raise LogDamagedError(
            "{path}: a record is not what this version writes",
            hint="restore it from a copy, or begin anew",
            path=path,
        )
    return Batch(segment, end, tuple(Result(*row) for row in rows))


def _is_result(row: Any) -> bool:
    if not isinstance(row, list) or len(row) != len(FIELDS):
        return False
    number, *texts, at = row
    state, outcome = texts[:2]
    return (
        type(number) is int
        and 0 <= number < MAX_JOBS
        and all(isinstance(text, str) for text in texts)
        and (outcome in _OUTCOMES if state == "done" else (state, outcome) == ("failed", ""))
        and ((type(at) is float and not isnan(at)) or (type(at) is int and abs(at) <= _LARGEST))
    )


class ShareStore:
    """The results of a share; one process at a time may have it open. Raises OSError, UsageError."""

    def __init__(self, folder: Path, *, plan: str, jobs: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._plan = plan
        self._final = bytearray(jobs)
        """By number: 0 nothing, 1 done, 2 failed."""
        self._segment, self._end = "", 0
        self._batch: list[tuple[Result, bytes]] = []
        self._turn = Lock()
        self._compressor = compressor(LEVEL)
        for result in self._replay():
            self._mark(result)
        self._log = Log(folder / LOG)
        if not self._segment:
            self._log.append({"format": FORMAT, "plan": plan, "jobs": jobs})
        self._file: RawIOBase | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _replay(self) -> Iterator[Result]:
        path = self.folder / LOG
        if not path.exists():
            return
        for record in read_log(path):
            if record.get("plan", self._plan) != self._plan:
                raise UsageError(
                    "{folder}: belongs to another plan",
                    hint="the file, its lists or its seed changed; give the campaign another --out",
                    folder=self.folder,
                )
            if "results" in record:
                batch = _batch(record, path)
                self._segment, self._end = batch.segment, batch.end
                yield from batch.results

    def _mark(self, result: Result) -> None:
        if not 0 <= result.number < len(self._final):
            raise UsageError("{folder}: tells of a job that the plan does not have", folder=self.folder)
        self._final[result.number] = 2 if result.is_failed else 1

    def is_final(self, number: int) -> bool:
        """The job has a result that stays, unless failed ones are to be tried again."""
        return self._final[number] != 0

    def forget_failed(self) -> int:
        """Let failed jobs be tried again; how many there are."""
        failed = self._final.count(2)
        self._final = self._final.replace(b"\2", b"\0")
        return failed

    @property
    def counts(self) -> tuple[int, int, int]:
        """Jobs done, failed, left."""
        done, failed = self._final.count(1), self._final.count(2)
        return done, failed, len(self._final) - done - failed

    @property
    def waiting(self) -> int:
        """Results that were added and are not on the disk yet."""
        return len(self._batch)

    def add(self, result: Result, line: bytes) -> bool:
        """Take a result to be written with the next batch; False if the job has one already."""
        if self._final[result.number]:
            return False
        self._mark(result)
        self._batch.append((result, line))
        return True

    def flush(self) -> None:
        """Have all that was added on the disk; raises OSError and keeps it for the next try.

        Results may be added meanwhile, and others may call it: it is made to run in a thread.
        """
        with self._turn:
            self._write(list(self._batch))

    def _write(self, batch: list[tuple[Result, bytes]]) -> None:
        if not batch:
            return
        lines = b"".join(line.rstrip(b"\n") + b"\n" for _, line in batch if line)
        file = self._open_segment()
        end = self._end
        if lines:
            frame = self._compressor.compress(lines)
            write_all(file, frame)
            end += len(frame)
        rows = [[getattr(result, name) for name in FIELDS] for result, _ in batch]
        self._log.append({"segment": self._segment, "end": end, "results": rows})
        self._end = end
        del self._batch[: len(batch)]

    def _open_segment(self) -> RawIOBase:
        """The segment to append to; what an earlier try left behind the end that the log knows is cut off."""
        if self._file is None or self._end >= SEGMENT_OCTETS:
            self._close_segment()
            is_gone = self._segment and not (self.folder / self._segment).exists()  # deleted by retention
            if not self._segment or self._end >= SEGMENT_OCTETS or is_gone:
                number = int(self._segment.partition(".")[0] or 0) + 1
                self._segment, self._end = f"{number:04d}.jsonl.zst", 0
            # Without a buffer, which would keep what a full disk did not take, and write it again later.
            self._file = (self.folder / self._segment).open("ab", buffering=0)
        if os.fstat(self._file.fileno()).st_size > self._end:
            self._file.truncate(self._end)
        return self._file

    def _close_segment(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def close(self) -> None:
        """Close the files; what was not flushed is given up."""
        with self._turn:
            self._close_segment()
            self._log.__exit__(None, None, None)

    def segments(self) -> list[Path]:
        """The files that hold the lines, in order."""
        return sorted(self.folder.glob("[0-9]*.jsonl.zst"))

    def _removed(self) -> list[dict[str, Any]]:
        """What an earlier manifest tells of segments that are not kept any more."""
        path = self.folder / MANIFEST
        if not path.exists():
            return []
        told = json.loads(path.read_text(encoding="utf-8"))["segments"]
        return [each for each in told if each.get("removed") and not (self.folder / each["name"]).exists()]

    def write_manifest(self, about: Mapping[str, Any]) -> None:
        """Say what the share holds, with the hash of every segment; appears whole."""
        done, failed, left = self.counts
        document = {
            "format": FORMAT,
            "plan": self._plan,
            **about,
            "jobs": {"done": done, "failed": failed, "left": left},
            "segments": [
                *self._removed(),
                *(
                    {"name": path.name, "octets": path.stat().st_size, "sha256": _hash(path)}
                    for path in self.segments()
                ),
            ],
        }
        temporary = self.folder / f".{MANIFEST}"
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.folder / MANIFEST)


def results_of(folder: Path) -> Iterator[Result]:
    """The results that a share's log tells of, the last word of each job last."""
    path = folder / LOG
    if path.exists():
        for batch in batches(path):
            yield from batch.results


def _hash(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
