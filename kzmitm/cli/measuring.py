"""What the verbs that measure single things share: how it is reached, how fast, what it is judged by."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from random import SystemRandom

from kzmitm import __version__
from kzmitm.cli import clock, consent
from kzmitm.cli.loop import run_until_stopped
from kzmitm.cli.option_values import (
    MAX_RATE,
    MAX_TIMEOUT_S,
    country_code,
    network_number,
    resolver_url,
    within,
)
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.sources import pinned_pem, registry_of, store_of
from kzmitm.cli.targets import CONTROLS
from kzmitm.cli.ways import check_ways, close_ways
from kzmitm.model.codec import format_time
from kzmitm.netio.doh import DEFAULT_SERVERS
from kzmitm.netio.overrides import Overrides, parse_overrides
from kzmitm.netio.pump import Limits
from kzmitm.netio.resolve import open_resolver
from kzmitm.netio.vantage import VantageLink, open_vantage
from kzmitm.pki.registry import Registry
from kzmitm.pki.store import TrustStore
from kzmitm.scan.options import GENTLE_ENDPOINT_GAP_S, ScanOptions
from kzmitm.scan.pace import Pace
from kzmitm.scan.reach import Manner
from kzmitm.scan.shared import Network
from kzmitm.verdict.judge import Judge

MAX_GAP_S = 3600.0


def add_reach_options(parser: argparse.ArgumentParser, *, with_control: bool = False) -> None:
    """Options of the way, the pace, the judging and the result."""
    add = parser.add_argument
    add("--via", type=filled, metavar="URI", default="direct:", help="the way out, as of `kzmitm scan`")
    if with_control:
        add("--control", type=filled, metavar="URI", help="a vantage at a clean place, asked the same")
    add("--connect-to", metavar="HOST:PORT:ADDR:PORT", action="append", default=[],
        help="connect to ADDR:PORT for HOST:PORT (empty: any), as curl does; may be repeated")  # fmt: skip
    add("--resolve", metavar="HOST:PORT:ADDR", action="append", default=[],
        help="the addresses of HOST:PORT, as curl does; may be repeated")  # fmt: skip
    add("--doh", type=filled, metavar="URL|none", help="the resolver for DNS over HTTPS, or none")
    add("--probe-asn", type=filled, metavar="ASN", help="the number of your network, for the result")
    add("--probe-cc", type=filled, metavar="CC", help="your country, for the result")
    add("--store", type=filled, metavar="FILE",
        help="trust the roots in this PEM file instead of the pinned ones")  # fmt: skip
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add("--timeout", metavar="S", type=float, help="seconds for a connect, and again for a handshake")
    add("--gap", metavar="S", type=float, default=GENTLE_ENDPOINT_GAP_S,
        help="least seconds between two connections to one endpoint (default: %(default)s)")  # fmt: skip
    add("--rate", metavar="N", type=float, help="connections per second, at most")
    add("--i-understand", action="store_true", help="I know what `kzmitm consent` says; do not ask")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """Everything that can be made before anything is sent."""

    registry: Registry
    store: TrustStore
    judge: Judge
    link: VantageLink
    control_link: VantageLink | None
    overrides: Overrides
    doh_servers: tuple[str, ...]
    limits: Limits
    options: ScanOptions

    def manner(self, network: Network) -> Manner:
        """The manner of one run, with a pace of its own."""
        rng = SystemRandom()
        controls = self.registry.watchlists.get(CONTROLS)
        return Manner(
            network=network,
            judge=self.judge,
            pace=Pace(self.options, rng),
            limits=self.limits,
            now=clock.now,
            rng=rng,
            benign_sni=controls.names if controls else (),
        )


def read_reach_options(args: argparse.Namespace) -> Measuring:
    """The options, checked; raises UsageError."""
    within("--timeout", args.timeout, 0.01, MAX_TIMEOUT_S)
    within("--gap", args.gap, 0, MAX_GAP_S)
    within("--rate", args.rate, 0.001, MAX_RATE)
    doh = resolver_url(args.doh)
    registry, store = registry_of(args.fingerprints), store_of(args.store)
    limits = Limits(*(args.timeout,) * 3) if args.timeout else Limits()
    control = getattr(args, "control", None)
    return Measuring(
        registry=registry,
        store=store,
        judge=Judge(registry=registry, store=store),
        link=open_vantage(args.via, asn=network_number(args.probe_asn), cc=country_code(args.probe_cc)),
        control_link=open_vantage(control) if control else None,
        overrides=parse_overrides(args.connect_to, args.resolve),
        doh_servers=DEFAULT_SERVERS if doh is None else tuple(filter(None, [doh])),
        limits=limits,
        options=ScanOptions(limits=limits, endpoint_gap_s=args.gap, rate_per_s=args.rate),
    )


def document_head(
    schema: str, measuring: Measuring, started_at: datetime, *, complete: bool
) -> dict[str, object]:
    """What the documents of these verbs begin with: by whom, when, from where, and what was judged by."""
    store, vantage = measuring.store, measuring.link.vantage
    return {
        "schema": schema,
        "version": schema.rpartition("/")[2],
        "tool": {"name": "kzmitm", "version": __version__},
        "started_at": format_time(started_at),
        "complete": complete,
        "registry": {"version": measuring.registry.version},
        "store": {key: str(getattr(store, key)) for key in ("name", "version", "date", "sha256")},
        "vantage": {key: getattr(vantage, key) for key in ("id", "kind", "asn", "cc")},
    }


def measure(measuring: Measuring, work: Callable[[Network], Awaitable[None]], *, understood: bool) -> bool:
    """Do the work with a network; True if it came to its end, False if the user stopped it.

    Raises ConsentError, and UsageError if the way out cannot be used, before anything is sent.
    """
    consent.demand(understood=understood)
    check_ways(measuring.link, measuring.control_link)

    stop = asyncio.Event()

    async def until_stopped() -> None:
        task = asyncio.ensure_future(_with_network(measuring, work))
        waiting = asyncio.ensure_future(stop.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not task.done():
            task.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)
        if task.done() and not task.cancelled() and (fault := task.exception()) is not None:
            raise fault

    return run_until_stopped(until_stopped(), stop)


async def _with_network(measuring: Measuring, work: Callable[[Network], Awaitable[None]]) -> None:
    """Does the work, and closes the ways whatever becomes of it."""
    resolver = None
    if measuring.link.resolves_names:
        resolver = open_resolver(
            root_pem=pinned_pem(), doh_servers=measuring.doh_servers, link=measuring.link
        )
    network = Network(
        link=measuring.link,
        resolver=resolver,
        overrides=measuring.overrides,
        control_link=measuring.control_link,
    )
    try:
        await work(network)
    finally:
        if resolver is not None:
            await resolver.aclose()
        await close_ways(measuring.link, measuring.control_link)
