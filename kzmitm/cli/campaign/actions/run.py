"""Run a campaign, or go on with one that was stopped, killed or cut off."""

import argparse
import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from kzmitm.campaign.allotment import WORKER_URI
from kzmitm.campaign.export import NAMESPACE, of_one_vantage
from kzmitm.campaign.remote_setup import Remote
from kzmitm.campaign.room import StoppedError, kept
from kzmitm.campaign.runner import Runner
from kzmitm.campaign.served import ServedRunner
from kzmitm.campaign.state import CampaignFolder
from kzmitm.campaign.world import World
from kzmitm.cli import clock, consent, serving
from kzmitm.cli.campaign.opening import Opened, folder_of, open_file, versions_of
from kzmitm.cli.campaign.running import Telling, alone, run_campaign, world_of
from kzmitm.cli.campaign.telling import exit_of, state_document
from kzmitm.cli.campaign.trusting import demand_known
from kzmitm.cli.loop import run_until_stopped
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.sources import registry_of, store_of
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import UsageError
from kzmitm.netio.descriptors import make_room
from kzmitm.netio.queue_access import Credentials, ServerAddress
from kzmitm.report.campaign import status_lines
from kzmitm.report.language import _

INBOX = "_INBOX_kzmitm"


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", type=filled_path, help="a campaign (TOML)")
    add("--out", metavar="DIR", type=filled_path, help="its folder (default: in the data of this user)")
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add("--store", metavar="FILE", type=filled,
        help="trust the roots in this PEM file instead of the pinned ones")  # fmt: skip
    add("--connect-to", metavar="HOST:PORT:ADDR:PORT", action="append", default=[], help="as for scan")
    add("--resolve", metavar="HOST:PORT:ADDR", action="append", default=[], help="as for scan")
    add("--retry-failed", action="store_true", help="try once more what a vantage failed")
    add("--vantage", metavar="NAME", type=filled, help="measure for this vantage alone, from here")
    add("--via", metavar="URI", type=filled, default="direct:",
        help="with --vantage: direct: (default), socks5://, socks5h:// or http://HOST:PORT")  # fmt: skip
    add("--signer", metavar="KEY", type=filled,
        help="the key (SHA256:… or ssh-ed25519 …) that must have signed the file")  # fmt: skip
    serving.add_options(parser, required=False)
    add("--i-understand", action="store_true", help="I know what `kzmitm consent` says; run without asking")
    add("--json", action="store_true", help="one document (kzmitm.campaign-status/1.0) on stdout")
    parser.epilog = (
        "Exit code 1: interception was found; 3: stopped before the end, or targets are left undone."
    )


def run(args: argparse.Namespace) -> int:
    registry, store = registry_of(args.fingerprints), store_of(args.store)
    opened = _chosen(args, open_file(args.file, registry, is_to_run=args.vantage is None))
    server = serving.server_of(args) if args.server or args.creds else None
    _check_workers(opened, has_server=server is not None)
    world = world_of(args, opened, registry, store)
    consent.demand(understood=args.i_understand)
    make_room(opened.campaign.limits.concurrency)
    folder = folder_of(opened, args.out)
    folder.folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        stop = asyncio.Event()
        begin = partial(folder.begin, opened.octets, versions_of(registry, store))
        work = _work(begin, folder, world, server, stop, retry_failed=args.retry_failed)
        ended = run_until_stopped(serving.plain_errors(work), stop)
    document = state_document(folder)
    if args.json:
        print_json(document)
    else:
        print_lines(status_lines(document["shares"], paused=document["paused"]))
    if not ended:
        say(_("stopped; the same command goes on"))
    return exit_of(document, complete=ended)


async def _work(
    begin: Callable[[], None],
    folder: CampaignFolder,
    world: World,
    server: tuple[ServerAddress, Credentials] | None,
    stop: asyncio.Event,
    *,
    retry_failed: bool,
) -> None:
    telling = Telling()
    try:
        await kept(begin, share=None, watcher=telling, stopping=stop, pause=partial(_wait, stop))
    except StoppedError:
        return
    if server is None:
        runner = Runner(folder, world, telling, retry_failed=retry_failed)
        await run_campaign(runner, stop, world.networks)
        return
    async with serving.linked(*server, INBOX) as queue:
        remote = Remote(queue=queue)
        runner = ServedRunner(folder, world, telling, remote=remote, retry_failed=retry_failed)
        await run_campaign(runner, stop, world.networks)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _chosen(args: argparse.Namespace, opened: Opened) -> Opened:
    """The campaign as far as it is run here; raises UsageError for a signed one by nobody that we know."""
    if opened.signer is not None:
        demand_known(opened.signer, NAMESPACE, args.signer, name=str(args.file), now=clock.now())
    elif args.signer is not None:
        raise UsageError(
            "{file}: is not signed", hint="leave --signer out, or take the signed file", file=args.file
        )
    if args.vantage is None:
        return opened
    plan = of_one_vantage(opened.plan, args.vantage, args.via)
    return replace(opened, plan=plan, campaign=plan.campaign)


def _check_workers(opened: Opened, *, has_server: bool) -> None:
    workers = [each.name for each in opened.campaign.vantages if each.uri == WORKER_URI]
    if workers and not has_server:
        raise UsageError(
            "{workers} is a worker far away",
            hint="give --server and --creds, or --vantage NAME for one place",
            workers=workers[0],
        )
