"""Corpora, and what the analysis says of them: one row for each measurement, joined to its truth."""

import gzip
import json
import sys
from datetime import date, datetime
from pathlib import Path

import duckdb

from kzmitm import resources
from kzmitm.ooni.archive.analysis import Choice, Grounds, judge_folder
from kzmitm.ooni.archive.parts import EXTRACT
from kzmitm.ooni.archive.planning import plan, sources_in
from kzmitm.ooni.archive.running import run_here
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.store import parse_store

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "bench"))

from corpora.making import SITUATIONS, situation  # noqa: E402
from corpora.overlay import write_overlay, write_store  # noqa: E402
from corpora.published import write_published  # noqa: E402, F401 (for those who import this)
from corpora.scene import world_of  # noqa: E402

SEED = 7
TABLES = (
    "authorities", "blocked_and_intercepted", "certificates", "days", "domains", "labels", "network_domains",
    "networks",
)  # fmt: skip


def grounds_beside(folder, *, overlay=True):
    """The store and the registry of a corpus; without the overlay, the registry as it is shipped."""
    pem = (folder / "store.pem").read_bytes()
    overlays = [folder / "registry"] if overlay else []
    return Grounds(
        parse_registry(resources.fingerprint_files(overlays)),
        parse_store(pem, name="corpus", version="1", date="2024-01-01"),
    )


def write_grounds(folder, seed=SEED):
    folder.mkdir(parents=True, exist_ok=True)
    write_store(world_of(seed), folder)
    write_overlay(world_of(seed), folder / "registry")
    return folder


def every_situation(seed=SEED, *, eras=None):
    """(document, truth) of every situation in every form."""
    return [
        situation(name, seed, era=era)
        for name, kind in SITUATIONS.items()
        for era in kind.eras
        if eras is None or era in eras
    ]


def write_lines(path, documents):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in documents).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return path


def extract(paths, out):
    """Read files into the extract of `out`, all parts of it."""
    for task in plan(sources_in([Path(path) for path in paths])):
        list(run_here([task], str(out / EXTRACT)))
    return out


def judge(out, grounds, *, choice=None, **options):
    return judge_folder(out, grounds, choice or Choice(), **options)


def analysis(documents, out, grounds, **options):
    """The document of an analysis of measurements."""
    extract([write_lines(out / "read" / "lines.jsonl", documents)], out)
    return judge(out, grounds, **options)


def rows(out, table="measurements", columns="*", *, folder="verdicts"):
    """The rows of a file of the analysis, as mappings."""
    with duckdb.connect() as connection:
        return _rows(connection, out / folder / f"{table}.parquet", columns)


def _rows(connection, path, columns="*"):
    cursor = connection.execute(
        f"SELECT {columns} FROM read_parquet(?, hive_partitioning = false)",  # noqa: S608
        [str(path)],
    )
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def by_uid(out):
    return {row["uid"]: row for row in rows(out)}


def plain(value):
    """A value that sorts and compares, whatever it is."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return "" if value is None else str(value)


def verdicts(out, *, without=("source", "line")):
    """All rows of all that was judged, in an order of their own."""
    told = {}
    with duckdb.connect() as connection:  # one for all, as opening it takes longer than a question
        for table in ("measurements", "handshakes", "certificates"):
            found = _rows(connection, out / "verdicts" / f"{table}.parquet")
            kept = [{key: v for key, v in row.items() if key not in without} for row in found]
            told[table] = sorted(tuple(plain(value) for value in row.values()) for row in kept)
        for table in TABLES:
            found = _rows(connection, out / "tables" / f"{table}.parquet")
            told[f"tables/{table}"] = [tuple(plain(value) for value in row.values()) for row in found]
    return told


def octets_of_tables(out):
    return {path.name: path.read_bytes() for path in sorted((out / "tables").iterdir())}
