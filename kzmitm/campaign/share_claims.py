"""What a stranger's share claims, read within hard limits, and the choice among several claims of one job."""

from array import array
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, BinaryIO, Final

from kzmitm.campaign.compression import bounded_reader, is_damage
from kzmitm.campaign.intake import Reason, RefusedError
from kzmitm.campaign.log import read_records
from kzmitm.campaign.packing import Pack
from kzmitm.campaign.plan import Plan, Share
from kzmitm.wording import Wording

FAILED: Final = "failed"
DONE: Final = "done"
MAX_LINE: Final = 4 << 20
"""Octets of a line: a worker's have at most one megabyte."""
MAX_CLAIMS: Final = 4
"""Claims for each job of a share: it may have failed and been tried again."""
_BLOCK: Final = 1 << 16


def claims_of(pack: Pack, share: Share, plan: Plan) -> Iterator[tuple[int, str]]:
    """Number and state of each result that a share's log tells of, in the order of their lines.

    A number that the plan does not have is -1. Raises RefusedError, BundleError, ValueError, UsageError.
    """
    name = f"rounds/{share.round:04d}/{share.vantage}/results.log"
    left = MAX_CLAIMS * plan.jobs_per_share + 64
    with pack.container.open(name) as file:
        for number, record in enumerate(read_records(file.read, pack.path)):
            if not number and record.get("plan") != plan.digest:
                raise RefusedError(Reason.OTHER_PLAN)
            for row in _rows(record):
                left -= 1
                if left < 0:
                    raise ValueError(Wording("more results than a share can have"))
                yield _claim(row, plan.jobs_per_share)


def lines_of(pack: Pack, segments: list[str]) -> Iterator[bytes]:
    """The lines of segments, one after another; raises BundleError, ValueError."""
    for name in segments:
        with pack.container.open(name) as file, bounded_reader(file) as reader:
            rest = b""
            while block := _read(reader):
                *lines, rest = (rest + block).split(b"\n")
                if len(rest) > MAX_LINE:
                    raise ValueError(Wording("a line longer than any"))
                yield from lines


def _read(reader: Any) -> bytes:
    try:
        return bytes(reader.read(_BLOCK))
    except Exception as exc:
        if is_damage(exc):
            raise ValueError(Wording("not compressed as it should be: {why}", why=exc)) from None
        raise


def _rows(record: dict[str, Any]) -> list[Any]:
    rows = record.get("results", [])
    if not isinstance(rows, list):
        raise ValueError(Wording("no list of results"))  # noqa: TRY004 (as every other damage)
    return rows


def _claim(row: Any, jobs: int) -> tuple[int, str]:
    if not isinstance(row, list) or len(row) < 2 or row[1] not in (DONE, FAILED):
        raise ValueError(Wording("no result"))
    number, state = row[:2]
    is_known = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < jobs
    return (number if is_known else -1), state


class Chosen:
    """For each job of a share the one line that is taken, whatever came first; kept in a file."""

    def __init__(self, spool: BinaryIO, jobs: int) -> None:
        self._spool = spool
        self._starts = array("Q", bytes(8 * jobs))
        self._sizes = array("I", bytes(4 * jobs))
        self._digests = bytearray(32 * jobs)
        self._failed = bytearray(jobs)
        self._contradicted = bytearray(jobs)
        self.doubles = 0

    @property
    def conflicts(self) -> int:
        """Jobs of which two lines say different things."""
        return self._contradicted.count(1)

    def add(self, number: int, line: bytes) -> None:
        """Consider a line: the smallest hash wins, whatever came first."""
        digest = sha256(line).digest()
        known = bytes(self._digests[32 * number : 32 * number + 32])
        is_new = not self._sizes[number]
        self.doubles += not is_new
        if not is_new and known != digest:
            self._contradicted[number] = 1
        if is_new or digest < known:
            self._digests[32 * number : 32 * number + 32] = digest
            self._starts[number] = self._spool.seek(0, 2)
            self._sizes[number] = len(line)
            self._spool.write(line)

    def fail(self, number: int) -> None:
        """Note that somebody's vantage failed at it; a line of anybody counts for more."""
        if number >= 0:
            self._failed[number] = 1

    def is_failed(self, number: int) -> bool:
        return bool(self._failed[number])

    def line(self, number: int) -> bytes | None:
        """The line of a job, None if there is none."""
        size = self._sizes[number]
        if not size:
            return None
        self._spool.seek(self._starts[number])
        return self._spool.read(size)
