"""A campaign in this process: what it runs with, and what is said of it on the way."""

import argparse
import asyncio
import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from random import SystemRandom

from kzmitm import __version__
from kzmitm.campaign.allotment import WORKER_URI
from kzmitm.campaign.hooks import tell
from kzmitm.campaign.plan import Job, Share
from kzmitm.campaign.runner import Runner
from kzmitm.campaign.state import CampaignFolder
from kzmitm.campaign.world import World
from kzmitm.cli import clock
from kzmitm.cli.campaign.opening import Opened
from kzmitm.cli.sources import pinned_pem
from kzmitm.cli.terminal import say
from kzmitm.errors import UsageError
from kzmitm.evidence.control import read_control
from kzmitm.model.target import Target
from kzmitm.model.verdict import Outcome
from kzmitm.netio.doh import DEFAULT_SERVERS
from kzmitm.netio.overrides import parse_overrides
from kzmitm.netio.pump import Limits
from kzmitm.netio.resolve import open_resolver
from kzmitm.netio.vantage import open_vantage
from kzmitm.netio.webhook import post
from kzmitm.pki.registry import Registry
from kzmitm.pki.store import TrustStore
from kzmitm.report.language import _
from kzmitm.report.safe import harmless
from kzmitm.scan import Judged, Network, ScanOptions
from kzmitm.scan.proving import prove
from kzmitm.verdict.judge import Judge

PROVEN_WITH = 2
"""Controls that a vantage is proven with: one may be out of order."""

NOTES: Mapping[str, str] = {
    "vantage_down": _("the vantage fails; its share waits"),
    "vantage_up": _("the vantage works again"),
    "vantage_unusable": _("the vantage cannot be used"),
    "disk_full": _("the disk is full; waiting for room"),
    "disk_free": _("there is room again"),
    "paused": _("paused"),
    "resumed": _("going on"),
    "hook_failed": _("nobody could be told of a change"),
    "offered": _("its jobs are on the server, for a worker to take"),
    "server_refuses": _("trying again"),
    "worker_key": _("results come signed by the key"),
    "worker_absent": _("no worker asks for work"),
    "worker_present": _("a worker is there again"),
    "refused": _("a result was refused"),
}


class Telling:
    """Says on stderr what happens: findings and troubles, not every target."""

    def __init__(self) -> None:
        self.found = 0

    def on_share(self, share: Share, *, left: int) -> None:
        say(
            _("round {round}, {vantage}: {left} to do").format(
                round=share.round, vantage=share.vantage, left=left
            )
        )

    def on_result(self, job: Job, judged: Judged | None) -> None:
        if judged is not None and judged.verdict.outcome is Outcome.INTERCEPTION:
            self.found += 1
            say(_("{vantage}: {target}: interception").format(vantage=job.share.vantage, target=job.target))

    def on_note(self, share: Share | None, code: str, detail: str = "") -> None:
        where = f"{share.vantage}: " if share is not None else ""
        what = NOTES.get(code, code)
        say(f"{where}{what}{': ' + harmless(detail) if detail else ''}")


def world_of(args: argparse.Namespace, opened: Opened, registry: Registry, store: TrustStore) -> World:
    """What the campaign runs with; nothing is sent yet. Raises UsageError."""
    campaign = opened.campaign
    control = read_control(args.file.parent / campaign.controls.file) if campaign.controls.file else None
    overrides = parse_overrides(args.connect_to, args.resolve)
    networks = {}
    for part in campaign.vantages:
        if part.uri == WORKER_URI:
            continue
        link = open_vantage(part.uri, asn=part.asn or "AS0", cc=part.cc or "ZZ")
        resolver = None
        if link.resolves_names:
            servers = DEFAULT_SERVERS if campaign.collect.doh else ()
            resolver = open_resolver(root_pem=pinned_pem(), doh_servers=servers, link=link)
        networks[part.name] = Network(link=link, resolver=resolver, overrides=overrides)
    limits, collect, hooks = campaign.limits, campaign.collect, campaign.hooks
    options = ScanOptions(
        limits=Limits(*(limits.timeout,) * 3),
        concurrency=limits.vantage_concurrency,
        families=frozenset(collect.families),
        max_addresses=collect.max_addresses,
        profile=collect.profile,
        follow_ups=collect.follow_ups,
        benign_sni=registry.watchlists["controls"].names,
        stop_after=campaign.stop.findings,
        software_version=__version__,
    )

    def judge() -> Judge:
        return Judge(registry=registry, store=store, control=control)

    controls = list(islice(opened.plan.controls, PROVEN_WITH))
    return World(
        networks=networks,
        judge=judge,
        options=options,
        now=clock.now,
        prove=lambda vantage: proven(networks[vantage], controls, judge(), options),
        tell=partial(tell, hooks=hooks, post=post) if hooks.on_finding or hooks.webhook else None,
    )


async def proven(network: Network, controls: Sequence[Target], judge: Judge, options: ScanOptions) -> str:
    """Why a vantage is not used; nothing if names that nobody should touch come unaltered through it.

    This computer itself needs no proof: what it sees of the controls is a result.
    """
    if network.link.is_direct:
        return ""
    gentle = replace(options, follow_ups=False, concurrency=1, stop_after=None)
    proof = await prove(network, controls, judge=judge, options=gentle, rng=SystemRandom(), now=clock.now)
    if proof.is_usable:
        return ""
    if proof.alters_tls:
        return _("it alters TLS by itself")
    return proof.failure or _("no control could be verified through it")


@contextmanager
def alone(folder: CampaignFolder) -> Iterator[None]:
    """One run of a campaign at a time; raises UsageError if there is another."""
    with (folder.folder / "lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"{folder.folder}: the campaign is running already",
                hint="kzmitm campaign status tells how far",
            ) from None
        yield


async def run_campaign(runner: Runner, stop: asyncio.Event, networks: Mapping[str, Network]) -> None:
    """The run until its end or until `stop` is set; closes what the networks hold."""
    stopping = asyncio.ensure_future(stop.wait())
    stopping.add_done_callback(lambda _done: runner.stopping.set())
    try:
        await runner.run()
    finally:
        stopping.cancel()
        for network in networks.values():
            if network.resolver is not None:
                await network.resolver.aclose()
