"""The whole second pass as one function, and its result as one document."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from kzmitm.ooni.archive import layout, standing
from kzmitm.ooni.archive.apart import SQL, here
from kzmitm.ooni.archive.choice import Choice
from kzmitm.ooni.archive.grounds import Grounds
from kzmitm.ooni.archive.layout import INDEX, TABLES, VERDICTS
from kzmitm.ooni.archive.parts import EXTRACT, parts_of
from kzmitm.ooni.archive.records import SIGNATURES
from kzmitm.ooni.archive.what_was_read import what_was_read

__all__ = ["Choice", "Grounds", "judge_folder"]

SCHEMA: Final = "kzmitm.archive/1.0"
VERSION: Final = "1.0"
ABOUT: Final = "about.json"
JUDGEMENT: Final = "judgement.json"
_UNFINISHED: Final = ".unfinished"

T = TypeVar("T")


class _About(msgspec.Struct):
    """Of an index: what it was made of, which certificates of the registry it has, and its files."""

    key: str
    known: list[str]
    files: list[tuple[str, int, int]]


class _Judged(msgspec.Struct):
    """Of a judgement: what it was made of, the files that it left, and what they say in short."""

    key: str
    outcome: str
    files: dict[str, list[tuple[str, int, int]]]
    summary: dict[str, Any]


def judge_folder(
    folder: Path,
    grounds: Grounds,
    choice: Choice,
    *,
    extracts: Sequence[Path] = (),
    threads: int = 1,
    sql: SQL = here,
) -> dict[str, Any]:
    """Judges what was read into `folder`, writes verdicts and tables there, and sums them up.

    `extracts` are read instead of the folder's own where they are given. They appear when they are whole;
    those of an earlier judgement stay until then, and for good if they are the same. `sql` does what takes a
    database, here or in a process of its own.
    """
    extracts = extracts or (folder / EXTRACT,)
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "chosen": {
            "since": choice.since and choice.since.isoformat(),
            "until": choice.until and choice.until.isoformat(),
            "cc": choice.cc,
            "asns": list(choice.asns),
        },
        "registry": {"version": grounds.registry.version},
        "store": {"name": grounds.store.name, "sha256": grounds.store.sha256},
        "read": what_was_read(extracts),
        **_judged(folder, extracts, grounds, choice, threads, sql),
    }


@dataclass(frozen=True, slots=True)
class _Task:
    """One judgement: of `extracts`, into `folder`; what is unfinished lies in `place`."""

    folder: Path
    place: Path
    extracts: Sequence[Path]
    grounds: Grounds
    choice: Choice
    threads: int
    sql: SQL

    def run(self) -> dict[str, Any]:
        """The summary, after all that is not as it was before is written."""
        index = self._index()
        code = standing.digest(index, standing.judging_code())
        key = standing.digest(code, self.grounds.registry.version, self.grounds.store.sha256)
        earlier = _earlier(self.folder)
        if earlier is not None and earlier.key == key:
            return earlier.summary
        return self._judge(code, key, earlier)

    def _index(self) -> str:
        """The key of the index in `folder`, which is made anew where it is not of this extract and choice."""
        extract = standing.extract_key(self.extracts, self.choice)
        index, made = self.folder / INDEX, self.place / INDEX
        wanted = list(self.grounds.registry.suspects())
        about = _read(index / ABOUT, _About)
        if (
            about is None
            or about.key != extract
            or about.files != _files_of_index(index)
            or about.known != list(standing.met_in(index, wanted))
        ):
            made.mkdir()
            self.sql("index", list(self.extracts), self.choice, wanted, made, self.threads)
            about = _About(extract, list(standing.met_in(made, wanted)), _files_of_index(made))
            (made / ABOUT).write_bytes(msgspec.json.encode(about))
            shutil.rmtree(index, ignore_errors=True)
            made.rename(index)
        return standing.digest(extract, about.known)

    def _judge(self, code: str, key: str, earlier: _Judged | None) -> dict[str, Any]:
        """Judges by the index, and writes what is another than before."""
        index, place = self.folder / INDEX, self.place
        from kzmitm.ooni.archive.second_pass import SecondPass  # noqa: PLC0415 (if nothing changed, it is not needed)

        parts = [part for extract in self.extracts for part in parts_of(extract)]
        second = SecondPass(index, place, parts, self.grounds)
        outcome = standing.digest(code, second.digest())
        if earlier is not None and earlier.outcome == outcome:
            judged = msgspec.structs.replace(earlier, key=key)
            (place / JUDGEMENT).write_bytes(msgspec.json.encode(judged))
            (place / JUDGEMENT).replace(self.folder / VERDICTS / JUDGEMENT)
            return judged.summary
        verdicts = place / VERDICTS
        verdicts.mkdir()
        second.write(verdicts)
        summary: dict[str, Any] = self.sql("tables", place, self.threads)
        judged = _Judged(key, outcome, _files(place), summary)
        (verdicts / JUDGEMENT).write_bytes(msgspec.json.encode(judged))
        layout.put_in_place(self.folder, place)
        return summary


def _judged(
    folder: Path, extracts: Sequence[Path], grounds: Grounds, choice: Choice, threads: int, sql: SQL
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    with layout.alone(folder):
        layout.settle(folder)
        place = folder / _UNFINISHED
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        try:
            return _Task(folder, place, extracts, grounds, choice, threads, sql).run()
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _files_of_index(index: Path) -> list[tuple[str, int, int]]:
    """All but those that are written later."""
    return [each for each in standing.files_in(index) if each[0] not in (ABOUT, SIGNATURES)]


def _earlier(folder: Path) -> _Judged | None:
    """The judgement that lies in a folder, if nobody touched it."""
    told = _read(folder / VERDICTS / JUDGEMENT, _Judged)
    return told if told is not None and told.files == _files(folder) else None


def _files(folder: Path) -> dict[str, list[tuple[str, int, int]]]:
    found = {name: standing.files_in(folder / name) for name in (VERDICTS, TABLES)}
    found[VERDICTS] = [each for each in found[VERDICTS] if each[0] != JUDGEMENT]
    return found


def _read(path: Path, kind: type[T]) -> T | None:
    """What a file of ours says; None if it is not there, or not whole."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
