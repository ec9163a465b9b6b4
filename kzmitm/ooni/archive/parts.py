"""Parts of an extract: what one task read, as Parquet in one folder that appears whole or not at all."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Any, Final, Self

import msgspec

from kzmitm.errors import UsageError
from kzmitm.ooni.archive.chains import Chain
from kzmitm.ooni.archive.parquet import Writer
from kzmitm.ooni.archive.planning import identity
from kzmitm.ooni.archive.rows import (
    COLUMNS,
    EXTRACT_FORMAT,
    CertificateRow,
    ChainRow,
    HandshakeRow,
    MeasurementRow,
)
from kzmitm.wording import Wording

EXTRACT: Final = "extract"
"""The folder of the parts below an analysis."""
SUMMARY: Final = "part.json"
OWN: Final = "own.jsonl"
"""Our own measurements, whole."""
MAX_PROBLEMS: Final = 100
"""Bad lines of a part that are named, and as many bad files; the rest is counted."""
MAX_DISTINCT: Final = 20_000
"""Certificates remembered as written: beyond it the next file of the part begins."""
MAX_MEASUREMENTS: Final = 100_000
"""Measurements of one file of a part."""
ROW_GROUPS: Final = {"measurements": 8_192, "handshakes": 8_192, "chains": 8_192, "certificates": 1_024}
"""Rows that are in memory at once, until they are turned into columns."""
MAX_HELD: Final = 4 << 20
"""Octets of certificates that are in memory at once; 1,024 ordinary ones have less than half of it."""
ABANDONED_S: Final = 86_400
"""Age of what is unfinished beyond which nobody is at it any more: a task takes minutes."""
_BUFFERED: Final = 256 << 10
_TEMPORARY: Final = ".unfinished-"


class Part:
    """A part being written below `folder`; use it as a context: what is not committed leaves nothing."""

    def __init__(self, folder: Path, name: str, scratch: str | None = None) -> None:
        self._final = folder / name
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = Path(mkdtemp(prefix=_TEMPORARY, dir=scratch or folder))
        self._own: IO[bytes] | None = None
        self._rows: dict[str, list[msgspec.Struct]] = {table: [] for table in COLUMNS}
        self._writers: dict[str, Writer] = {}
        self._number = 0
        self._chains: set[str] = set()
        self._certificates: set[str] = set()
        self._measurements = self._held = 0
        self.counts = dict.fromkeys(("measurements", "handshakes", "chains", "certificates", "own"), 0)
        self.problems: list[dict[str, Any]] = []
        self.bad = 0
        self.octets = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._own, *(writer.file for writer in self._writers.values())):
            if file is not None:
                with suppress(OSError):  # a full disk takes what was buffered no more than the rest
                    file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def measurement(self, row: MeasurementRow) -> None:
        if self._measurements >= MAX_MEASUREMENTS or len(self._certificates) >= MAX_DISTINCT:
            self._end_files()
        self._measurements += 1
        self._write("measurements", row)

    def handshake(self, row: HandshakeRow) -> None:
        self._write("handshakes", row)

    def chain(self, chain: Chain) -> None:
        """Keeps a chain and its certificates, unless this file of the part has them."""
        if chain.id in self._chains:
            return
        self._chains.add(chain.id)
        self._write("chains", ChainRow(chain=chain.id, certificates=chain.hashes))
        for digest, der in zip(chain.hashes, chain.ders, strict=True):
            if digest not in self._certificates:
                self._certificates.add(digest)
                self._held += len(der)
                self._write("certificates", CertificateRow(sha256=digest, der=der))
                if self._held >= MAX_HELD:
                    self._flush("certificates")

    def own(self, doc: int, line: bytes) -> None:
        """Keeps a measurement of ours whole, behind its number. In JSON, line ends are but spaces."""
        if self._own is None:
            self._own = (self._folder / OWN).open("wb", buffering=_BUFFERED)
        self._own.write(b"%d " % doc + line.replace(b"\n", b" ") + b"\n")
        self.counts["own"] += 1

    def problem(self, source: str, number: int, why: str) -> None:
        """Counts a document that could not be read, and names it as long as there are not too many.

        The rest of a file has the number 0; it is named however many bad lines came before.
        """
        self.bad += 1
        if len(self.problems) < (MAX_PROBLEMS if number else 2 * MAX_PROBLEMS):
            self.problems.append({"source": source, "line": number, "why": why[:300]})

    def commit(self, **about: Any) -> dict[str, Any]:
        """Makes the part appear, with a summary of it; a part that is there already stays as it is."""
        self._end_files()
        if self._own is not None:
            self._own.close()
        summary = {
            "format": EXTRACT_FORMAT,
            **about,
            "octets": self.octets,
            "counts": self.counts,
            "bad": self.bad,
            "problems": self.problems,
        }
        path = self._folder / SUMMARY
        written = sorted(self._folder.glob("*.parquet"))
        summary["files"] = {each.name: each.stat().st_size for each in written}
        path.write_text(json.dumps(summary, indent=1), encoding="utf-8")
        for each in self._folder.iterdir():
            _synchronise(each)
        try:
            self._folder.rename(self._final)
        except OSError:
            if not (self._final / SUMMARY).is_file():
                raise
            summary = read_summary(self._final)  # another worker did the same
        _synchronise(self._final.parent)
        return summary

    def _write(self, table: str, row: msgspec.Struct) -> None:
        rows = self._rows[table]
        rows.append(row)
        self.counts[table] += 1
        if len(rows) >= ROW_GROUPS[table]:
            self._flush(table)

    def _flush(self, table: str) -> None:
        """Turns the rows that are in memory into columns."""
        rows = self._rows[table]
        if not rows:
            return
        writer = self._writers.get(table)
        if writer is None:
            path = self._folder / f"{table}-{self._number}.parquet"
            writer = self._writers[table] = Writer(path.open("wb"), COLUMNS[table])
        writer.write(rows)
        rows.clear()
        if table == "certificates":
            self._held = 0

    def _end_files(self) -> None:
        """Begins the next file of every table."""
        for table in COLUMNS:
            self._flush(table)
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
        self._number += 1
        self._measurements = 0
        self._chains.clear()
        self._certificates.clear()


@contextmanager
def scratch_in(folder: str) -> Iterator[str]:
    """A place for what is unfinished, gone at the end with whatever killed workers left there.

    Those of runs that were killed themselves go with the first run a day later; a run that is alive makes and
    moves parts all the time, so that its place is never that old.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    place = Path(mkdtemp(prefix=_TEMPORARY, dir=folder))
    try:
        now = place.stat().st_mtime  # the clock of the file system, which others may share
        for other in Path(folder).glob(f"{_TEMPORARY}*"):
            with suppress(OSError):
                if now - other.stat().st_mtime > ABANDONED_S:
                    shutil.rmtree(other)
        yield str(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _synchronise(path: Path) -> None:
    """Let it survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def quoted(path: Path | str) -> str:
    """A text as SQL writes it."""
    return "'" + str(path).replace("'", "''") + "'"


class DamagedPartError(UsageError, ValueError):
    """A part is not what was written; says what is wrong with it."""

    hint = Wording("remove this part and read its files again")


def read_summary(part: Path) -> dict[str, Any]:
    """What a part says of itself; raises DamagedPartError for no summary of a known format, OSError."""
    try:
        summary = json.loads((part / SUMMARY).read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        summary = None
    if not isinstance(summary, dict) or not str(summary.get("format", "")).startswith("kzmitm.extract/1."):
        raise DamagedPartError("{part}: no part of an extract that this version reads", part=part)
    return summary


def folders_of(folder: Path) -> Iterator[Path]:
    """What may be the parts in an extract, in order of their names; what a killed worker left is none."""
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if not path.name.startswith(".") and (path / SUMMARY).is_file():
                yield path


def parts_of(folder: Path) -> Iterator[Path]:
    """The parts in an extract; raises DamagedPartError for one that is not as it was written, OSError.

    What is missing must not be taken for what was not measured.
    """
    for part in folders_of(folder):
        summary = read_summary(part)
        if not _is_complete(summary):
            raise DamagedPartError("{part}: its summary is damaged", part=part)
        demand_files(part, summary)
        yield part


def _is_complete(summary: Mapping[str, Any]) -> bool:
    """All that is asked of a summary later is there."""
    counts = summary.get("counts")
    lists = [summary.get("sources", []), summary.get("problems")]
    return (
        isinstance(counts, dict)
        and all(type(counts.get(table)) is int for table in COLUMNS)
        and all(type(summary.get(name)) is int for name in ("octets", "bad"))
        and all(isinstance(rows, list) and all(isinstance(each, dict) for each in rows) for rows in lists)
    )


def demand_files(part: Path, summary: Mapping[str, Any], *, sizes: bool = True) -> None:
    """Raises DamagedPartError if a file is not there, or not of its size, OSError.

    Summaries of before they told of files tell nothing, nor do those of a merge.
    """
    told = summary.get("files")
    for name, size in told.items() if isinstance(told, dict) else ():
        path = part / Path(name).name
        if not path.is_file() or (sizes and path.stat().st_size != size):
            raise DamagedPartError("{part}: {name} is not there, or not whole", part=part, name=path.name)


def sources_of(part: Path) -> Iterator[str]:
    """The identities of the files that a part was made of, as `planning` gives them.

    None of a part that came by a merge: it says what others read, and must not keep ours from being read.
    """
    with suppress(ValueError, OSError):
        for each in read_summary(part).get("sources", ()):
            if each.get("mark"):
                yield identity(each["name"], each["octets"], each["mark"])
