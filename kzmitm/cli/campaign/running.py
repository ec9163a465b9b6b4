"""A campaign in this process: what it runs with, and what is said of it on the way."""

import argparse
import asyncio
import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from kzmitm import __version__
from kzmitm.campaign.allotment import WORKER_URI
from kzmitm.campaign.hooks import tell
from kzmitm.campaign.plan import Job, Share
from kzmitm.campaign.runner import Runner
from kzmitm.campaign.sections import CampaignFile
from kzmitm.campaign.state import CampaignFolder
from kzmitm.campaign.world import World
from kzmitm.cli import clock
from kzmitm.cli.campaign.evidence import means_of
from kzmitm.cli.campaign.opening import Opened
from kzmitm.cli.campaign.proving import PROVEN_WITH, Proving
from kzmitm.cli.folders import CAMPAIGN_LOCK
from kzmitm.cli.sources import pinned_pem
from kzmitm.cli.terminal import say
from kzmitm.errors import UsageError
from kzmitm.evidence.control import read_control
from kzmitm.model.verdict import Outcome
from kzmitm.netio.doh import DEFAULT_SERVERS
from kzmitm.netio.overrides import Overrides, parse_overrides
from kzmitm.netio.places import read_table
from kzmitm.netio.pump import Limits
from kzmitm.netio.resolve import open_resolver
from kzmitm.netio.vantage import open_vantage
from kzmitm.netio.webhook import post
from kzmitm.pki.registry import Registry
from kzmitm.pki.store import TrustStore
from kzmitm.report.language import N_, Words, _
from kzmitm.report.safe import harmless
from kzmitm.scan import Judged, Network, ScanOptions
from kzmitm.scan.proving import Locator
from kzmitm.verdict.judge import Judge

NOTES: Mapping[str, str] = Words(
    {
        "vantage_down": N_("the vantage fails; its share waits"),
        "vantage_up": N_("the vantage works again"),
        "vantage_unusable": N_("the vantage cannot be used"),
        "disk_full": N_("the disk is full; waiting for room"),
        "disk_free": N_("there is room again"),
        "paused": N_("paused"),
        "resumed": N_("going on"),
        "hook_failed": N_("nobody could be told of a change"),
        "offered": N_("its jobs are on the server, for a worker to take"),
        "server_refuses": N_("trying again"),
        "worker_key": N_("results come signed by the key"),
        "worker_absent": N_("no worker asks for work"),
        "worker_present": N_("a worker is there again"),
        "refused": N_("a result was refused"),
        "evidence": N_("its evidence is in"),
        "evidence_failed": N_("no bundle could be made of its evidence"),
        "store_failed": N_("what was measured is there, but could not be put in order"),
    }
)


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
        what = _(NOTES.get(code, code))
        say(f"{where}{what}{': ' + harmless(detail) if detail else ''}")


def world_of(args: argparse.Namespace, opened: Opened, registry: Registry, store: TrustStore) -> World:
    """What the campaign runs with; nothing is sent yet. Raises UsageError."""
    campaign, hooks = opened.campaign, opened.campaign.hooks
    control = read_control(args.file.parent / campaign.controls.file) if campaign.controls.file else None
    networks = _networks(campaign, parse_overrides(args.connect_to, args.resolve))
    table = read_table(args.file.parent / campaign.networks.table) if campaign.networks.table else None
    where = campaign.networks.locate
    roots = Path(args.store).read_text(encoding="utf-8", errors="replace") if args.store else pinned_pem()
    options = _options(campaign, registry)

    def judge() -> Judge:
        return Judge(registry=registry, store=store, control=control)

    proving = Proving(
        networks=networks,
        vantages={each.name: each for each in campaign.vantages},
        controls=list(islice(opened.plan.controls, PROVEN_WITH)),
        judge=judge,
        options=options,
        locator=Locator(url=where, root_pem=roots, networks=table) if where else None,
    )
    return World(
        networks=networks,
        judge=judge,
        options=options,
        now=clock.now,
        prove=proving.prove,
        tell=partial(tell, hooks=hooks, post=post) if hooks.on_finding or hooks.webhook else None,
        means=means_of(campaign, judge),
        network_of=table.asn_of if table is not None else None,
    )


def _networks(campaign: CampaignFile, overrides: Overrides) -> dict[str, Network]:
    """The way out of each vantage that is worked here."""
    networks: dict[str, Network] = {}
    for part in campaign.vantages:
        if part.uri == WORKER_URI:
            continue
        link = open_vantage(part.uri, asn=part.asn or "AS0", cc=part.cc or "ZZ")
        resolver = None
        if link.resolves_names:
            servers = DEFAULT_SERVERS if campaign.collect.doh else ()
            resolver = open_resolver(root_pem=pinned_pem(), doh_servers=servers, link=link)
        networks[part.name] = Network(link=link, resolver=resolver, overrides=overrides)
    return networks


def _options(campaign: CampaignFile, registry: Registry) -> ScanOptions:
    limits, collect = campaign.limits, campaign.collect
    return ScanOptions(
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


@contextmanager
def alone(folder: CampaignFolder) -> Iterator[None]:
    """One run of a campaign at a time; raises UsageError if there is another."""
    with (folder.folder / CAMPAIGN_LOCK).open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                "{folder}: the campaign is running already",
                hint="kzmitm campaign status tells how far",
                folder=folder.folder,
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
