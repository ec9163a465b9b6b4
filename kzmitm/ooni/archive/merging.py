"""Extracts of several people as one: each part is a stranger's until all that can be checked of it is.

The result does not depend on the order: a part is named after its content, so two of one name are the same.
A part that breaks a rule is left out whole and named; one measurement in two parts is counted once when the
parts are judged (`kzmitm.ooni.archive.tables`).
"""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from kzmitm.errors import WordedError
from kzmitm.ooni.archive.chains import MAX_DER
from kzmitm.ooni.archive.complaints import full_disk, one_line
from kzmitm.ooni.archive.database import duckdb
from kzmitm.ooni.archive.parts import EXTRACT, OWN, ROW_GROUPS, SUMMARY, parts_of, quoted, read_summary
from kzmitm.ooni.archive.rows import COLUMNS, MAX_TEXT
from kzmitm.ooni.archive.tables import connect

MAX_FILES: Final = 4_000
"""Files of one part."""
MAX_FILE: Final = 4 << 30
"""Octets of one file of a part."""
MAX_SUMMARY: Final = 4 << 20
_NAME: Final = re.compile(r"(measurements|handshakes|chains|certificates)-\d{1,6}\.parquet", re.ASCII)
_CHECKS: Final = {
    "certificates": f"sha256(der) = sha256 AND octet_length(der) BETWEEN 1 AND {MAX_DER}",
    "chains": "len(certificates) BETWEEN 1 AND 64"
    " AND len(list_filter(certificates, lambda x: coalesce(regexp_full_match(x, '[0-9a-f]{64}'), false)))"
    " = len(certificates) AND left(sha256(unhex(array_to_string(certificates, ''))), 32) = chain",
    "handshakes": "true",
    "measurements": "length(uid) BETWEEN 1 AND 300 AND time IS NOT NULL",
}
"""What must be true of every row."""
_KEYS: Final = {
    "measurements": "doc",
    "handshakes": "doc, n",
}
"""What no two rows of a part have both: they are joined by it."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of a part: the name it has now, or why it was left out."""

    source: str
    name: str | None
    why: str = ""


class BadPartError(WordedError, ValueError):
    """A part is not what it says; says why."""


def merge(folders: Sequence[Path], out: Path) -> Iterator[Merged]:
    """Copies every sound part of the extracts in `folders` into that of `out`; yields what became of each."""
    target = out / EXTRACT
    target.mkdir(parents=True, exist_ok=True)
    with connect(out) as connection:
        connection.execute("SET enable_progress_bar = false")
        for part in _parts(folders):
            try:
                name = _take(part, target, connection)
            except (BadPartError, OSError, ValueError, RecursionError, duckdb.Error) as exc:
                if full_disk(exc):
                    raise
                yield Merged(str(part), None, one_line(exc))
            else:
                yield Merged(str(part), name)


def _parts(folders: Sequence[Path]) -> Iterator[Path]:
    """The parts below analyses or extracts, or parts themselves."""
    for folder in folders:
        if (folder / SUMMARY).is_file():
            yield folder
        else:
            yield from parts_of(folder / EXTRACT if (folder / EXTRACT).is_dir() else folder)


def _take(part: Path, target: Path, connection: duckdb.DuckDBPyConnection) -> str:
    files = _files(part)
    name = _content_name(part, files)
    if (target / name / SUMMARY).is_file():
        _settle_summary(part, target / name)
        return name
    place = target / f".unfinished-{name}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    try:
        counts = dict.fromkeys(COLUMNS, 0)
        for file in files:
            if file.name == OWN:
                _copy_own(file, place / OWN)
            else:
                table = file.name.partition("-")[0]
                counts[table] += _copy_table(table, file, place / file.name, connection)
        for table, key in _KEYS.items():
            _demand_distinct(table, key, place, connection)
        _write_summary(place, _summary(part, counts))
        place.rename(target / name)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return name


def _files(part: Path) -> list[Path]:
    """The files of a part, in order; no link and nothing that has another name is looked at."""
    if part.is_symlink():
        raise BadPartError("a link and no folder")
    found = []
    for path in sorted(part.iterdir()):
        if path.is_symlink() or not path.is_file():
            raise BadPartError("{name}: not a plain file", name=path.name)
        if path.name == SUMMARY:
            continue
        if path.name != OWN and not _NAME.fullmatch(path.name):
            raise BadPartError("{name}: no file of a part", name=repr(path.name[:80]))
        if path.stat().st_size > MAX_FILE:
            raise BadPartError("{name}: larger than {max_file} GiB", name=path.name, max_file=MAX_FILE >> 30)
        found.append(path)
    if len(found) > MAX_FILES:
        raise BadPartError("more than {max_files} files", max_files=MAX_FILES)
    return found


def _content_name(part: Path, files: Sequence[Path]) -> str:
    if (part / SUMMARY).stat().st_size > MAX_SUMMARY:
        raise BadPartError(
            "{summary}: larger than {max_summary} MiB", summary=SUMMARY, max_summary=MAX_SUMMARY >> 20
        )
    read_summary(part)
    digest = sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as content:
            while chunk := content.read(1 << 20):
                digest.update(chunk)
    return f"part-{digest.hexdigest()[:32]}"


def _copy_table(table: str, file: Path, copy: Path, connection: duckdb.DuckDBPyConnection) -> int:
    """Write the rows again: of the stranger's file only they come in. Returns how many there are."""
    source = f"read_parquet({quoted(file)}, hive_partitioning = false)"
    there = dict(row[:2] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall())  # noqa: S608
    if there != COLUMNS[table]:
        raise BadPartError("{name}: its columns are not those of {table}", name=file.name, table=table)
    bad = connection.execute(
        f"SELECT count(*) FILTER (NOT coalesce({_condition(table)}, false)), count(*) FROM {source}"  # noqa: S608
    ).fetchone()
    assert bad is not None  # noqa: S101 - an aggregate has a row
    if bad[0]:
        raise BadPartError("{name}: {bad} rows are not what they say", name=file.name, bad=bad[0])
    connection.execute(
        f"COPY (SELECT * FROM {source}) TO {quoted(copy)}"  # noqa: S608
        f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUPS[table]})"
    )
    return int(bad[1])


def _condition(table: str) -> str:
    texts = [name for name, kind in COLUMNS[table].items() if kind == "VARCHAR"]
    lengths = [f"coalesce(length({name}), 0) <= {MAX_TEXT + 1000}" for name in texts]
    return " AND ".join((_CHECKS[table], *lengths))


def _demand_distinct(table: str, key: str, place: Path, connection: duckdb.DuckDBPyConnection) -> None:
    files = ", ".join(quoted(file) for file in sorted(place.glob(f"{table}-*.parquet")))
    if not files:
        return
    row = connection.execute(
        f"SELECT count(*) - count(DISTINCT ({key})) FROM read_parquet([{files}], hive_partitioning = false)"  # noqa: S608
    ).fetchone()
    if row and row[0]:
        raise BadPartError("{row} rows of {table} bear the number of another", row=row[0], table=table)


def _settle_summary(part: Path, there: Path) -> None:
    """Of two parts of one content the summary that sorts first stays: their order is nothing."""
    known = read_summary(there)
    told = _summary(part, known["counts"])
    if json.dumps(told) < json.dumps(known):
        _write_summary(there, told)


def _write_summary(place: Path, summary: dict[str, Any]) -> None:
    new = place / f".{SUMMARY}"
    new.write_text(json.dumps(summary, indent=1), encoding="utf-8")
    new.replace(place / SUMMARY)


def _copy_own(file: Path, copy: Path) -> None:
    """Our own measurements; each is decoded again when it is judged."""
    shutil.copyfile(file, copy)


def _summary(part: Path, counts: dict[str, int]) -> dict[str, Any]:
    """What the stranger's summary says, as far as it is believed: names and numbers of the right form."""
    told = read_summary(part)
    sources = told.get("sources")
    return {
        "format": str(told["format"])[:40],
        "merged_from": part.name[:100],
        "sources": [
            {"name": str(each.get("name"))[:300], "octets": _number(each.get("octets"))}
            for each in (sources if isinstance(sources, list) else [])[:10_000]
            if isinstance(each, dict)
        ],
        "octets": _number(told.get("octets")),
        "counts": counts | {"own": 0},
        "bad": _number(told.get("bad")),
        "problems": [],
    }


def _number(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 53 else 0
