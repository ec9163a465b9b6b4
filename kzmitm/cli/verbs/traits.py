"""Say what a server's answers tell of the product that gave them: JARM, JA3S, shape of the certificate."""

import argparse
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kzmitm.cli import clock
from kzmitm.cli.exits import Exit
from kzmitm.cli.judging import target_in_a_line
from kzmitm.cli.measuring import (
    Measuring,
    add_reach_options,
    document_head,
    measure,
    read_reach_options,
)
from kzmitm.cli.option_values import server_name
from kzmitm.cli.parser import filled
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import UsageError
from kzmitm.evidence.trait_rows import match_rows, trait_row
from kzmitm.model.target import Target
from kzmitm.model.verdict import Outcome
from kzmitm.report.language import _, ngettext
from kzmitm.report.line import Line
from kzmitm.report.text import target_line
from kzmitm.report.traits import match_lines, trait_lines
from kzmitm.scan.answers import Answered, WithJARM, ask_answers
from kzmitm.scan.shared import Network
from kzmitm.targets import parse_targets
from kzmitm.verdict.answer_traits import products_of

SCHEMA = "kzmitm.traits/1.0"
MAX_TARGETS = 8
"""Fourteen connections each: enough to look at some servers closely, and no scan of a list."""


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("targets", metavar="TARGET", nargs="+", help="HOST, HOST:PORT or https://HOST/")
    add("--sni", type=filled, metavar="NAME", help="ask for this name instead; `none` for no name")
    jarm = parser.add_mutually_exclusive_group()
    jarm.add_argument("--jarm", action="store_const", const=WithJARM.ALWAYS, dest="jarm",
        help="make the ten connections of a JARM to every target")  # fmt: skip
    jarm.add_argument("--no-jarm", action="store_const", const=WithJARM.NEVER, dest="jarm",
        help="make them to none (default: to those that are intercepted)")  # fmt: skip
    add_reach_options(parser, with_control=True)
    add("--json", action="store_true", help="one JSON document (kzmitm.traits/1.0) on stdout")
    parser.epilog = (
        "Four connections to each target, and ten more for a JARM. Products are named as what the answers\n"
        "are consistent with, which is no proof. Exit code 1: interception; 3: inconclusive."
    )


def run(args: argparse.Namespace) -> int:
    measuring = read_reach_options(args)
    targets = _targets(args)
    started_at = clock.now()
    answered: list[Answered] = []

    async def work(network: Network) -> None:
        manner = measuring.manner(network)
        for target in targets:
            one = await ask_answers(target, manner, with_jarm=args.jarm or WithJARM.INTERCEPTED)
            answered.append(one)

    ended = measure(measuring, work, understood=args.i_understand)
    if args.json:
        print_json(_document(answered, measuring, started_at, complete=ended))
    else:
        print_lines(line for each in answered for line in _lines(each, measuring))
    if not ended:
        told = ngettext(
            "stopped; {done} of {total} target was asked",
            "stopped; {done} of {total} targets were asked",
            len(targets),
        )
        say(told.format(done=len(answered), total=len(targets)))
    return _exit(answered, complete=ended)


def _targets(args: argparse.Namespace) -> tuple[Target, ...]:
    targets = parse_targets(args.targets)
    if len(targets) > MAX_TARGETS:
        raise UsageError(
            _("{count} targets are too many; it is made for {most} at most").format(
                count=len(targets), most=MAX_TARGETS
            ),
            hint=_("scan the list, and look at what it finds"),
        )
    if args.sni is None:
        return targets
    sni = server_name(args.sni)
    return tuple(Target(t.hostname, t.port, sni, t.address) for t in targets)


def _exit(answered: list[Answered], *, complete: bool) -> Exit:
    outcomes = [each.verdict.outcome for each in answered]
    if Outcome.INTERCEPTION in outcomes:
        return Exit.FOUND
    decided = (Outcome.CLEAN, Outcome.ORIGIN_MISCONFIGURED)
    return Exit.OK if complete and all(outcome in decided for outcome in outcomes) else Exit.UNDECIDED


def _lines(each: Answered, measuring: Measuring) -> Iterator[Line]:
    yield target_line(target_in_a_line(each.measurement, each.verdict))
    if each.traits is None:
        yield Line(_("  nobody answered"))
        return
    yield from trait_lines(each.traits, control=each.control)
    yield from match_lines(products_of(each.traits, measuring.registry))


def _document(
    answered: list[Answered], measuring: Measuring, started_at: datetime, *, complete: bool
) -> dict[str, Any]:
    return document_head(SCHEMA, measuring, started_at, complete=complete) | {
        "targets": [_row(each, measuring) for each in answered],
    }


def _row(each: Answered, measuring: Measuring) -> dict[str, Any]:
    target = each.measurement.target
    return {
        "target": str(target),
        "sni": target.sni,
        "address": each.endpoint.ip if each.endpoint else None,
        "outcome": each.verdict.outcome,
        "confidence": each.verdict.confidence,
        "traits": trait_row(each.traits) if each.traits else None,
        "control": trait_row(each.control) if each.control else None,
        "consistent_with": match_rows(products_of(each.traits, measuring.registry)) if each.traits else [],
    }
