"""Say when each authority, certificate, domain and network was first and last seen intercepting."""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from kzmitm.campaign.alarms import alarms, as_document
from kzmitm.campaign.history import Span, spans
from kzmitm.cli.campaign.opening import open_folder
from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled_path
from kzmitm.cli.sources import registry_of
from kzmitm.cli.terminal import print_json, print_lines
from kzmitm.report.language import _, ngettext
from kzmitm.report.line import Line
from kzmitm.report.safe import harmless


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="FOLDER|FILE", type=filled_path, help="the campaign's folder, or its file")
    add("--json", action="store_true", help="one document (kzmitm.campaign-history/1.0) on stdout")
    parser.epilog = "Exit code 1: interception was seen."


def run(args: argparse.Namespace) -> int:
    _opened, folder = open_folder(args.folder, registry_of([]))
    campaign = folder.plan.campaign
    seen = [each for number in range(1, campaign.rounds.count + 1) for each in folder.seen(number)]
    found = spans(seen, folder.networks())
    if args.json:
        told = [as_document(alarm, campaign.name) for alarm in alarms(seen, after=campaign.hooks.after)]
        print_json(
            {
                "schema": "kzmitm.campaign-history/1.0",
                "version": 1,
                "spans": {
                    kind: [{"name": name, **asdict(span)} for name, span in sorted(names.items())]
                    for kind, names in found.items()
                },
                "alarms": told,
            }
        )
    else:
        print_lines(_lines(found))
    return Exit.FOUND if found["domain"] else Exit.OK


def _lines(found: Mapping[str, Mapping[str, Span]]) -> Iterator[Line]:
    if not found["domain"]:
        yield Line(_("no interception was seen"))
    for kind, names in found.items():
        for name, span in sorted(names.items(), key=lambda item: item[1].first_at):
            yield Line(
                ngettext(
                    "{kind} {name}: {first} to {last}, rounds {begin} to {end}, {n} time",
                    "{kind} {name}: {first} to {last}, rounds {begin} to {end}, {n} times",
                    span.sightings,
                ).format(
                    kind=kind,
                    name=harmless(name),
                    first=_day(span.first_at),
                    last=_day(span.last_at),
                    begin=span.first_round,
                    end=span.last_round,
                    n=span.sightings,
                )
            )


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
