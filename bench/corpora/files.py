"""The files of a corpus, laid out as in OONI's bucket; each is made by itself, so that cores can share."""

import datetime as dt
import json
import multiprocessing
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from corpora import overlay
from corpora.encoding import STYLES, Style
from corpora.making import (
    FIRST,
    LAST,
    SITUATIONS,
    Truth,
    choose,
    era_of,
    line_of,
    run,
    truth_of,
)
from corpora.rows import Era
from corpora.scene import OLD_UNTIL, V05_FROM, Made, Scene, World, world_of
from corpora.situations import WEB, Situation

Compression = Literal["gz", "zst", "none"]
UTC = dt.UTC
OLDEST = dt.datetime(2020, 12, 9, 7, tzinfo=UTC)
"""The hour of one file from before the time that the corpus is about."""
TRIALS = ("urlgetter", "tlsmiddlebox", "tlsping", "sni_blocking", "echcheck")
MEGABYTES_PER_FILE = 16
MIN_FILES = 5
TRIAL_SHARE = 0.02
"""Of the octets: tests other than web_connectivity are rare in the bucket."""
_LEVEL = 6
_FLUSH = 1 << 20

Measurements = Callable[["FilePlan", World, random.Random], Iterator[tuple[Situation, Scene, Made]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlan:
    """One file: the hour of its upload, how much, what must be in it, and how it is written."""

    seed: int
    index: int
    hour: dt.datetime
    test_name: str = WEB
    octets: int = 0
    required: tuple[str, ...] = ()
    style: Style = "go"
    compression: Compression = "gz"
    small: bool = False
    innocent_only: bool = False

    @property
    def path(self) -> str:
        plain = self.test_name.replace("_", "")
        suffix = {"gz": ".gz", "zst": ".zst", "none": ""}[self.compression]
        name = f"{self.hour:%Y%m%d%H}_KZ_{plain}.n{self.index % 2}.{self.index}.jsonl{suffix}"
        return f"raw/{self.hour:%Y%m%d}/{self.hour:%H}/KZ/{plain}/{name}"


@dataclass(slots=True)
class Written:
    """What a file came to."""

    path: str
    lines: int = 0
    octets: int = 0
    stored: int = 0
    truth: list[Truth] = field(default_factory=list)


def plans(
    seed: int, megabytes: float, count: int | None, compression: Compression, style: Style | None
) -> list[FilePlan]:
    """The files of a corpus of about so many megabytes of JSON."""
    total = max(MIN_FILES, count or int(megabytes / MEGABYTES_PER_FILE))
    rng = random.Random(f"{seed}:plans")
    hours = [OLDEST, *sorted(_hours(rng, total - 1))]
    octets = int(megabytes * 1e6)
    per_file = int(octets * (1 - TRIAL_SHARE) / total)
    required = _spread(hours)
    common: dict[str, Any] = {"seed": seed, "compression": compression}
    found = [
        FilePlan(
            index=index, hour=hour, octets=per_file, required=tuple(required[index]),
            innocent_only=index == 0, style=style or STYLES[index % 4 == 2], **common,
        )
        for index, hour in enumerate(hours)
    ]  # fmt: skip
    for number, test_name in enumerate(TRIALS):
        span = int((LAST - V05_FROM).total_seconds() // 3600)
        hour = V05_FROM + dt.timedelta(hours=rng.randrange(span))
        kinds = tuple(name for name, kind in SITUATIONS.items() if kind.test_name == test_name)
        share = int(octets * TRIAL_SHARE / len(TRIALS))
        found.append(
            FilePlan(
                index=total + number, hour=hour, test_name=test_name, octets=share, required=kinds,
                style=style or STYLES[number % 4 == 2], **common,
            )
        )  # fmt: skip
    return found


def _hours(rng: random.Random, count: int) -> list[dt.datetime]:
    """Hours over the whole time, with each form's time among them."""
    spans = [(FIRST, OLD_UNTIL), (OLD_UNTIL, V05_FROM), (V05_FROM, LAST), (V05_FROM, LAST)]
    found = []
    for number in range(count):
        start, end = spans[number % len(spans)]
        hours = int((end - start).total_seconds() // 3600)
        found.append(start + dt.timedelta(hours=rng.randrange(hours)))
    return found


def _spread(hours: list[dt.datetime]) -> list[list[str]]:
    """Each situation of web_connectivity into one file of a time in which it occurs."""
    required: list[list[str]] = [[] for _ in hours]
    for number, kind in enumerate(k for k in SITUATIONS.values() if k.test_name == WEB):
        fitting = [
            index for index, hour in enumerate(hours) if index and _decided_era(hour, kind.eras) is not None
        ]
        required[fitting[number % len(fitting)]].append(kind.name)
    return required


def _decided_era(moment: dt.datetime, eras: tuple[Era, ...]) -> Era | None:
    """The newest of these forms that was written at that time."""
    written: tuple[Era, ...] = ("old",) if moment < OLD_UNTIL else ("v04",)
    if moment >= V05_FROM:
        written = ("v05", "v04")
    return next((era for era in written if era in eras), None)


def measurements(plan: FilePlan, world: World, rng: random.Random) -> Iterator[tuple[Situation, Scene, Made]]:
    """First what must be there, then what comes by its weight, without end."""
    for name in plan.required:
        kind, moment = SITUATIONS[name], _moment(plan, rng)
        era = _decided_era(moment, kind.eras) or kind.eras[-1]
        yield kind, *run(world, kind, rng, era=era, moment=moment, small=plan.small)
    while True:
        moment = _moment(plan, rng)
        era = era_of(moment, rng) if plan.test_name == WEB else "v05"
        kind = choose(rng, era, plan.test_name)
        if not (plan.innocent_only and kind.is_interception):
            yield kind, *run(world, kind, rng, era=era, moment=moment, small=plan.small)


def _moment(plan: FilePlan, rng: random.Random) -> dt.datetime:
    """A probe uploads at once, so that measurements are of the hour of the file, or a little older."""
    return plan.hour + dt.timedelta(seconds=rng.randrange(-600, 3500))


def write_file(out: Path, plan: FilePlan, source: Measurements = measurements) -> Written:
    """Write one file, and tell what is in it."""
    world, rng = world_of(plan.seed), random.Random(f"{plan.seed}:file:{plan.index}")
    written = Written(plan.path)
    path = out / plan.path
    path.parent.mkdir(parents=True, exist_ok=True)
    with_uid = plan.style == "go"
    compress, finish = _compressor(plan.compression)
    with path.open("wb") as file:
        waiting: list[bytes] = []
        size = 0
        for number, (kind, scene, made) in enumerate(source(plan, world, rng)):
            if number >= len(plan.required) and written.octets >= plan.octets:
                break
            line = line_of(scene, made.document, plan.style, with_uid=with_uid)
            truth = truth_of(kind, scene, made)
            written.lines += 1
            written.octets += len(line)
            where = {"file": plan.path, "line": written.lines, "uid_in_line": with_uid}
            written.truth.append(truth | where)
            waiting.append(line)
            size += len(line)
            if size >= _FLUSH:
                file.write(compress(b"".join(waiting)))
                waiting, size = [], 0
        file.write(compress(b"".join(waiting)) + finish())
    written.stored = path.stat().st_size
    return written


def _compressor(kind: Compression) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    if kind == "gz":
        gz = zlib.compressobj(_LEVEL, wbits=31)  # no name and no time in the header
        return gz.compress, gz.flush
    if kind == "zst":
        import zstandard  # noqa: PLC0415 - only this needs it

        zst = zstandard.ZstdCompressor(level=3).compressobj()
        return zst.compress, zst.flush
    return bytes, bytes


def write_corpus(
    out: Path, todo: Iterable[FilePlan], *, processes: int = 1, source: Measurements = measurements
) -> dict[str, Any]:
    """Write the files, the truth, the public authorities and the registry; what `truth.json` holds."""
    listed = list(todo)
    out.mkdir(parents=True, exist_ok=True)
    world = world_of(listed[0].seed)
    overlay.write_store(world, out)
    overlay.write_overlay(world, out / "registry")
    totals = _Totals()
    with (out / "truth.jsonl").open("w") as truth_file:
        for written in _all(out, listed, processes, source):
            totals.add(written)
            truth_file.writelines(json.dumps(truth, ensure_ascii=False) + "\n" for truth in written.truth)
    told = {"seed": listed[0].seed, **totals.told()}
    (out / "truth.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return told


def _all(out: Path, listed: list[FilePlan], processes: int, source: Measurements) -> Iterator[Written]:
    if processes == 1:
        yield from (write_file(out, plan, source) for plan in listed)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield from pool.map(write_file, [out] * len(listed), listed, [source] * len(listed))


class _Totals:
    """Sums over the truth."""

    def __init__(self) -> None:
        self.sums: Counter[str] = Counter()
        self.by: dict[str, Counter[str]] = {
            key: Counter() for key in ("class", "outcome", "authority", "test_name")
        }
        self.found: dict[str, set[Any]] = {
            key: set() for key in ("certificate_sha256", "asn", "domain", "day")
        }

    def add(self, written: Written) -> None:
        self.sums.update(files=1, lines=written.lines, octets=written.octets, stored_octets=written.stored)
        for truth in written.truth:
            for key, counter in self.by.items():
                counter[str(truth[key])] += 1
            if truth["is_interception"]:
                self.sums.update(interceptions=1, outside_validity=int(truth["within_validity"] is False))
                for key, values in self.found.items():
                    values.add(truth[key])

    def told(self) -> dict[str, Any]:
        intercepted = {f"intercepted_{key}": len(values) for key, values in self.found.items()}
        counts = {f"by_{key}": dict(sorted(counter.items())) for key, counter in self.by.items()}
        return {
            **self.sums,
            "ratio": round(self.sums["octets"] / self.sums["stored_octets"], 2),
            **intercepted,
            **counts,
        }
