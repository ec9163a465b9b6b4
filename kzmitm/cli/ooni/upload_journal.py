"""What became of each measurement of an upload, on the disk before and after it is sent.

`NAME.uploads` stands beside the file: a JSON object a line, each flushed to the disk. A measurement is known
by the SHA-256 of what is sent. `sending` without a later word is of an upload that was killed: nobody can
tell whether the collector has it.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Self

from kzmitm.errors import UsageError
from kzmitm.evidence.files import LineLog
from kzmitm.evidence.locking import lock
from kzmitm.model.codec import format_time
from kzmitm.report.language import _

SUFFIX = ".uploads"
MAX_LINE = 1 << 16


class Sent(StrEnum):
    """What is known of a measurement."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"
    """No answer of success came, however often it was tried."""


class UploadJournal:
    """The journal of one file and one collector, locked as long as it is open."""

    def __init__(self, path: Path, endpoint: str) -> None:
        """Open or begin it; raises UsageError if another upload has it, OSError."""
        self._endpoint = endpoint
        self._states: dict[str, Sent] = {}
        self._uids: dict[str, str] = {}
        self._log = LineLog(path)
        self._file: IO[bytes] = path.open("rb+")
        if not lock(self._file.fileno()):
            self.close()
            raise UsageError(
                _("{path}: another upload of this file is running, or nothing can be locked here").format(
                    path=path
                ),
                hint=_("wait for its end, or copy the file to another disk"),
            )
        for line in iter(lambda: self._file.readline(MAX_LINE), b""):
            with suppress(ValueError, TypeError, KeyError, RecursionError):
                self._learn(json.loads(line))

    def state(self, sha256: str) -> Sent | None:
        """The last that is known of a measurement."""
        return self._states.get(sha256)

    def uid(self, sha256: str) -> str:
        """What the collector called it."""
        return self._uids.get(sha256, "")

    def write(self, sha256: str, state: Sent, *, at: datetime, uid: str = "", said: str = "") -> None:
        """Note something, and wait until it would survive a loss of power; raises OSError."""
        told = {
            "endpoint": self._endpoint,
            "sha256": sha256,
            "state": state,
            "at": format_time(at),
            "measurement_uid": uid,
            "said": said,
        }
        self._log.append(json.dumps(told).encode() + b"\n")
        self._log.sync()
        self._learn(told)

    def close(self) -> None:
        self._log.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_words: object) -> None:
        self.close()

    def _learn(self, told: Mapping[str, Any]) -> None:
        if told["endpoint"] == self._endpoint:
            self._states[told["sha256"]] = Sent(told["state"])
            self._uids[told["sha256"]] = str(told["measurement_uid"])


def journal_path(path: Path) -> Path:
    """Beside the file, or the folder of a bundle: in it, it would alter the bundle."""
    whole = path.absolute()
    return whole.with_name(whole.name + SUFFIX)
