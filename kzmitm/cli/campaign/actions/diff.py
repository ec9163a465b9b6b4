"""Say what changed between two rounds: what is intercepted now and was not, and what is free again."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from kzmitm.campaign.history import Change, changes
from kzmitm.campaign.share_store import Result
from kzmitm.cli.campaign.opening import open_folder
from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled_path
from kzmitm.cli.sources import registry_of
from kzmitm.cli.terminal import print_json, print_lines
from kzmitm.errors import UsageError
from kzmitm.model.verdict import Outcome
from kzmitm.report import texts
from kzmitm.report.language import _
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="FOLDER|FILE", type=filled_path, help="the campaign's folder, or its file")
    add("before", metavar="ROUND", type=int, help="the earlier round")
    add("after", metavar="ROUND", type=int, help="the later round")
    add("--json", action="store_true", help="one document (kzmitm.campaign-diff/1.0) on stdout")
    parser.epilog = (
        "Exit code 1: something is intercepted in the later round that was not in the earlier one."
    )


def run(args: argparse.Namespace) -> int:
    _opened, folder = open_folder(args.folder, registry_of([]))
    for number in (args.before, args.after):
        if not 1 <= number <= folder.plan.campaign.rounds.count:
            raise UsageError("there is no round {number}", hint=_("rounds are counted from 1"), number=number)
    found = list(changes(folder.seen(args.before), folder.seen(args.after)))
    if args.json:
        print_json(_document(args, found))
    else:
        print_lines(_lines(found))
    return Exit.FOUND if any(each.begins_interception for each in found) else Exit.OK


def _document(args: argparse.Namespace, found: list[Change]) -> dict[str, Any]:
    return {
        "schema": "kzmitm.campaign-diff/1.0",
        "version": 1,
        "before": args.before,
        "after": args.after,
        "changes": [
            {
                "vantage": each.vantage,
                "target": each.target,
                "before": asdict(each.before) if each.before is not None else None,
                "after": asdict(each.after) if each.after is not None else None,
            }
            for each in found
        ],
    }


def _lines(found: list[Change]) -> Iterator[Line]:
    if not found:
        yield Line(_("nothing changed"))
    for each in found:
        text = _("{vantage}, {target}: {before}, then {after}").format(
            vantage=each.vantage,
            target=harmless(each.target),
            before=_words(each.before),
            after=_words(each.after),
        )
        yield Line(text, style=Style.ALARM if each.begins_interception else Style.PLAIN)


def _words(result: Result | None) -> str:
    if result is None:
        return _("not measured")
    words = texts.WORDS[Outcome(result.outcome)].lower()
    return f"{words} ({harmless(result.authority)})" if result.authority else words
