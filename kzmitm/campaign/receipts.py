"""Who signed the lines of a share: key and signature by job, beside the lines, for others to check."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self

from kzmitm.campaign.log import Log, read_log
from kzmitm.campaign.work import WorkResult

RECEIPTS: Final = "receipts.log"


class Receipts:
    """The receipts of a share, open for writing; as a context manager it closes. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._log = Log(folder / RECEIPTS)
        self._batch: list[list[Any]] = []
        self._turn = Lock()

    def add(self, number: int, result: WorkResult) -> None:
        """Take one, to be written with the next batch."""
        self._batch.append([number, result.key.line, result.signature.decode("ascii")])

    def flush(self) -> None:
        """Have them on the disk, before the lines that they are of: one too many is of no harm.

        Others may be added meanwhile, and others may call it: it is made to run in a thread.
        """
        with self._turn:
            batch = list(self._batch)
            if batch:
                self._log.append({"receipts": batch})
                del self._batch[: len(batch)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self.flush()
        with self._turn:
            self._log.__exit__(kind, error, trace)


def read_receipts(folder: Path) -> Iterator[tuple[int, str, str]]:
    """Number, key and signature of each; the last word of each job last."""
    path = folder / RECEIPTS
    if path.exists():
        for record in read_log(path):
            for number, key, signature in record.get("receipts", ()):
                yield int(number), str(key), str(signature)
