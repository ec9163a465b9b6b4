"""Find out what sets an interceptor off: names, addresses, hellos and carriers in a table."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
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
from kzmitm.cli.option_values import within
from kzmitm.cli.parser import filled
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import UsageError
from kzmitm.evidence.matrix_document import SCHEMA, matrix_row
from kzmitm.model.matrix import CellResult
from kzmitm.model.target import Target
from kzmitm.model.traits import TraitMatch
from kzmitm.model.verdict import Outcome
from kzmitm.netio.quic import has_quic
from kzmitm.report.language import N_, _
from kzmitm.report.line import Line
from kzmitm.report.matrix import conclusion_lines, table_lines
from kzmitm.report.text import target_line
from kzmitm.report.traits import match_lines
from kzmitm.scan.matrix import DEFAULT_REPEATS, MAX_REPEATS, Ended, Matrix, MatrixRun, Wanted
from kzmitm.scan.shared import Network
from kzmitm.targets import parse_targets
from kzmitm.verdict.answer_traits import products_of
from kzmitm.verdict.engine import RULES_VERSION
from kzmitm.verdict.names import base_name

MAX_TARGETS = 4
"""Dozens of connections each."""

ENDS = {
    Ended.NOTHING_FORGED: N_(
        "Nothing forged was seen, so the other cells were left out (--thorough asks them)."
    ),
    Ended.NO_ANSWER: N_("Nobody answers any more, so it ended there."),
    Ended.LIMIT: N_("The limit of connections was reached."),
    Ended.STOPPED: N_("Stopped before its end."),
    Ended.NOT_FOUND: N_("The name has no address."),
}


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("targets", metavar="TARGET", nargs="+", help="a site that seems to be intercepted")
    add("--reflector", type=filled, metavar="HOST",
        help="a server of your own or of friends elsewhere, with a publicly valid certificate")  # fmt: skip
    add("--other", type=filled, metavar="HOST",
        help="another watched site (default: the next TARGET)")  # fmt: skip
    add("--benign", type=filled, metavar="NAME",
        help="a name that nobody would touch (default: of the registry's controls)")  # fmt: skip
    add("--other-port", type=int, metavar="PORT", help="another port on which the target answers TLS")
    add("--repeats", type=int, metavar="N", default=DEFAULT_REPEATS,
        help="how often each cell is asked (default: %(default)s)")  # fmt: skip
    add("--thorough", action="store_true", help="ask every cell, also where nothing forged was seen")
    add("--jarm", action="store_true", help="ten connections more to an interceptor, for its JARM")
    add_reach_options(parser)
    add("--json", action="store_true", help="one JSON document (kzmitm.matrix/1.0) on stdout")
    parser.epilog = (
        "One dimension at a time is varied around the target's name at its address, never all together:\n"
        "about 50 connections, one after the other. Exit code 1: interception; 3: inconclusive."
    )


def run(args: argparse.Namespace) -> int:
    measuring = read_reach_options(args)
    wanted = _wanted(args, measuring)
    started_at = clock.now()
    runs: list[MatrixRun] = []

    async def work(network: Network) -> None:
        manner = measuring.manner(network)
        for each in wanted:
            runs.append(MatrixRun(each, manner))
            await runs[-1].ask_all(_teller(quiet=args.json))

    ended = measure(measuring, work, understood=args.i_understand)
    found = [each.matrix() for each in runs]
    if args.json:
        print_json(_document(found, measuring, started_at, complete=ended))
    else:
        print_lines(line for matrix in found for line in _lines(matrix, measuring))
    if not has_quic():
        say(_("QUIC was not tried: pip install kzmitm[quic]"))
    return _exit(found, complete=ended)


def _wanted(args: argparse.Namespace, measuring: Measuring) -> tuple[Wanted, ...]:
    """What to ask about each target; raises UsageError."""
    within("--repeats", args.repeats, 1, MAX_REPEATS)
    within("--other-port", args.other_port, 1, 65535)
    targets = parse_targets(args.targets)
    if len(targets) > MAX_TARGETS:
        raise UsageError(
            _("{count} targets are too many; a matrix is made of {most} at most").format(
                count=len(targets), most=MAX_TARGETS
            ),
            hint=_("scan the list, and look at what it finds"),
        )
    reflector = _single(args.reflector)
    common = Wanted(
        target=targets[0],
        reflector=reflector,
        other_port=args.other_port,
        repeats=args.repeats,
        is_thorough=args.thorough,
        has_jarm=args.jarm,
    )
    return tuple(
        replace(
            common,
            target=target,
            other_watched=_single(args.other) or _next(targets, target),
            benign=args.benign or _benign(target, measuring),
        )
        for target in targets
    )


def _single(word: str | None) -> Target | None:
    return parse_targets([word])[0] if word is not None else None


def _next(targets: Sequence[Target], target: Target) -> Target | None:
    """The target after this one, of whoever is another owner."""
    at = targets.index(target)
    others = (*targets[at + 1 :], *targets[:at])
    return next((other for other in others if other.hostname != target.hostname), None)


def _benign(target: Target, measuring: Measuring) -> str | None:
    controls = measuring.registry.watchlists.get("controls")
    names = controls.names if controls else ()
    return next((name for name in names if base_name(name) != base_name(target.hostname)), None)


def _teller(*, quiet: bool) -> Callable[[CellResult], None]:
    """Says how far it is, as it takes minutes at a gentle pace."""
    numbers = count(1)

    def tell(_result: CellResult) -> None:
        number = next(numbers)
        if not quiet and number % 10 == 0:
            say(_("{count} connections so far").format(count=number))

    return tell


def _exit(found: Sequence[Matrix], *, complete: bool) -> Exit:
    if any(matrix.has_forger or matrix.verdict.outcome is Outcome.INTERCEPTION for matrix in found):
        return Exit.FOUND
    decided = (Outcome.CLEAN, Outcome.ORIGIN_MISCONFIGURED)
    ends = (Ended.COMPLETE, Ended.NOTHING_FORGED)
    clean = all(m.verdict.outcome in decided and m.ended in ends for m in found)
    return Exit.OK if complete and clean else Exit.UNDECIDED


def _products(matrix: Matrix, measuring: Measuring) -> tuple[TraitMatch, ...]:
    """Of an interceptor only: what a site runs is nobody's affair."""
    if matrix.traits is None or not matrix.has_forger:
        return ()
    return products_of(matrix.traits, measuring.registry)


def _lines(matrix: Matrix, measuring: Measuring) -> Iterator[Line]:
    yield target_line(target_in_a_line(matrix.measurement, matrix.verdict))
    yield from table_lines(matrix.results)
    if matrix.ended in ENDS:
        yield Line(_(ENDS[matrix.ended]))
    if matrix.has_forger:
        yield from conclusion_lines(matrix.conclusions, matrix.results)
        yield from match_lines(_products(matrix, measuring))
    yield Line()


def _document(
    found: Sequence[Matrix], measuring: Measuring, started_at: datetime, *, complete: bool
) -> dict[str, Any]:
    return document_head(
        SCHEMA,
        measuring,
        started_at,
        complete=complete and all(matrix.ended is not Ended.STOPPED for matrix in found),
    ) | {
        "rules_version": RULES_VERSION,
        "targets": [_row(matrix, measuring) for matrix in found],
    }


def _row(matrix: Matrix, measuring: Measuring) -> dict[str, Any]:
    return matrix_row(
        target=str(matrix.wanted.target),
        address=matrix.subject.watched.endpoint.ip if matrix.subject else None,
        verdict=matrix.verdict,
        has_forger=matrix.has_forger,
        ended=matrix.ended,
        connections=matrix.connections,
        results=matrix.results,
        conclusions=matrix.conclusions,
        traits=matrix.traits if matrix.has_forger else None,
        matches=_products(matrix, measuring),
    )
