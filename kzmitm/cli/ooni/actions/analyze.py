"""Find the interception in OONI measurements: files, folders, or `-` for stdin."""

import argparse
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kzmitm.cli.exits import Exit
from kzmitm.cli.ooni.extras import demand_archive
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import UsageError
from kzmitm.report.archive import findings_lines
from kzmitm.report.language import _

if TYPE_CHECKING:
    from kzmitm.ooni.archive.grounds import Grounds
    from kzmitm.ooni.archive.running import Workers


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("paths", metavar="PATH", nargs="*", type=filled, help="files or folders of measurements; - for stdin")
    add("--out", metavar="DIR", type=filled_path, help="keep what was read and found; a second run goes on")
    add("--since", metavar="DATE", type=_date, help="measured on this day or later (YYYY-MM-DD)")
    add("--until", metavar="DATE", type=_date, help="measured before this day")
    add("--cc", metavar="CC", type=_country, help="measured in this country")
    add("--asn", metavar="AS", type=_asn, action="append", default=[],
        help="measured in this network; may be repeated")  # fmt: skip
    add("--jobs", metavar="N", type=_jobs, help="worker processes (default: one for each core)")
    add("--shard", metavar="I/N", type=filled,
        help="read only this share of the files; all shares with the same --out make one")  # fmt: skip
    add("--scheduler", metavar="URL", type=filled, help="workers of this Dask scheduler (tcp://HOST:PORT)")
    add("--extract-only", action="store_true", help="read, and judge later")
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add("--store", metavar="FILE", type=filled,
        help="trust the roots in this PEM file instead of the pinned ones")  # fmt: skip
    add("--json", action="store_true", help="one document (kzmitm.archive/1.0) on stdout")
    parser.epilog = (
        "Without PATH, what --out holds is judged again. Exit code 1: interception was found;\n"
        "3: nothing could be decided. A line that cannot be read is named and passed over."
    )


def run(args: argparse.Namespace) -> int:
    demand_archive()
    from kzmitm.ooni.archive.complaints import told_plainly  # noqa: PLC0415 (its libraries are an extra)

    _check(args)
    # Whatever may be wrong with the words is found before hours of reading.
    tasks = _tasks(args) if args.paths else []
    grounds = _grounds(args) if args.store or args.fingerprints else None
    with ExitStack() as stack, told_plainly():
        out = args.out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kzmitm-")))
        out.mkdir(parents=True, exist_ok=True)
        tasks = _unread(tasks, out)
        if tasks:
            _read(args, tasks, out)
        if args.extract_only or args.shard:
            say(_("read; when all is read, judge it with: kzmitm ooni analyze --out {out}").format(out=out))
            return Exit.OK
        document = _judge(args, out, grounds)
    if args.json:
        print_json(document)
    else:
        print_lines(findings_lines(document, kept=args.out))
    return _exit(document)


def _grounds(args: argparse.Namespace) -> "Grounds":
    from kzmitm.cli.sources import registry_of, store_of  # noqa: PLC0415
    from kzmitm.ooni.archive.grounds import Grounds  # noqa: PLC0415

    return Grounds(registry_of(args.fingerprints), store_of(args.store))


def _judge(args: argparse.Namespace, out: Path, grounds: "Grounds | None") -> dict[str, Any]:
    """The second pass. What it needs is loaded here, and not while files are read."""
    from kzmitm.ooni.archive import analysis  # noqa: PLC0415
    from kzmitm.ooni.archive.apart import apart  # noqa: PLC0415

    choice = analysis.Choice(args.since, args.until, args.cc, tuple(args.asn))
    return analysis.judge_folder(
        out, grounds or _grounds(args), choice, threads=min(_jobs_of(args), _cores()), sql=apart
    )


def _check(args: argparse.Namespace) -> None:
    from kzmitm.ooni.archive.parts import EXTRACT  # noqa: PLC0415

    if not args.paths and args.out is None:
        raise UsageError("nothing to read", hint="name files or folders, or --out of an earlier run")
    if "-" in args.paths and (len(args.paths) > 1 or args.shard or args.scheduler):
        raise UsageError("- is read alone and here", hint="save stdin to a file first")
    if (args.extract_only or args.shard or args.scheduler) and args.out is None:
        raise UsageError("what is read must be kept", hint="add --out DIR")
    if not args.paths and not (args.out / EXTRACT).is_dir():
        raise UsageError(
            "{out}: nothing was read into it", hint="kzmitm ooni analyze PATH --out DIR", out=args.out
        )


def _read(args: argparse.Namespace, tasks: list[Any], out: Path) -> None:
    """The first pass: whatever of the files is not in the extract yet."""
    from kzmitm.cli.ooni.reading import Reading  # noqa: PLC0415 (judging again has no use for it)
    from kzmitm.ooni.archive import running  # noqa: PLC0415
    from kzmitm.ooni.archive.parts import EXTRACT  # noqa: PLC0415

    folder = str((out / EXTRACT).resolve())
    jobs = min(_jobs_of(args), len(tasks)) or 1
    with Reading(tasks) as reading, _workers(args, jobs) as workers:
        results = running.run_all(tasks, folder, workers) if workers else running.run_here(tasks, folder)
        with closing(results):
            for summary in results:
                reading.advance(summary)


def _tasks(args: argparse.Namespace) -> list[Any]:
    from kzmitm.ooni.archive import planning  # noqa: PLC0415
    from kzmitm.ooni.archive.work import stdin_task  # noqa: PLC0415

    if args.paths == ["-"]:
        return [stdin_task()]
    sources = planning.sources_in([Path(path) for path in args.paths])
    if not sources:
        raise UsageError(
            _("no measurements in {paths}").format(paths=", ".join(args.paths)),
            hint=_("files are named {suffixes}").format(suffixes=" ".join(planning.SUFFIXES)),
        )
    tasks = planning.plan(sources)
    if args.shard is None:
        return tasks
    try:
        shard = planning.parse_shard(args.shard)
    except ValueError as exc:
        raise UsageError("--shard: {why}", why=exc) from None
    return [task for task in tasks if shard.holds(task)]


def _unread(tasks: list[Any], out: Path) -> list[Any]:
    from kzmitm.ooni.archive import planning  # noqa: PLC0415
    from kzmitm.ooni.archive.parts import EXTRACT, parts_of, sources_of  # noqa: PLC0415

    parts = list(parts_of(out / EXTRACT)) if tasks else []
    read = {source for part in parts for source in sources_of(part)}
    return planning.unread(tasks, {part.name for part in parts}, read)


@contextmanager
def _workers(args: argparse.Namespace, jobs: int) -> Iterator["Workers | None"]:
    """What starts the workers; None for this very process."""
    from kzmitm.ooni.archive import running  # noqa: PLC0415

    if args.scheduler:
        with running.cluster(args.scheduler) as workers:
            yield workers
    else:
        yield running.processes(jobs) if jobs > 1 else None


def _jobs_of(args: argparse.Namespace) -> int:
    return int(args.jobs) if args.jobs else _cores()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _exit(document: dict[str, Any]) -> Exit:
    """Undecided where nothing at all could be decided."""
    counts, outcomes = document["counts"], document["outcomes"]
    if counts["intercepted"]:
        return Exit.FOUND
    return Exit.OK if counts["measurements"] > outcomes.get("inconclusive", 0) else Exit.UNDECIDED


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            _("not a date as 2024-02-29: {text}").format(text=repr(text[:40]))
        ) from None


def _country(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", text, re.ASCII):
        raise argparse.ArgumentTypeError(
            _("not a country code of two letters, as KZ: {text}").format(text=repr(text[:40]))
        )
    return text.upper()


def _asn(text: str) -> int:
    digits = text.upper().removeprefix("AS")
    if not re.fullmatch(r"\d{1,10}", digits, re.ASCII) or int(digits) >= 1 << 32:
        raise argparse.ArgumentTypeError(_("not a network as AS9198: {text}").format(text=repr(text[:40])))
    return int(digits)


def _jobs(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,3}", text, re.ASCII):
        raise argparse.ArgumentTypeError(_("not a number of processes: {text}").format(text=repr(text[:40])))
    return int(text)
