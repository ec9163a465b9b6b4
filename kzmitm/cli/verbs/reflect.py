"""Measure from outside: ask servers in a country for names that are not theirs."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from kzmitm.cli import clock
from kzmitm.cli.exits import Exit
from kzmitm.cli.measuring import (
    Measuring,
    add_reach_options,
    document_head,
    measure,
    read_reach_options,
)
from kzmitm.cli.option_values import within
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.targets import CONTROLS, select
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import ConsentError, UsageError
from kzmitm.evidence.reflect_document import SCHEMA, read_results, reflect_members, write_document
from kzmitm.model.reflection import Fitness, NameOutcome, Reflector, ReflectorResult
from kzmitm.model.target import is_ip
from kzmitm.pki.registry import Registry
from kzmitm.reflectors import read_reflectors
from kzmitm.report.language import _, ngettext
from kzmitm.report.line import Line
from kzmitm.report.reflect import network_lines, reflector_line
from kzmitm.scan.reflect import CONCURRENCY, Reflection, ReflectOptions
from kzmitm.scan.shared import Network
from kzmitm.verdict.reflection import by_network

DEFAULT_RATE = 5.0
"""Connections per second over all servers, as none of them asked to be measured."""
MAX_NAMES = 100
"""Names that one server is asked for: a few minutes of its time at the usual gap."""
MAX_CONCURRENCY = 64

EXAMPLES = """examples:
  kzmitm reflect --reflectors servers.txt --sni default
  kzmitm reflect --reflectors servers.txt --sni names.txt --out result.json    go on with the same words

The list has one server a line: HOST[:PORT] [ADDRESS] [AS64500]. A server is used only if it shows a publicly
valid certificate for its own name. Exit code 1: a forged certificate was seen; 3: no server was fit."""


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--reflectors", metavar="FILE", type=filled_path, required=True, help="the servers, one a line")
    add("--sni", metavar="NAME|FILE", type=filled, action="append", required=True, dest="lists",
        help="the names to ask for: a list of the registry, or a file; may be repeated")  # fmt: skip
    add("--control-name", metavar="NAME", type=filled,
        help="asked first, a name that nobody would touch (default: of the registry's controls)")  # fmt: skip
    add("--include-sensitive", action="store_true", help="use a sensitive list")
    add("--concurrency", metavar="N", type=int, default=CONCURRENCY,
        help="servers at once (default: %(default)s)")  # fmt: skip
    add("--out", metavar="FILE", type=filled_path,
        help="keep the document here; what a stopped run left in it is not asked again")  # fmt: skip
    add_reach_options(parser)
    parser.set_defaults(rate=DEFAULT_RATE)
    add("--json", action="store_true", help="one JSON document (kzmitm.reflect/1.0) on stdout")
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    within("--concurrency", args.concurrency, 1, MAX_CONCURRENCY)
    measuring = read_reach_options(args)
    options = _options(args, measuring.registry)
    _allow_sensitive(args, measuring.registry)
    reflectors = read_reflectors(args.reflectors)
    done = _done(args.out, options)
    asked = [each for each in reflectors if each not in done]
    started_at = clock.now()
    running: list[Reflection] = []

    def tell(result: ReflectorResult) -> None:
        if not args.json:
            print_lines([reflector_line(result)])

    async def work(network: Network) -> None:
        running.append(Reflection(asked, options, measuring.manner(network)))
        await running[0].ask_all(tell)

    ended = measure(measuring, work, understood=args.i_understand)
    fresh = {each.reflector: each for each in (running[0].results if running else ())}
    results = [fresh.get(each) or done[each] for each in reflectors if each in fresh or each in done]
    document = _document(results, options, measuring, started_at, complete=ended)
    if args.out is not None:
        write_document(args.out, document)
    if args.json:
        print_json(document)
    else:
        print_lines(_closing(results, measuring))
    if not ended:
        left = sum(not each.is_complete for each in results)
        told = ngettext(
            "stopped; {left} of {total} server is left",
            "stopped; {left} of {total} servers are left",
            len(reflectors),
        )
        say(told.format(left=left, total=len(reflectors)))
    return _exit(results, complete=ended)


def _options(args: argparse.Namespace, registry: Registry) -> ReflectOptions:
    """The names and the control; raises UsageError."""
    with ExitStack() as stack:
        targets = select((), args.lists, registry, stack)
        names = tuple(dict.fromkeys(t.hostname for t in targets if not is_ip(t.hostname)))
    if not 0 < len(names) <= MAX_NAMES:
        raise UsageError(
            _("--sni: {count} names; give 1 to {most}").format(count=len(names), most=MAX_NAMES),
            hint=_("choose the most telling ones"),
        )
    controls = registry.watchlists.get(CONTROLS)
    own = (name for name in (controls.names if controls else ()) if name not in names)
    control = args.control_name or next(own, None)
    if control is None or control in names:
        raise UsageError(
            _("a control name is needed that is not among the names"), hint=_("give --control-name NAME")
        )
    return ReflectOptions(names=names, control=control, concurrency=args.concurrency)


def _allow_sensitive(args: argparse.Namespace, registry: Registry) -> None:
    """A list of human rights or news sites tells of whoever asks for all of them."""
    lists = [registry.watchlists[name] for name in args.lists if name in registry.watchlists]
    sensitive = [each.id for each in lists if each.sensitive]
    if sensitive and not args.include_sensitive:
        raise ConsentError(
            _("the list {lists} exposes who asks for it").format(lists=", ".join(sensitive)),
            hint=_("give --include-sensitive if you know what you do"),
        )


def _done(path: Path | None, options: ReflectOptions) -> dict[Reflector, ReflectorResult]:
    """What an earlier run of the same words measured to the end."""
    if path is None or not path.exists():
        return {}
    found = read_results(path, names=options.names, control=options.control)
    return {each.reflector: each for each in found if each.is_complete}


def _closing(results: Sequence[ReflectorResult], measuring: Measuring) -> Iterator[Line]:
    yield Line()
    yield from network_lines(by_network(results, measuring.registry.networks))


def _document(
    results: Sequence[ReflectorResult],
    options: ReflectOptions,
    measuring: Measuring,
    started_at: datetime,
    *,
    complete: bool,
) -> dict[str, Any]:
    return document_head(SCHEMA, measuring, started_at, complete=complete) | {
        "names": list(options.names),
        "control": options.control,
        **reflect_members(results, by_network(results, measuring.registry.networks)),
    }


def _exit(results: Sequence[ReflectorResult], *, complete: bool) -> Exit:
    outcomes = {each.outcome for result in results for each in result.names}
    if NameOutcome.FORGED in outcomes:
        return Exit.FOUND
    is_told = any(result.fitness is Fitness.FIT for result in results)
    doubtful = outcomes & {NameOutcome.BLOCKED, NameOutcome.NOT_TOLD}
    return Exit.OK if complete and is_told and not doubtful else Exit.UNDECIDED
