"""Run a campaign, or go on with one that was stopped, killed or cut off."""

import argparse
import asyncio

from kzmitm.campaign.runner import Runner
from kzmitm.cli import consent
from kzmitm.cli.campaign.opening import folder_of, open_file, versions_of
from kzmitm.cli.campaign.running import Telling, alone, run_campaign, world_of
from kzmitm.cli.campaign.telling import state_document
from kzmitm.cli.exits import Exit
from kzmitm.cli.loop import run_until_stopped
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.sources import registry_of, store_of
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.netio.descriptors import make_room
from kzmitm.report.campaign import status_lines
from kzmitm.report.language import _


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
    add("--i-understand", action="store_true", help="I know what `kzmitm consent` says; run without asking")
    add("--json", action="store_true", help="one document (kzmitm.campaign-status/1.0) on stdout")
    parser.epilog = (
        "Exit code 1: interception was found; 3: stopped before the end, or targets are left undone."
    )


def run(args: argparse.Namespace) -> int:
    registry, store = registry_of(args.fingerprints), store_of(args.store)
    opened = open_file(args.file, registry)
    world = world_of(args, opened, registry, store)
    consent.demand(understood=args.i_understand)
    make_room(opened.campaign.limits.concurrency)
    folder = folder_of(opened, args.out)
    folder.folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        folder.begin(opened.octets, versions_of(registry, store))
        stop = asyncio.Event()
        runner = Runner(folder, world, Telling(), retry_failed=args.retry_failed)
        ended = run_until_stopped(run_campaign(runner, stop, world.networks), stop)
    document = state_document(folder)
    if args.json:
        print_json(document)
    else:
        print_lines(status_lines(document["shares"], paused=document["paused"]))
    if not ended:
        say(_("stopped; the same command goes on"))
    return exit_of(document, complete=ended)


def exit_of(document: dict, *, complete: bool) -> Exit:  # type: ignore[type-arg]
    """1 if anything was found, 3 if something is left or failed, or nothing could be decided."""
    shares = document["shares"]
    if any(share["outcomes"].get("interception") for share in shares):
        return Exit.FOUND
    undone = any(share["left"] or share["failed"] for share in shares)
    decided = sum(share["done"] - share["outcomes"].get("inconclusive", 0) for share in shares)
    return Exit.UNDECIDED if undone or not complete or not decided else Exit.OK
