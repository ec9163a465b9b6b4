"""Find out where on the way to a site somebody acts."""

import argparse
import asyncio
import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kzmitm import __version__
from kzmitm.cli import clock, consent
from kzmitm.cli.exits import Exit
from kzmitm.cli.judging import chain_of, judged_target
from kzmitm.cli.loop import run_until_stopped
from kzmitm.cli.mmdb import systems_in
from kzmitm.cli.outcomes import Tally
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.sources import pinned_pem, registry_of, store_of
from kzmitm.cli.targets import CONTROLS
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import UsageError
from kzmitm.evidence.files import replace_file
from kzmitm.evidence.scan_document import target_row
from kzmitm.evidence.trace_document import trace_document
from kzmitm.model.codec import to_json
from kzmitm.model.location import Location
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import DNSObservation
from kzmitm.model.target import Endpoint, Target, parse_target, to_ascii_hostname
from kzmitm.netio.clock import Stopwatch, start_stopwatch
from kzmitm.netio.overrides import Overrides, parse_overrides
from kzmitm.netio.resolve import addresses, open_resolver
from kzmitm.netio.vantage import VantageLink, open_vantage
from kzmitm.ooni.emit_trace import emit_trace
from kzmitm.pki.registry import Registry
from kzmitm.probe.dns import look_up
from kzmitm.probe.trace import CONTROL_PORT, MAX_DURATION_S, MAX_QUESTIONS
from kzmitm.probe.trace_way import check_link
from kzmitm.report.language import _
from kzmitm.report.line import Line
from kzmitm.report.path_graph import path_graph
from kzmitm.report.safe import harmless
from kzmitm.report.text import explanation_sentence, target_line
from kzmitm.report.trace import location_lines, path_table
from kzmitm.scan.locating import TraceManner, Ways, measurement_of
from kzmitm.verdict.judge import Judge
from kzmitm.verdict.location import locations_of, with_operators

EXAMPLES = """examples:
  kzmitm trace example.org                           by ordinary sockets, without privileges (Linux)
  kzmitm trace --control-sni www.iana.org a.example  the harmless name to compare with
  kzmitm trace --svg path.svg --ooni t.jsonl a.test  a picture, and a measurement of OONI's tlsmiddlebox

That somebody reads along, only the certificate says; the trace says where. Exit code 1: interception,
wherever; 3: inconclusive; 0: no certificate was forged, whatever else is on the way.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("target", metavar="TARGET", help="HOST, HOST:PORT or https://HOST/")
    add("--control-sni", type=filled, metavar="NAME", help="a harmless name to compare with (default: ours)")
    add("--control-port", type=int, metavar="PORT", default=CONTROL_PORT,
        help="another port of the same address (default: %(default)s)")  # fmt: skip
    add("--raw", action="store_true", help="packets of our own, all in one five-tuple (as root, with scapy)")
    family = parser.add_mutually_exclusive_group()
    family.add_argument("-4", dest="family", action="store_const", const=4, help="IPv4 only")
    family.add_argument("-6", dest="family", action="store_const", const=6, help="IPv6 only")
    add("--connect-to", metavar="HOST:PORT:ADDR:PORT", action="append", default=[],
        help="trace the way to ADDR:PORT for HOST:PORT (empty: any), as curl does")  # fmt: skip
    add("--resolve", metavar="HOST:PORT:ADDR", action="append", default=[],
        help="the addresses of HOST:PORT, as curl does; may be repeated")  # fmt: skip
    add("--via", type=filled, metavar="URI", default="direct:",
        help="the way out: direct: (default) or interface:NAME; no proxies and no VPN")  # fmt: skip
    add("--store", type=filled, metavar="FILE",
        help="trust the roots in this PEM file instead of the pinned ones")  # fmt: skip
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add("--mmdb", type=filled_path, metavar="FILE",
        help="a database of autonomous systems, to say whose the hops are")  # fmt: skip
    add("--now", type=filled, metavar="TIME", help="judge as if it were this time (ISO 8601), for replays")
    add("--svg", type=filled_path, metavar="FILE", help="draw the path into this file")
    add("--ooni", type=filled_path, metavar="FILE", help="write a measurement of OONI's tlsmiddlebox there")
    add("--json", action="store_true", help="one JSON document (kzmitm.trace/1.0) on stdout")
    add("--i-understand", action="store_true", help="I know what `kzmitm consent` says; trace without asking")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setup:
    """What is settled before anything is sent."""

    target: Target
    families: frozenset[int]
    link: VantageLink
    overrides: Overrides
    manner: TraceManner
    registry: Registry
    judge: Judge
    now: datetime | None


class _Tracing:
    """A trace on its way."""

    def __init__(self, setup: _Setup, stop: asyncio.Event) -> None:
        self._setup = setup
        self._stop = stop
        self._watch: Stopwatch = start_stopwatch(clock.now())
        self._dns: tuple[DNSObservation, ...] = ()
        self._ways: Ways | None = None

    async def run(self) -> None:
        """Resolve, then trace, until the end or until `stop` is set."""
        work = asyncio.create_task(self._trace())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not work.done():
                work.cancel()
        await asyncio.gather(work, stopping, return_exceptions=True)
        if not work.cancelled():
            work.result()

    async def _trace(self) -> None:
        setup = self._setup
        endpoints = await self._endpoints()
        if not endpoints:
            complaint, hint = _("no address of {target} was found"), _("give one: --resolve HOST:PORT:ADDR")
            if not self._dns:  # it was given, and not of this family
                raise UsageError(complaint.format(target=setup.target), hint=hint)
            say(f"{complaint.format(target=setup.target)}; {hint}")
            return
        watched = setup.target.hostname
        self._ways = Ways(endpoints, watched, link=setup.link, stopwatch=self._watch, manner=setup.manner)
        for endpoint in endpoints:
            say(
                _(
                    "tracing the way to {endpoint}: up to {count} packets and hellos in up to {seconds} s, "
                    "with the names {watched} and {control}"
                ).format(
                    endpoint=endpoint,
                    count=MAX_QUESTIONS,
                    seconds=f"{MAX_DURATION_S:.0f}",
                    watched=harmless(watched),
                    control=harmless(setup.manner.control_sni),
                )
            )
        await self._ways.run()

    async def _endpoints(self) -> tuple[Endpoint, ...]:
        """One for each family."""
        setup = self._setup
        found = setup.overrides.endpoints(setup.target)
        if not found:
            resolver = open_resolver(root_pem=pinned_pem(), link=setup.link)
            try:
                self._dns = await look_up(resolver, setup.target.hostname, self._watch)
            finally:
                await resolver.aclose()
            port = setup.overrides.port(setup.target)
            found = tuple(Endpoint(ip, port) for ip in addresses(self._dns))
        first: dict[int, Endpoint] = {}
        for endpoint in found:
            family = 6 if ":" in endpoint.ip else 4
            if family in setup.families:
                first.setdefault(family, endpoint)
        return tuple(first.values())

    def measurement(self) -> Measurement:
        """What was seen so far."""
        setup = self._setup
        return measurement_of(
            setup.target,
            self._ways.observations() if self._ways is not None else (),
            link=setup.link,
            stopwatch=self._watch,
            dns=self._dns,
            software_version=__version__,
        )


def run(args: argparse.Namespace) -> int:
    setup = _set_up(args)
    system_of = systems_in(args.mmdb) if args.mmdb else None
    for path in filter(None, (args.svg, args.ooni)):
        if not path.parent.is_dir():
            raise UsageError("{parent} is no folder", hint=_("make it first"), parent=path.parent)
    consent.demand(understood=args.i_understand)
    check_link(setup.link)
    stop = asyncio.Event()
    tracing = _Tracing(setup, stop)
    ended = run_until_stopped(tracing.run(), stop)
    measurement = tracing.measurement()
    if system_of is not None:
        operators = {number: network.name for number, network in setup.registry.networks.items()}
        system_of = with_operators(system_of, operators)
    locations = locations_of(measurement, system_of)
    return _tell(args, setup, measurement, locations, ended=ended)


def _tell(
    args: argparse.Namespace,
    setup: _Setup,
    measurement: Measurement,
    locations: tuple[Location, ...],
    *,
    ended: bool,
) -> int:
    facts = setup.judge.facts(measurement, setup.now or measurement.started_at)
    verdict = setup.judge.verdict_of(facts)
    about = setup.judge.deciding(facts)
    chain = chain_of(about)
    judged = replace(judged_target(measurement, verdict, about), locations=locations)
    if args.svg and measurement.trace:
        pictures = [
            path_graph(trace, place) for trace, place in zip(measurement.trace, locations, strict=True)
        ]
        for number, picture in enumerate(pictures):
            path: Path = args.svg
            name = path if not number else path.with_stem(f"{path.stem}-{number + 1}")
            replace_file(name, [picture.encode()])
    if args.ooni and measurement.trace:
        line = emit_trace(measurement, test_start_time=measurement.started_at, locations=to_json(locations))
        replace_file(args.ooni, [json.dumps(line).encode(), b"\n"])
    if args.json:
        row = target_row(measurement, verdict, certificates=chain, explanation=explanation_sentence(judged))
        control = setup.manner.control_sni
        print_json(trace_document(measurement, row, locations, control_sni=control, complete=ended))
    else:
        print_lines([target_line(judged)])
        for trace, location in zip(measurement.trace, locations, strict=True):
            print_lines([Line(), *location_lines(location), Line(), *path_table(trace)])
    if not ended:
        say(_("stopped; what was seen by then is told"))
    tally = Tally()
    tally.add(judged)
    return tally.exit_code(complete=ended) if measurement.trace else Exit.UNDECIDED


def _set_up(args: argparse.Namespace) -> _Setup:
    try:
        target = parse_target(args.target)
    except ValueError as exc:
        raise UsageError("{why}", hint=_("give HOST, HOST:PORT or https://HOST/"), why=exc) from None
    if target.sni is None:
        raise UsageError(
            _("a trace compares two names; {target} is an address").format(target=target),
            hint=_("give a host name, and its address with --resolve HOST:PORT:ADDR"),
        )
    if not 0 < args.control_port < 65536 or args.control_port == target.port:
        raise UsageError(
            "--control-port: not another port: {control_port}",
            hint=_("give one from 1 to 65535"),
            control_port=args.control_port,
        )
    registry = registry_of(args.fingerprints)
    return _Setup(
        target=target,
        families=frozenset({args.family} if args.family else {4, 6}),
        link=open_vantage(args.via),
        overrides=parse_overrides(args.connect_to, args.resolve),
        manner=TraceManner(
            control_sni=_control(args.control_sni, target, registry),
            control_port=args.control_port,
            raw=args.raw,
        ),
        registry=registry,
        judge=Judge(registry=registry, store=store_of(args.store)),
        now=clock.parse_time(args.now) if args.now else None,
    )


def _control(given: str | None, target: Target, registry: Registry) -> str:
    if given is not None:
        try:
            name = to_ascii_hostname(given)
        except ValueError as exc:
            raise UsageError("--control-sni: {why}", hint=_("give a host name"), why=exc) from None
    else:
        controls = registry.watchlists.get(CONTROLS)
        names = controls.names if controls else ()
        found = next((name for name in names if name != target.hostname), None)
        if found is None:
            raise UsageError(_("the registry holds no harmless name"), hint=_("give --control-sni NAME"))
        name = found
    if name == target.hostname:
        raise UsageError(_("--control-sni is the watched name itself"), hint=_("give another, harmless one"))
    return name
