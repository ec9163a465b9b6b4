"""Parts of an extract: what one task read, as Parquet in one folder that appears whole or not at all."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Any, Final, Self

import duckdb
import msgspec

from kzmitm.ooni.archive.chains import Chain
from kzmitm.ooni.archive.rows import (
    COLUMNS,
    DEFAULTS,
    EXTRACT_FORMAT,
    CertificateRow,
    ChainRow,
    HandshakeRow,
    MeasurementRow,
)

EXTRACT: Final = "extract"
"""The folder of the parts below an analysis."""
SUMMARY: Final = "part.json"
OWN: Final = "own.jsonl"
"""Our own measurements, whole."""
MAX_PROBLEMS: Final = 100
"""Bad lines of a part that are named; the rest is counted."""
MAX_DISTINCT: Final = 20_000
"""Certificates remembered as written: beyond it the next file of the part begins."""
MAX_MEASUREMENTS: Final = 100_000
"""Measurements of one file of a part."""
ROW_GROUPS: Final = {"measurements": 20_480, "handshakes": 20_480, "chains": 8_192, "certificates": 2_048}
"""Rows that are in memory at once while they are turned into columns."""
MAX_ROW: Final = 256 << 10
"""Octets of a row as JSON: a certificate of MAX_DER octets in base64 is the longest."""
_BUFFERED: Final = 256 << 10
_TEMPORARY: Final = ".unfinished-"

_COMPRESSION: Final = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE"


class Part:
    """A part being written below `folder`; use it as a context: what is not committed leaves nothing."""

    def __init__(self, folder: Path, name: str) -> None:
        self._final = folder / name
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = Path(mkdtemp(prefix=_TEMPORARY, dir=folder))
        self._encoder = msgspec.json.Encoder()
        self._files: dict[str, IO[bytes]] = {}
        self._number = 0
        self._chains: set[str] = set()
        self._certificates: set[str] = set()
        self._rows = 0
        self.counts = dict.fromkeys(("measurements", "handshakes", "chains", "certificates", "own"), 0)
        self.problems: list[dict[str, Any]] = []
        self.bad = 0
        self.octets = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            with suppress(OSError):  # a full disk takes what was buffered no more than the rest
                file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def measurement(self, row: MeasurementRow) -> None:
        if self._rows >= MAX_MEASUREMENTS or len(self._certificates) >= MAX_DISTINCT:
            self._to_parquet()
        self._rows += 1
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
                self._write("certificates", CertificateRow(sha256=digest, der=der))

    def own(self, doc: int, line: bytes) -> None:
        """Keeps a measurement of ours whole, behind its number. In JSON, line ends are but spaces."""
        self._file(OWN).write(b"%d " % doc + line.replace(b"\n", b" ") + b"\n")
        self.counts["own"] += 1

    def problem(self, source: str, number: int, why: str) -> None:
        """Counts a document that could not be read, and names it as long as there are not too many."""
        self.bad += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append({"source": source, "line": number, "why": why[:300]})

    def commit(self, **about: Any) -> dict[str, Any]:
        """Makes the part appear, with a summary of it; a part that is there already stays as it is."""
        self._to_parquet()
        summary = {
            "format": EXTRACT_FORMAT,
            **about,
            "octets": self.octets,
            "counts": self.counts,
            "bad": self.bad,
            "problems": self.problems,
        }
        for file in self._files.values():
            file.close()
        self._files.clear()
        path = self._folder / SUMMARY
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

    def _file(self, name: str) -> IO[bytes]:
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = (self._folder / name).open("wb", buffering=_BUFFERED)
        return file

    def _write(self, table: str, row: msgspec.Struct) -> None:
        self._file(table).write(self._encoder.encode(row) + b"\n")
        self.counts[table] += 1

    def _to_parquet(self) -> None:
        """Turns the rows written so far into columns."""
        for table in COLUMNS:
            file = self._files.pop(table, None)
            if file is not None:
                file.close()
                rows = self._folder / table
                _copy(table, rows, self._folder / f"{table}-{self._number}.parquet")
                rows.unlink()
        self._number += 1
        self._rows = 0
        self._chains.clear()
        self._certificates.clear()


def _synchronise(path: Path) -> None:
    """Let it survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """One connection for all parts of a process: one thread, and memory for one group of rows."""
    return duckdb.connect(":memory:", config={"threads": 1, "preserve_insertion_order": True})


def _copy(table: str, rows: Path, parquet: Path) -> None:
    columns = COLUMNS[table]
    types = ", ".join(f"{name}: '{'VARCHAR' if kind == 'BLOB' else kind}'" for name, kind in columns.items())
    chosen = ", ".join(_selected(table, name, kind) for name, kind in columns.items())
    _engine().execute(
        f"COPY (SELECT {chosen} FROM read_json({quoted(rows)}, format = 'newline_delimited',"  # noqa: S608
        f" columns = {{{types}}}, hive_partitioning = false, maximum_object_size = {MAX_ROW}))"
        f" TO {quoted(parquet)}"
        f" ({_COMPRESSION} {ROW_GROUPS[table]})"
    )


def _selected(table: str, name: str, kind: str) -> str:
    """A column, with what it means to be left out."""
    if kind == "BLOB":
        return f"from_base64({name}) AS {name}"
    default = DEFAULTS.get(table, {}).get(name)
    if default is None:
        return name
    literal = f"'{default}'" if isinstance(default, str) else str(default).lower()
    return (
        f"NULLIF({name}, NULL) AS {name}" if kind == "TIMESTAMP" else f"COALESCE({name}, {literal}) AS {name}"
    )


def quoted(path: Path | str) -> str:
    """A text as SQL writes it."""
    return "'" + str(path).replace("'", "''") + "'"


def read_summary(part: Path) -> dict[str, Any]:
    """What a part says of itself; raises ValueError or OSError if that cannot be read."""
    summary = json.loads((part / SUMMARY).read_text(encoding="utf-8"))
    if not isinstance(summary, dict) or not str(summary.get("format", "")).startswith("kzmitm.extract/1."):
        raise ValueError(f"{part}: no part of an extract that this version reads")
    return summary


def parts_of(folder: Path) -> Iterator[Path]:
    """The whole parts in an extract, in order of their names; what a killed worker left is none."""
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if not path.name.startswith(".") and (path / SUMMARY).is_file():
                yield path
