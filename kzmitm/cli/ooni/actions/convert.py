"""Judge what other tools measured: Atlas, tlsx, zgrab2, sslyze, testssl.sh, Nmap, Hyperquack, captures."""

import argparse
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kzmitm._registry import names_in
from kzmitm.cli import clock
from kzmitm.cli.exits import Exit
from kzmitm.cli.ooni.conversion import Conversion, FileReport, Judged
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.results import SqueezedRows, print_text
from kzmitm.cli.sources import read_file, registry_of, store_of
from kzmitm.cli.terminal import print_lines, say
from kzmitm.errors import UsageError
from kzmitm.evidence.control import read_control
from kzmitm.evidence.files import create_file
from kzmitm.evidence.json_writer import canonical
from kzmitm.evidence.scan_document import document_chunks, summary_of, target_row
from kzmitm.model.codec import format_time
from kzmitm.netio import packet_files
from kzmitm.ooni import importers
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import Reading, formats
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.registry import Registry
from kzmitm.pki.store import TrustStore
from kzmitm.report.imported import CANNOT_KNOW
from kzmitm.report.language import _, ngettext
from kzmitm.report.line import Line
from kzmitm.report.safe import harmless
from kzmitm.report.text import explanation_sentence, target_line
from kzmitm.verdict.engine import RULES_VERSION
from kzmitm.verdict.judge import Judge
from kzmitm.wire.segment import Segment

SCHEMA = "kzmitm.conversion/1.0"
VERSION = "1.0"
MAX_KEYLOG = 64 << 20
"""Octets of a key log: a browser writes about a kilobyte per connection."""


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    names = [name.replace("_", "-") for name in names_in(importers)]
    add("files", metavar="FILE", nargs="*", type=filled,
        help="what a tool left, packed by gzip or not; - is stdin")  # fmt: skip
    add("--formats", action="store_true", help="list the formats")
    add("--format", metavar="NAME", choices=names,
        help=_("do not tell the format by the content: {names}").format(names=", ".join(names)))  # fmt: skip
    add("--keylog", metavar="FILE", type=filled,
        help="what a client wrote by SSLKEYLOGFILE, to read TLS 1.3 in captures")  # fmt: skip
    add("--out", metavar="FILE", type=filled_path,
        help="also write the measurements there, as lines of OONI's format")  # fmt: skip
    add("--json", action="store_true", help=_("one document ({schema}) on stdout").format(schema=SCHEMA))
    _add_judging(parser)
    parser.epilog = (
        "Nothing is sent. A record that cannot be used is counted, named and passed over. Each file is a\n"
        "run of its own: what a vantage saw in it bears itself out, and no other. Exit code 1:\n"
        "interception; 3: inconclusive, or something could not be read; else 0."
    )


def _add_judging(parser: argparse.ArgumentParser) -> None:
    """What the verdicts rest on, as `judge` has it."""
    add = parser.add_argument
    add("--store", type=filled, metavar="FILE",
        help="trust the roots in this PEM file instead of the pinned ones")  # fmt: skip
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add("--control", metavar="FILE", type=filled_path,
        help="what a clean place saw (made by scan --record-control)")  # fmt: skip
    add("--now", type=filled, metavar="TIME",
        help="judge at this time (ISO 8601); default: when each was measured. It is also the time of "
        "records that tell none")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    if args.formats:
        print_lines(_formats())
        return Exit.OK
    if not args.files:
        raise UsageError(_("no file is named"), hint=_("name what a tool left, or - for stdin"))
    if args.out is not None and args.out.exists():
        raise _exists_already(args.out)
    registry, store = registry_of(args.fingerprints), store_of(args.store)
    control = read_control(args.control) if args.control else None
    cache = CertificateCache()
    told = _Told(registry, store, as_json=args.json)
    now = clock.parse_time(args.now) if args.now else None
    keylog = read_file(args.keylog, option="--keylog", max_octets=MAX_KEYLOG) if args.keylog else b""
    reading = Reading(measured_at=now, keylog=keylog, segments=_segments)
    conversion = Conversion(
        lambda: Judge(registry=registry, store=store, control=control, cache=cache),
        reading,
        now=now,
        tell=told,
    )
    lines = conversion.lines(args.files, args.format)
    if args.out is None:
        deque(lines, maxlen=0)
    elif not create_file(args.out, lines):
        raise _exists_already(args.out)
    _say_problems(conversion)
    told.end(conversion)
    return conversion.tally.exit_code(complete=conversion.is_whole and not conversion.problems)


def _exists_already(out: Path) -> UsageError:
    return UsageError(
        "--out: {out} exists already", hint=_("name another file, nothing is overwritten"), out=out
    )


def _segments(source: Source) -> Iterator[Segment]:
    return packet_files.segments(source.buffered())


def _formats() -> Iterator[Line]:
    for name, importer in formats().items():
        about = _((importer.__doc__ or "").partition("\n")[0]).rstrip(".")
        yield Line(f"{name:12} {about}", indent=13)


def _say_problems(conversion: Conversion) -> None:
    for problem in conversion.told:
        say(f"{harmless(problem.where)}: {harmless(problem.why)}")
    rest = conversion.problems - len(conversion.told)
    if rest:
        say(
            ngettext(
                "and {count} more record that cannot be used",
                "and {count} more records that cannot be used",
                rest,
            ).format(count=rest)
        )
    if not conversion.is_whole:
        say(_("stopped; what was read by then was judged"))


class _Told:
    """The verdicts on stdout: as lines when they fall, or as rows of one document at the end."""

    def __init__(self, registry: Registry, store: TrustStore, *, as_json: bool) -> None:
        self._registry = registry
        self._store = store
        self._as_json = as_json
        self._rows = SqueezedRows()

    def __call__(self, judged: Judged) -> None:
        if self._as_json:
            self._rows.append(canonical(_row(judged)))
        else:
            print_lines([target_line(judged.target)])

    def end(self, conversion: Conversion) -> None:
        if self._as_json:
            for chunk in document_chunks(_frame(conversion, self._registry, self._store), self._rows):
                print_text(chunk.decode())
        else:
            print_lines(_closing(conversion))


def _closing(conversion: Conversion) -> Iterator[Line]:
    for file in conversion.files:
        yield from _file_lines(file)
    yield from conversion.tally.closing_lines(is_kept=False)


def _file_lines(file: FileReport) -> Iterator[Line]:
    """What a file does not say, once: it bounds what any verdict on it can mean."""
    name = harmless(file.name)
    for why, count in file.nothing.items():
        yield Line(_("{file} ({format}): {count} passed over: {why}").format(
            file=name, format=file.format, count=count, why=harmless(why)
        ))  # fmt: skip
    if not file.cannot_know:
        return
    parts = []
    for code, text in CANNOT_KNOW.items():
        count = file.cannot_know[code]
        if count == file.imported:
            parts.append(text)
        elif count:
            parts.append(
                _("{text} (of {count} of {total})").format(text=text, count=count, total=file.imported)
            )
    cannot = _("cannot know")
    yield Line(f"{name} ({file.format}): {cannot}: {'; '.join(parts)}", indent=2)


def _row(judged: Judged) -> dict[str, Any]:
    record = judged.record
    row = target_row(
        record.measurement,
        judged.target.verdict,
        certificates=judged.certificates,
        explanation=explanation_sentence(judged.target),
    )
    vantage = record.measurement.vantage
    return row | {
        "number": judged.number,
        "source": record.source,
        "line": record.line,
        "measured_at": format_time(record.measurement.started_at),
        "vantage": {key: getattr(vantage, key) for key in ("id", "kind", "asn", "cc")},
        "cannot_know": list(record.cannot_know),
    }


def _frame(conversion: Conversion, registry: Registry, store: TrustStore) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "complete": conversion.is_whole,
        "rules_version": RULES_VERSION,
        "registry": {"version": registry.version},
        "store": {"name": store.name, "version": store.version, "date": store.date, "sha256": store.sha256},
        "files": [_file_row(file) for file in conversion.files],
        "problems": {
            "count": conversion.problems,
            "first": [{"where": each.where, "why": each.why} for each in conversion.told],
        },
        "summary": summary_of(conversion.tally.counted()),
    }


def _file_row(file: FileReport) -> dict[str, Any]:
    return {
        "path": file.name,
        "format": file.format,
        "imported": file.imported,
        "problems": file.problems,
        "passed_over": dict(file.nothing),
        "cannot_know": {str(code): count for code, count in file.cannot_know.items()},
    }
