"""Read the result of a scan again."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from kzmitm.cli.outcomes import Tally
from kzmitm.cli.terminal import print_json, print_lines
from kzmitm.errors import UsageError
from kzmitm.evidence.bundle_reader import Bundle, read_bundle
from kzmitm.evidence.layout import Level
from kzmitm.evidence.scan_document import summary_of
from kzmitm.report.language import _
from kzmitm.report.line import Line
from kzmitm.report.rows import judged_of_row
from kzmitm.report.safe import harmless
from kzmitm.report.text import JudgedTarget, explanation, target_line


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "bundle", metavar="RESULT", nargs="?", type=Path, help="the file or folder that a scan left"
    )
    parser.add_argument("target", metavar="TARGET", nargs="*", help="explain these targets only")
    parser.add_argument("--json", action="store_true", help="the document (kzmitm.scan/1.0) on stdout")
    parser.epilog = "The exit code is that of the scan: 1 interception, 3 inconclusive or incomplete, else 0."


def run(args: argparse.Namespace) -> int:
    if args.bundle is None:
        raise UsageError(_("show what? no result was given"), hint=_("kzmitm show RESULT"))
    wanted = frozenset(args.target)
    tally = Tally()
    with read_bundle(args.bundle) as bundle:
        if args.json:
            rows = [row for row, judged in _judged(bundle, wanted, tally)]
            # A path tells of this computer, so a document of the public level never has one.
            place = None if bundle.level is Level.PUBLIC else str(args.bundle)
            print_json(
                bundle.document | {"bundle": place, "summary": summary_of(tally.counted()), "targets": rows}
            )
        elif wanted:
            print_lines([*_text(bundle, wanted, tally)])  # all that is asked for, or nothing
        else:
            print_lines(_text(bundle, wanted, tally))
    return tally.exit_code(complete=bundle.complete)


def _judged(
    bundle: Bundle, wanted: frozenset[str], tally: Tally
) -> Iterator[tuple[dict[str, object], JudgedTarget]]:
    for row, verdict in bundle.verdicts():
        judged = judged_of_row(row, verdict)
        if not wanted or judged.target in wanted:
            tally.add(judged)
            yield row, judged
    if wanted and not tally.counts:
        raise UsageError(_("none of these targets is in the result"), hint=_("kzmitm show RESULT lists them"))


def _text(bundle: Bundle, wanted: frozenset[str], tally: Tally) -> Iterator[Line]:
    yield from _head(bundle)
    for _row, judged in _judged(bundle, wanted, tally):
        if wanted:
            yield from (*explanation(judged), Line())
        else:
            yield target_line(judged)
    if not wanted:
        yield from tally.closing_lines()


def _head(bundle: Bundle) -> Iterator[Line]:
    document = bundle.document
    about = (harmless(str(document["store"].get(key, "?"))) for key in ("name", "version", "date"))
    store = " ".join(filter(None, about))
    registry = harmless(str(document["registry"].get("version", "?")))
    when = document["started_at"] or document["week"]
    yield Line(_("scan of {started}").format(started=harmless(str(when))))
    yield Line(
        _("judged by rules {rules}, registry {registry}, store {store}").format(
            rules=harmless(document["rules_version"]), registry=registry, store=store
        )
    )
    if bundle.level is Level.PUBLIC:
        yield Line(_("reduced for the public: times, addresses and some certificates are left out"))
    if not bundle.complete:
        yield Line(_("this scan was stopped before its end; targets that are not listed were not measured"))
    yield Line()
