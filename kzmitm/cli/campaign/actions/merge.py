"""Join the results of places that ran a campaign alone; everything is judged again, nothing is believed."""

import argparse
from contextlib import ExitStack
from typing import Any

from kzmitm.campaign.merging import Merge, Merged
from kzmitm.campaign.packing import Pack, open_pack
from kzmitm.campaign.state import CampaignFolder
from kzmitm.cli import clock
from kzmitm.cli.campaign.opening import open_file, versions_of
from kzmitm.cli.campaign.running import alone
from kzmitm.cli.campaign.telling import exit_of, state_document
from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.sources import registry_of, store_of
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import BundleError, UsageError
from kzmitm.report.campaign import status_lines
from kzmitm.report.language import ngettext
from kzmitm.report.safe import harmless
from kzmitm.verdict.judge import Judge


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("shares", metavar="FOLDER|FILE", type=filled_path, nargs="+",
        help="what places brought: packed files, or folders of the campaign")  # fmt: skip
    add("--plan", metavar="FILE", type=filled_path, required=True,
        help="the campaign (TOML), or the signed file that the places were given")  # fmt: skip
    add("--out", metavar="DIR", type=filled_path, required=True, help="a new folder for the whole")
    add("--store", metavar="FILE", type=filled,
        help="trust the roots in this PEM file instead of the pinned ones")  # fmt: skip
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add("--json", action="store_true", help="one document (kzmitm.campaign-merge/1.0) on stdout")
    parser.epilog = "Exit code 1: interception was found; 3: targets are left, or something was refused."


def run(args: argparse.Namespace) -> int:
    registry, store = registry_of(args.fingerprints), store_of(args.store)
    opened = open_file(args.plan, registry)
    if args.out.exists() and any(args.out.iterdir()):
        raise UsageError(
            "--out: {out}: is not empty", hint="a merge is made anew: name a new folder", out=args.out
        )
    with ExitStack() as stack:
        packs = [stack.enter_context(_opened(path)) for path in args.shares]
        args.out.mkdir(parents=True, exist_ok=True)
        folder = CampaignFolder(args.out, opened.plan)
        with alone(folder):
            folder.begin(opened.octets, versions_of(registry, store))
            merge = Merge(opened.plan, lambda: Judge(registry=registry, store=store), clock.now())
            merged = merge.into(folder, packs)
            folder.record({"event": "merged", **_told(merged, packs)})
    document = state_document(folder)
    if args.json:
        told = {"schema": "kzmitm.campaign-merge/1.0", "version": 1, **_told(merged, packs)}
        print_json(told | {"shares": document["shares"]})
    else:
        print_lines(status_lines(document["shares"], paused=False))
        _say(merged)
    code = exit_of(document, complete=True)
    return Exit.UNDECIDED if code is Exit.OK and merged.refused else code


def _opened(path: Any) -> Pack:
    try:
        return open_pack(path)
    except BundleError as exc:
        raise UsageError(
            "{path}: {why}", hint="fetch it again, or leave it out", path=path, why=exc
        ) from None


def _told(merged: Merged, packs: list[Pack]) -> dict[str, Any]:
    return {
        "taken": merged.taken,
        "failed": merged.failed,
        "doubles": merged.doubles,
        "conflicts": merged.conflicts,
        "refused": [[name, reason, count] for (name, reason), count in sorted(merged.refused.items())],
        "signers": sorted({each.signer.line for each in packs if each.signer is not None}),
    }


def _say(merged: Merged) -> None:
    say(
        ngettext(
            "{taken} result; came twice: {doubles}, contradict another of the same job: {conflicts}",
            "{taken} results; came twice: {doubles}, contradict another of the same job: {conflicts}",
            merged.taken,
        ).format(taken=merged.taken, doubles=merged.doubles, conflicts=merged.conflicts)
    )
    for (name, reason), count in sorted(merged.refused.items()):
        say(
            ngettext(
                "refused of {name}: {reason}, {count} time",
                "refused of {name}: {reason}, {count} times",
                count,
            ).format(name=harmless(name), reason=reason, count=count)
        )
